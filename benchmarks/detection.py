"""Which faces the detector finds, by size and turn, and where it sees faces that are none.

    python benchmarks/detection.py --data DATA --pictures FOLDER --json detection.json

`DATA` holds `aflw_train` and `ytf68` (docs/reference/datasets.md), whose labelled faces are set
into pictures
without faces, in several sizes and turned by right angles. `FOLDER` holds such pictures; those
of scikit-learn and scikit-image are taken too, if they are installed. All choices are seeded.

Printed for each threshold: the share of faces found at each size and turn (a detection in their
place, of half to twice their size), with the median error of the five points in per cent of the
face's size; and how many of 500 pictures without faces show one.
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
from mlanet.geometry import turn_points_back
from mlanet.image import read_image
from mlanet.synthesis.surroundings import procedural_background

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
SIZES_PX = (16, 24, 48, 120)
CANVAS_PX = 450
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


def placed(
    face: LabelledFace, size_px: float, empty: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A face of a size somewhere in a picture without one, and its five points there."""
    canvas = np.asarray(Image.fromarray(empty).resize((CANVAS_PX, CANVAS_PX))).copy()
    scale = size_px / face.size
    side = max(round(len(face.image) * scale), 1)
    points = face.points * (side / len(face.image))
    small = np.asarray(Image.fromarray(face.image).resize((side, side)))
    if side > CANVAS_PX:
        cut = (np.clip(points.mean(axis=0) - CANVAS_PX / 2, 0, side - CANVAS_PX)).astype(int)
        small = small[cut[1] : cut[1] + CANVAS_PX, cut[0] : cut[0] + CANVAS_PX]
        points, side = points - cut, CANVAS_PX
    left, top = rng.integers(0, CANVAS_PX - side + 1, 2)
    canvas[top : top + side, left : left + side] = small
    return canvas, points + np.array([left, top])


def best_match(
    found: list[Detection], points: np.ndarray, size_px: float
) -> tuple[float, float] | None:
    """Score of the detection in a face's place and the mean error of its points over the size."""
    for one in found:
        apart = np.hypot(*(one.landmarks_px.mean(axis=0) - points.mean(axis=0)))
        if apart < 0.5 * size_px and 0.5 < one.size_px / size_px < 2.0:
            return one.score, float(np.hypot(*(one.landmarks_px - points).T).mean() / size_px)
    return None


def highest_score(detector: CenterFace, picture: np.ndarray) -> float:
    """Of what the detector takes for faces; 0 if there is nothing."""
    return max((found.score for found in detector(picture)), default=0.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, action="append", default=[])
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    detector = CenterFace.load(threshold=THRESHOLDS[0])
    empty = empty_pictures(arguments.pictures, rng)
    highest = {name: highest_score(detector, picture) for name, picture in empty.items()}
    scores = np.array(list(highest.values()))
    false = {f"{limit:g}": int((scores > limit).sum()) for limit in THRESHOLDS}
    print(f"pictures without a face that show one, of {len(empty)}: {false}", flush=True)
    for name in sorted(highest, key=lambda name: -highest[name])[:10]:
        print(f"  {name}: {highest[name]:.2f}")

    half = arguments.faces // 2
    faces = labelled_faces(arguments.data / "aflw_train", arguments.faces - half, rng)
    faces += labelled_faces(arguments.data / "ytf68", half, rng)
    pictures = [one for one in empty.values() if min(one.shape[:2]) >= 150]
    rows = []
    limits = "  ".join(f"{limit:>5g}" for limit in THRESHOLDS)
    print(f"{'size':>5} {'turn':>5}  {limits}  error %")
    for size in SIZES_PX:
        scenes = [placed(face, size, pictures[rng.integers(len(pictures))], rng) for face in faces]
        for turn in range(4):
            matches = []
            for canvas, points in scenes:
                turned = np.ascontiguousarray(np.rot90(canvas, turn))
                there = turn_points_back(points, turned.shape[:2], -turn)
                matches.append(best_match(detector(turned), there, size))
            got = np.array([0.0 if match is None else match[0] for match in matches])
            errors = [match[1] for match in matches if match is not None]
            recall = {f"{limit:g}": float((got > limit).mean()) for limit in THRESHOLDS}
            error = 100.0 * float(np.median(errors)) if errors else float("nan")
            rows.append({"size_px": size, "turn_deg": 90 * turn, "recall": recall, "error": error})
            shares = "  ".join(f"{share:5.2f}" for share in recall.values())
            print(f"{size:5d} {90 * turn:5d}  {shares}  {error:5.1f}", flush=True)
    if arguments.json is not None:
        result = {"empty": len(empty), "false": false, "faces": len(faces), "rows": rows}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
