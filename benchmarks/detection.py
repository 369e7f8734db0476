"""Which faces the detector finds, and where it sees faces that are none.

    python -m pip install --no-deps scikit-learn scikit-image gradio
    python benchmarks/detection.py --data DATA --json detection.json --plot recall.svg

`DATA` holds `aflw_train` and `ytf68` (docs/reference/datasets.md), whose labelled faces are set
into pictures without faces: in sizes from 24 to 1000 pixels, turned by up to 180 degrees, partly
covered, and far away beside a near face. Pictures without faces are those of scikit-learn,
scikit-image and Gradio that show nobody, as far as they are installed, and those in folders
(`--pictures`). All choices are seeded.

Printed: the share of faces found (a detection in their place, of half to twice their size, whose
points are nearer to theirs than half the face's size) with the median error of the five points in
per cent of the face's size, and how many of 500 pictures without faces show one. `--plot` draws
the shares over size and angle.
"""

import argparse
import importlib.util
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mlanet.detection import CenterFace, Detection
from mlanet.image import read_image
from mlanet.synthesis.surroundings import procedural_background

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
THRESHOLD = 0.5
SIZES_PX = (24, 32, 48, 80, 150, 300, 600, 1000)
ANGLES_DEG = (0, 30, 60, 90, 120, 150, 180)
COVERED = (0.2, 0.35, 0.5)
FAR_PX = (60, 100, 150)
CANVAS_PX, TURNED_PX, NEAR_PX = 450, 120, 500
NEAR_CANVAS_PX = (1200, 1600)
"""Height and width of pictures with a near face and two far ones."""

NUM_EMPTY, NUM_DRAWN = 500, 60

PACKAGED = {
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    "skimage": tuple(
        f"data/{name}"
        for name in (
            "brick.png",
            "cell.png",
            "chelsea.png",
            "coffee.png",
            "coins.png",
            "color.png",
            "grass.png",
            "gravel.png",
            "hubble_deep_field.jpg",
            "ihc.png",
            "moon.png",
            "motorcycle_left.png",
            "page.png",
            "retina.jpg",
            "rocket.jpg",
            "text.png",
        )
    ),
    "gradio": (
        *(f"media_assets/images/{name}.jpg" for name in ("cheetah", "cheetah1", "lion", "tower")),
        "test_data/cheetah2.jpg",
    ),
}
"""Pictures without people in packages that a machine may have."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFace:
    """A crop with its five points, and the size in pixels that the detector's box would have."""

    image: np.ndarray
    points: np.ndarray

    @property
    def size(self) -> float:
        """Of a face that far away: from the distances of the five points."""
        down = self.points[3:].mean(axis=0) - self.points[:2].mean(axis=0)
        across = self.points[1] - self.points[0]
        return 2.2 * float(np.sqrt(down @ down + 0.2 * across @ across))


def labelled_faces(folder: Path, number: int, rng: np.random.Generator) -> list[LabelledFace]:
    """Some faces of a set with 68 points each."""
    with np.load(folder / "labels.npz") as labels:
        names, points = labels["name"], labels["pts68_px"][..., :2].astype(np.float64)
    chosen = {str(names[k]): points[k] for k in rng.choice(len(names), number, replace=False)}
    faces: dict[str, LabelledFace] = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                content = archive.extractfile(member) if name in chosen else None
                if content is not None:
                    p = chosen[name]
                    five = np.stack([p[36:42].mean(0), p[42:48].mean(0), p[30], p[48], p[54]])
                    picture = Image.open(io.BytesIO(content.read())).convert("RGB")
                    faces[name] = LabelledFace(np.asarray(picture), five)
    return [faces[name] for name in sorted(faces)]


def empty_pictures(folders: list[Path], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """`NUM_EMPTY` pictures: the given ones, drawn ones, and parts of the given ones."""
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    for package, files in PACKAGED.items():
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            paths += [Path(spec.origin).parent / file for file in files]
    whole = {path.stem: read_image(path) for path in paths}
    found = dict(whole)
    for k in range(NUM_DRAWN):
        drawn = procedural_background(int(rng.integers(200, 700)), rng)
        found[f"drawn {k}"] = (drawn * 255.0).astype(np.uint8)
    names = list(whole)
    while names and len(found) < NUM_EMPTY:
        name = names[len(found) % len(names)]
        found[f"{name} {len(found)}"] = part_of(whole[name], rng)
    return found


def part_of(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of a picture in another size, perhaps mirrored or turned."""
    height, width = image.shape[:2]
    rows, cols = (int(side * rng.uniform(0.3, 0.95)) for side in (height, width))
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - cols + 1)
    part = image[top : top + rows, left : left + cols]
    part = np.rot90(part, rng.choice([0, 0, 0, 1, 2, 3]))
    part = part[:, ::-1] if rng.random() < 0.5 else part
    scale = rng.uniform(250, 1000) / max(part.shape[:2])
    size = [max(round(side * scale), 32) for side in part.shape[1::-1]]
    return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize(size))


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A face's five points and size in a picture."""

    points: np.ndarray
    size_px: float

    def matched(self, found: list[Detection]) -> float | None:
        """Mean error of the points over the size, of the detection in its place."""
        for one in found:
            apart = np.hypot(*(one.landmarks_px.mean(axis=0) - self.points.mean(axis=0)))
            if apart < 0.5 * self.size_px and 0.5 < one.size_px / self.size_px < 2.0:
                errors = np.hypot(*(one.landmarks_px - self.points).T)
                return float(errors.mean() / self.size_px)
        return None


@dataclass(frozen=True, slots=True)
class Setting:
    """How faces are shown: `group` and `value` name a row of the table."""

    group: str
    value: float
    size_px: float = TURNED_PX
    angle_deg: float = 0.0
    covered: float = 0.0
    near_px: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        if self.near_px:
            return NEAR_CANVAS_PX
        side = max(CANVAS_PX, round(1.6 * self.size_px))
        return side, side


def settings() -> list[Setting]:
    """The rows of the table."""
    return [
        *(Setting("size_px", size, size_px=size) for size in SIZES_PX),
        *(Setting("angle_deg", angle, angle_deg=angle) for angle in ANGLES_DEG),
        *(Setting("covered", share, covered=share) for share in COVERED),
        *(Setting("far_px", size, size_px=size, near_px=NEAR_PX) for size in FAR_PX),
    ]


def composed(
    setting: Setting, faces: list[LabelledFace], empty: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, Placed]:
    """A picture that shows the first face as a setting says, and where it is."""
    height, width = setting.shape
    canvas = np.array(Image.fromarray(empty).resize((width, height)))
    left = 0.0
    if setting.near_px:
        paste(canvas, faces[1], setting.near_px, 0.0, (0.0, 0.0))
        left = len(faces[1].image) * setting.near_px / faces[1].size
    side = len(faces[0].image) * setting.size_px / faces[0].size
    room = np.array([width - left - side, height - side])
    corner = np.array([left, 0.0]) + rng.uniform(0.0, 1.0, 2) * room
    points = paste(canvas, faces[0], setting.size_px, setting.angle_deg, corner)
    if setting.covered:
        cover(canvas, points.mean(axis=0), setting, rng)
    return canvas, Placed(points, setting.size_px)


def paste(
    canvas: np.ndarray,
    face: LabelledFace,
    size_px: float,
    angle_deg: float,
    corner: tuple[float, float] | np.ndarray,
) -> np.ndarray:
    """Draw a face, turned anticlockwise about its middle; its points in the canvas."""
    import cv2

    side = max(round(len(face.image) * size_px / face.size), 1)
    small = np.asarray(Image.fromarray(face.image).resize((side, side)))
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2.0, (side - 1) / 2.0), angle_deg, 1.0)
    matrix[:, 2] += np.round(corner)
    height, width = canvas.shape[:2]
    border = cv2.BORDER_TRANSPARENT
    cv2.warpAffine(small, matrix, (width, height), dst=canvas, borderMode=border)
    points = face.points * (side / len(face.image)) - 0.5
    return points @ matrix[:, :2].T + matrix[:, 2] + 0.5


def cover(
    canvas: np.ndarray, center: np.ndarray, setting: Setting, rng: np.random.Generator
) -> None:
    """Lay one colour over a share of the face's square, from one of its four sides."""
    low, high = center - setting.size_px / 2.0, center + setting.size_px / 2.0
    axis, depth = int(rng.integers(2)), setting.covered * setting.size_px
    if rng.random() < 0.5:
        high[axis] = low[axis] + depth
    else:
        low[axis] = high[axis] - depth
    left, top, right, bottom = np.maximum(np.round([*low, *high]).astype(int), 0)
    canvas[top:bottom, left:right] = rng.integers(0, 256, 3)


def recall(
    setting: Setting,
    detector: CenterFace,
    faces: list[LabelledFace],
    pictures: list[np.ndarray],
) -> dict[str, float | str]:
    """One row: how many of the faces are found, and how exactly."""
    rng = np.random.default_rng(0)
    errors: list[float] = []
    for k, face in enumerate(faces):
        shown = [face, faces[k - 1]]
        canvas, place = composed(setting, shown, pictures[rng.integers(len(pictures))], rng)
        error = place.matched(detector(canvas))
        if error is not None:
            errors.append(error)
    median = 100.0 * float(np.median(errors)) if errors else float("nan")
    share = len(errors) / len(faces)
    return {setting.group: setting.value, "found": share, "error_percent": median}


def highest_score(detector: CenterFace, picture: np.ndarray) -> float:
    """Of what the detector takes for faces; 0 if there is nothing."""
    return max((found.score for found in detector(picture)), default=0.0)


def draw(rows: list[dict[str, float | str]], path: Path) -> None:
    """Shares over size and angle."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.0), layout="constrained")
    for place, (key, label) in enumerate(
        (("size_px", "size of the face in pixels"), ("angle_deg", "turned by, in degrees"))
    ):
        axes = figure.add_subplot(1, 2, place + 1)
        chosen = [row for row in rows if key in row]
        axes.plot([row[key] for row in chosen], [row["found"] for row in chosen], marker="o")
        axes.set(xlabel=label, ylabel="found", ylim=(0.0, 1.03))
        if key == "size_px":
            axes.set(xscale="log", xticks=SIZES_PX, xticklabels=SIZES_PX)
            axes.minorticks_off()
        else:
            axes.set(xticks=ANGLES_DEG)
        axes.grid(alpha=0.3)
    figure.savefig(path)


def false_faces(empty: dict[str, np.ndarray]) -> dict[str, int]:
    """How many pictures without faces show one, by threshold; the worst are printed."""
    detector = CenterFace.load(threshold=THRESHOLDS[0])
    highest = {name: highest_score(detector, picture) for name, picture in empty.items()}
    scores = np.array(list(highest.values()))
    shown = {f"{limit:g}": int((scores > limit).sum()) for limit in THRESHOLDS}
    print(f"pictures without a face that show one, of {len(empty)}: {shown}", flush=True)
    for name in sorted(highest, key=lambda name: -highest[name])[:10]:
        print(f"  {name}: {highest[name]:.2f}")
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, action="append", default=[])
    parser.add_argument("--faces", type=int, default=96, help="in each row: 2,016 pictures")
    parser.add_argument("--only", choices=("found", "false"), help="one half of it")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    empty = empty_pictures(arguments.pictures, rng)
    half = arguments.faces // 2
    faces = labelled_faces(arguments.data / "aflw_train", arguments.faces - half, rng)
    faces += labelled_faces(arguments.data / "ytf68", half, rng)
    faces = [faces[k] for k in rng.permutation(len(faces))]
    pictures = [one for one in empty.values() if min(one.shape[:2]) >= 150]
    result: dict[str, object] = {"faces": len(faces), "empty": len(empty)}
    if arguments.only != "false":
        detector = CenterFace.load(threshold=THRESHOLD)
        rows: list[dict[str, float | str]] = []
        for setting in settings():
            rows.append(recall(setting, detector, faces, pictures))
            print(rows[-1], flush=True)
        result["rows"] = rows
        if arguments.plot is not None:
            draw(rows, arguments.plot)
    if arguments.only != "found":
        result["false"] = false_faces(empty)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
