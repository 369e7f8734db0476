"""Fits of held-out faces: to landmarks alone, and to landmarks and pixels.

Every 40th face of aflw_train, up to --faces of them. Each starts at the shipped network's answer
in the box of its landmarks, is fitted to its 68 labelled points, and then refined. The photo
error is the mean colour distance (L2 of sRGB in [0, 1]) of all skin pixels of the crop; "before"
is the landmark fit under the network's own albedo and light; `same_pixels` is measured where both
show skin.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch

from mlanet import Reconstructor
from mlanet.datasets import FaceCrops
from mlanet.fitting import fit_to_landmarks, photo_error, refine
from mlanet.image import square_from_landmarks
from mlanet.metrics import nme_2d_68

HELD_OUT_EVERY = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("MLANET_DATA"),
        help="folder that holds aflw_train; by default $MLANET_DATA",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--faces", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="other faces, to choose settings on")
    parser.add_argument("--every", type=int, default=HELD_OUT_EVERY)
    options = parser.parse_args()
    if options.data is None:
        parser.error("give --data, or set MLANET_DATA")
    torch.set_num_threads(1)
    crops = FaceCrops(options.data / "aflw_train")
    figures = fitting_figures(crops, options.faces, options.first, options.every)
    for name, value in figures.items():
        print(f"{name:32} {value:.4f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def fitting_figures(
    crops: FaceCrops, faces: int, first: int = 0, every: int = HELD_OUT_EVERY
) -> dict[str, float]:
    reconstructor = Reconstructor.load()
    rows = np.arange(first, len(crops), every)[:faces]
    nme: list[list[float]] = []
    errors: list[list[float]] = []
    same: list[list[float]] = []
    seconds = 0.0
    for row in rows:
        sample = crops[int(row)]
        assert sample.landmarks_px is not None
        labels = sample.landmarks_px[:, :2]
        start = reconstructor.predict_in_box(sample.image, square_from_landmarks(labels))
        fitted = fit_to_landmarks(start, labels)
        began = time.perf_counter()
        refined = refine([fitted], labels[None])[0]
        seconds += time.perf_counter() - began
        stages = (start, fitted, refined)
        nme.append([float(nme_2d_68(s.landmarks_px[None, :, :2], labels[None])[0]) for s in stages])
        errors.append([photo_error(stage) for stage in stages])
        same.append([photo_error(fitted, refined), photo_error(refined, fitted)])
    points, colors, on_same = np.array(nme), np.array(errors), np.array(same)
    return {
        "faces": float(len(rows)),
        "network_nme_median": float(np.median(points[:, 0])),
        "landmark_fit_nme_median": float(np.median(points[:, 1])),
        "refined_nme_median": float(np.median(points[:, 2])),
        "nme_growth": float(np.median(points[:, 2]) - np.median(points[:, 1])),
        "nme_growth_mean": float((points[:, 2] - points[:, 1]).mean()),
        "network_photo_error": float(colors[:, 0].mean()),
        "photo_error_before": float(colors[:, 1].mean()),
        "photo_error_after": float(colors[:, 2].mean()),
        "photo_error_fall": float(1 - colors[:, 2].mean() / colors[:, 1].mean()),
        "photo_error_fall_same_pixels": float(1 - on_same[:, 1].mean() / on_same[:, 0].mean()),
        "refine_seconds": seconds / len(rows),
    }


if __name__ == "__main__":
    main()
