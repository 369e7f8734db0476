"""Speed of training: supervised and semi-supervised steps, the loader, landmark fits.

    python benchmarks/training.py --data DATA --json training.json

Needs the `train` extra and a folder that holds aflw_train (docs/how-to/train.md). Two threads.
Steps
that are compared are taken in turns; figures are medians. The semi-supervised step is that of
`SEMI`: half of each batch has no labels and is drawn at the crop's size.
"""

import argparse
import json
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # docs/explanation/renderer.md
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # fits are shared out over threads of Python

import numpy as np
import torch

from mlanet.datasets import FaceCrops
from mlanet.fitting import CropView, fit_landmarks
from mlanet.image import square_from_landmarks, transform_points
from mlanet.image.crop import square_transform
from mlanet.morphable import MorphableModel
from mlanet.training import Stage, TrainingConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.learner import Learner

THREADS = 2
SIZE = 128
FITS = 500
LOADED = 8
"""Batches that the loader makes."""

SUPERVISED = TrainingConfig(steps=1000, stages=(Stage(1.0, SIZE),))
SEMI = replace(SUPERVISED, unlabelled=0.5, unlabelled_warmup=0.0)
BARS = {"semi_over_supervised": 0.65, "loader_over_step": 3.0, "landmark_fits_per_s": 100.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("MLANET_DATA"),
        help="folder that holds aflw_train; by default $MLANET_DATA",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--steps", type=int, default=7, help="timed steps of each kind")
    options = parser.parse_args()
    if options.data is None:
        parser.error("give --data, or set MLANET_DATA")
    torch.set_num_threads(THREADS)
    figures = step_figures(options.data, options.steps)
    figures["landmark_fits_per_s"] = fits_per_s(FaceCrops(options.data / "aflw_train"))
    for name, value in figures.items():
        bar = f"  (bar: at least {BARS[name]:g})" if name in BARS else ""
        print(f"{name:28} {value:10.2f}{bar}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def step_figures(data: Path, steps: int) -> dict[str, float]:
    """Images per second of both steps and of the loader alone, and their ratios."""
    configs = {"supervised": SUPERVISED, "semi": SEMI}
    learners = {name: Learner.start(config) for name, config in configs.items()}
    faces = {name: LabelledFaces.of(config, data) for name, config in configs.items()}
    batches = {name: faces[name].training_batch(0, SIZE, configs[name]) for name in configs}
    times: dict[str, list[float]] = {name: [] for name in configs}
    for turn in range(steps + 1):  # the first compiles and warms up
        for name, learner in learners.items():
            began = time.perf_counter()
            learner.step(turn, batches[name])
            if turn:
                times[name].append(time.perf_counter() - began)
    speed = {
        name: SUPERVISED.batch_size / statistics.median(found) for name, found in times.items()
    }
    loader = loader_per_s(faces["semi"], SEMI)
    return {
        "supervised_images_per_s": speed["supervised"],
        "semi_images_per_s": speed["semi"],
        "loader_images_per_s": loader,
        "semi_over_supervised": speed["semi"] / speed["supervised"],
        "loader_over_step": loader / max(speed.values()),
    }


def loader_per_s(faces: LabelledFaces, config: TrainingConfig) -> float:
    """Images per second of the loader alone, in one thread, as the training loop runs it."""
    with ThreadPoolExecutor(1) as pool:
        times: list[float] = []
        for step in range(1, LOADED + 1):
            began = time.perf_counter()
            pool.submit(faces.training_batch, step, SIZE, config).result()
            times.append(time.perf_counter() - began)
    return config.batch_size / statistics.median(times)


def fits_per_s(crops: FaceCrops) -> float:
    """Landmark fits per second on two threads: `FITS` faces, 68 points with depth, best of two."""
    model = MorphableModel.load()
    rows = np.linspace(0, len(crops) - 1, FITS).astype(int)
    points = crops.landmarks_px[rows].astype(np.float64)
    for k, row in enumerate(points):
        crop_from_image = square_transform(square_from_landmarks(row), SIZE)
        points[k, :, :2] = transform_points(crop_from_image, row[:, :2])
        points[k, :, 2] *= crop_from_image[0, 0]
    view, halves = CropView(float(SIZE)), np.array_split(points, THREADS)
    times: list[float] = []
    for _ in range(2):
        began = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(partial(fit_landmarks, model.landmarks, view), halves))
        times.append(time.perf_counter() - began)
    return len(points) / min(times)


if __name__ == "__main__":
    main()
