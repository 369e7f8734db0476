"""Draw rendered heads on which the network fails worst: `python docs/make_failures.py`.

Writes docs/images/failures.jpg and prints the mean error of each condition. Nobody's photo is
used: the heads are random samples of the face model with photographic albedo.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mlanet.files import atomic_path
from mlanet.image import crop_square, draw_points, square_from_landmarks
from mlanet.metrics import nme_2d_68
from mlanet.morphable import AlbedoModel, MorphableModel, load_model
from mlanet.reconstructor import Reconstructor
from mlanet.synthesis import HeadsConfig, RenderedHeads

FILE = Path(__file__).resolve().parent / "images" / "failures.jpg"
COUNT, SHOWN, TILE, SIZE, TEXT = 80, 3, 132, 200, 22
TRUTH, FOUND = (255, 140, 0), (40, 200, 80)
PLAIN = HeadsConfig(yaw_deg=45, pitch_deg=15, roll_deg=15, occluder=0, glasses=0.2)

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def same(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as it is."""
    return image


def small(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face of about 16 pixels."""
    low = cv2.resize(image, (20, 20), interpolation=cv2.INTER_AREA)
    return cv2.resize(low, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


def blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moved while it was taken: a tenth of the crop, in any direction."""
    kernel = np.zeros((31, 31), np.float32)
    turn = rng.uniform(0, np.pi)
    step = (15 * np.array([np.cos(turn), np.sin(turn)])).round().astype(int)
    cv2.line(kernel, tuple((15 - step).tolist()), tuple((15 + step).tolist()), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def dark(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A twelfth of the light, with a sensor's noise."""
    noise = rng.normal(size=image.shape) * 6.0
    return np.clip(image / 12.0 + noise, 0, 255).astype(np.uint8)


CONDITIONS: dict[str, tuple[HeadsConfig, Change]] = {
    "plain, to 45 degrees": (PLAIN, same),
    "yaw to 90, pitch to 60": (replace(PLAIN, yaw_deg=90, pitch_deg=60), same),
    "roll to 120": (replace(PLAIN, roll_deg=120), same),
    "something in front": (replace(PLAIN, occluder=1), same),
    "16 pixels": (PLAIN, small),
    "moved": (PLAIN, blurred),
    "dark": (PLAIN, dark),
}


def row(
    text: str, config: HeadsConfig, change: Change, model: MorphableModel, network: Reconstructor
) -> np.ndarray:
    """The worst heads of a condition, each beside the true and the predicted landmarks."""
    heads = RenderedHeads(model, size=SIZE, count=COUNT, seed=2024, config=config)
    found: list[tuple[float, np.ndarray]] = []
    for index in range(COUNT):
        sample = heads[index]
        image = change(sample.image, np.random.default_rng(index))
        truth = np.asarray(sample.landmarks_px[:, :2], dtype=np.float64)
        square = square_from_landmarks(truth)
        face = network.predict_in_box(image, square)
        points = np.asarray(face.landmarks_px[:, :2], dtype=np.float64)
        error = float(nme_2d_68(points[None], truth[None])[0])
        marked = draw_points(draw_points(image, truth, TRUTH, 1.6), points, FOUND, 1.6)
        tiles = [crop_square(picture, square, TILE).image for picture in (image, marked)]
        found.append((error, np.hstack(tiles)))
    errors = np.array([error for error, _ in found])
    line = f"{text}: mean {errors.mean():.2f} %, median {np.median(errors):.2f} %"
    print(f"{line}, worst {np.sort(errors)[-SHOWN:][::-1].round(1).tolist()}")
    worst = [tile for _, tile in sorted(found, key=lambda pair: -pair[0])[:SHOWN]]
    page = np.full((TILE + TEXT, 2 * SHOWN * TILE, 3), 244, np.uint8)
    page[TEXT:] = np.hstack(worst)
    picture = Image.fromarray(page)
    font = ImageFont.load_default(size=14)
    ImageDraw.Draw(picture).text((6, TEXT // 2), line, (30, 30, 30), font, "lm")
    return np.asarray(picture)


def main() -> None:
    """Draw all conditions."""
    model = AlbedoModel.load().on(load_model())
    network = Reconstructor.load()
    rows = [row(text, *what, model, network) for text, what in CONDITIONS.items()]
    with atomic_path(FILE) as temporary:
        Image.fromarray(np.vstack(rows)).save(temporary, "JPEG", quality=82)
    print(f"{FILE}: {FILE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
