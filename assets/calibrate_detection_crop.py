"""Measure how the training crops lie around CenterFace's detections.

    python assets/calibrate_detection_crop.py <folder of the AFLW crops>

The folder holds tar files of 120x120 face crops and `labels.npz` with `name`, `pts68_px` and
`angles_deg` (pitch, yaw, roll). Each crop is set into a wider black or grey frame, the detector
runs on it, and the constants of `mlanet.detection.framing` are those that would bring its
detections onto the crop. The size comes from the five points alone: the crops end just above
the brows, and with them the detector's boxes, which reach higher in whole photos. Printed: the
constants, then the residuals by yaw.
"""

import io
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from mlanet.detection import CenterFace, Detection, square_from_detection

SIZE = 120
NUM_CROPS = 600
FRAMES = ((60, 0), (60, 128), (120, 0))
"""Width (pixels) and grey of the frames; wider ones show the detector a smaller face."""


def read_crops(folder: Path) -> list[tuple[np.ndarray, float]]:
    """`NUM_CROPS` crops, drawn with a fixed seed, with their absolute yaw in degrees."""
    with np.load(folder / "labels.npz") as labels:
        yaws = dict(zip(labels["name"], np.abs(labels["angles_deg"][:, 1]), strict=True))
    wanted = set(np.random.default_rng(0).choice(sorted(yaws), NUM_CROPS, replace=False))
    crops: list[tuple[np.ndarray, float]] = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                content = archive.extractfile(member) if name in wanted else None
                if content is not None:
                    picture = Image.open(io.BytesIO(content.read())).convert("RGB")
                    crops.append((np.asarray(picture), float(yaws[name])))
    return crops


def detect_framed(
    detector: CenterFace, crop: np.ndarray, width: int, grey: int
) -> Detection | None:
    """The detection nearest the middle of the framed crop, in pixels of the crop."""
    framed = np.pad(crop, ((width, width), (width, width), (0, 0)), constant_values=grey)
    middle = width + SIZE / 2

    def distance(found: Detection) -> float:
        return float(np.hypot(*(found.box_px[:2] + found.box_px[2:] - 2 * middle)))

    best = min(detector(framed), key=distance, default=None)
    if best is None or distance(best) > SIZE:
        return None
    return Detection(best.box_px - width, best.landmarks_px - width, best.score)


def main() -> None:
    """Run the detector, print the constants and the residuals."""
    detector = CenterFace.load()
    tried = 0
    pairs: list[tuple[Detection, float]] = []
    for crop, yaw in read_crops(Path(sys.argv[1])):
        for width, grey in FRAMES:
            tried += 1
            found = detect_framed(detector, crop, width, grey)
            if found is not None:
                pairs.append((found, yaw))
    boxes = np.stack([found.box_px for found, _ in pairs])
    points = np.stack([found.landmarks_px for found, _ in pairs])
    down = points[:, 3:].mean(1) - points[:, :2].mean(1)
    across = points[:, 1] - points[:, 0]
    offset = SIZE / 2 - (boxes[:, :2] + boxes[:, 2:]) / 2
    terms = np.stack([(down * down).sum(1), (across * across).sum(1)], axis=1)
    factor = np.median((offset * down).sum(1) / terms[:, 0])
    weights, *_ = np.linalg.lstsq(terms / SIZE**2, np.ones(len(terms)), rcond=None)
    side = np.median(SIZE / np.sqrt(terms @ weights)) * np.sqrt(weights[0])
    print(f"{len(pairs)} of {tried} detected")
    print(f"DOWN_PER_EYES_TO_MOUTH {factor:.3f}")
    print(f"SIDE_PER_EYES_TO_MOUTH {side:.3f}, EYE_DISTANCE_WEIGHT {weights[1] / weights[0]:.3f}")

    squares = np.stack([square_from_detection(found) for found, _ in pairs])
    centers = (squares[:, :2] + squares[:, 2:]) / 2
    error = np.hypot(*(centers - SIZE / 2).T) / SIZE
    ratio = np.abs(np.log((squares[:, 2] - squares[:, 0]) / SIZE))
    yaws = np.array([yaw for _, yaw in pairs])
    print("with the constants in use:   centre offset / side      |log(side ratio)|")
    for low, high in ((0, 180), (0, 30), (30, 60), (60, 180)):
        chosen = (yaws >= low) & (yaws < high)
        values = [
            f"median {np.median(x[chosen]):.3f} 95 % {np.percentile(x[chosen], 95):.3f}"
            for x in (error, ratio)
        ]
        print(f"yaw {low:3d}-{high:3d} ({chosen.sum():4d})   " + "   ".join(values))


if __name__ == "__main__":
    main()
