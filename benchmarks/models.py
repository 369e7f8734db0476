"""How well the embedded face model fits labelled faces and heads of another model.

    python benchmarks/models.py --data DATA --json models.json

`DATA` (or the environment's MLANET_DATA) holds `aflw_train` and `ict_facekit`. Protocols:

- `fit_nme_median`, `fit_nme_p95`: x and y of the 68 labels of 1,000 random faces of AFLW of even
  position (the model's statistics saw odd ones), fitted with a scaled orthographic camera;
  `nme_2d_68`. `fit_nme_held_out`: the same faces with a random quarter of each face's points
  left out of the fit; mean error of those points. `fit_nme_held_out_odd`: of odd faces, to show
  what statistics gained by having seen faces.
- `ict_mm`: 50 random heads of ICT-FaceKit (100 modes at one standard deviation, neutral):
  mean symmetric point-to-surface distance over what is visible of the face from outside.
  `ict_mm_mean_shape`: with the pose alone. `ict_sliding_mm`: distance of ICT's 51 inner landmarks
  from where the fit to ICT's mean head would carry them; landmarks start a fit, and are not used
  after four steps. `ict_expression_mm`: 53 other heads, each with one expression at 1.
- `albedo_gain_percent`: see albedo.py.
- `decode_ms`: vertices of one face from all coefficients, one thread, NumPy.

One prior for all: identity N(0, 1) within 3, expressions N(0, 0.3²) within [0, 1].
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from albedo import albedo_figures
from surface_fit import (
    Surface,
    fit_surface,
    fitted_surface,
    surface_distance,
    visible_from_outside,
)

from mlanet.assets import asset_records
from mlanet.fitting import FittingConfig, OrthographicView, fit_landmarks
from mlanet.geometry import MeshTopology, points_on_surface
from mlanet.metrics import nme_2d_68
from mlanet.morphable import MorphableModel

NOISE = 0.003
PRIOR = FittingConfig(noise=NOISE)
LEFT_OUT = 17
NUM_NARROW_FACE = 6706
"""ICT-FaceKit's first vertices are its narrow face area."""

BARS = {
    "fit_nme_median": 0.40, "fit_nme_p95": 0.60, "fit_nme_held_out": 0.75, "ict_mm": 0.43,
    "ict_sliding_mm": 1.9, "ict_expression_mm": 0.8, "decode_ms": 1.5, "asset_mb": 12.0,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MLANET_DATA"))
    parser.add_argument("--model", type=Path, help="another model in mlanet's npz format")
    parser.add_argument("--heads", type=int, default=50)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        raise SystemExit("say where the data lie: --data, or MLANET_DATA")
    model = MorphableModel.load(arguments.model)
    path = arguments.model or asset_records()["open_face"].path
    figures = {
        **landmark_figures(model, arguments.data / "aflw_train" / "labels.npz"),
        **ict_figures(
            model, arguments.data / "ict_facekit" / "ict_face_light_9409.npz", arguments.heads
        ),
        **albedo_figures(model, arguments.data / "aflw_train", 200),
        "decode_ms": decode_ms(model),
        "asset_mb": path.stat().st_size / 1e6,
    }
    print(f"prior: identity N(0, 1) within ±{PRIOR.identity_limit:g}, expressions "
          f"N(0, {PRIOR.expression_sd:g}²) within {list(PRIOR.expression_bounds)}; noise of "
          f"landmarks {100 * NOISE:g} % of the face")  # fmt: skip
    for name, value in figures.items():
        bar = f"  (at most {BARS[name]:g})" if name in BARS else ""
        bar = "  (at least 25)" if name == "albedo_gain_percent" else bar
        print(f"{name:24}{value:9.3f}{bar}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def landmark_figures(model: MorphableModel, path: Path) -> dict[str, float]:
    labels = np.load(path)["pts68_px"][..., :2].astype(np.float64)
    rng = np.random.default_rng(0)
    even = labels[rng.choice(np.arange(0, len(labels), 2), 1000, replace=False)]
    odd = labels[rng.choice(np.arange(1, len(labels), 2), 1000, replace=False)]
    start = time.perf_counter()
    fit = fit_landmarks(model.landmarks, OrthographicView(), even, None, PRIOR)
    seconds = time.perf_counter() - start
    error = nme_2d_68(fit.landmarks_px[..., :2], even)
    return {
        "fit_nme_median": float(np.median(error)),
        "fit_nme_p95": float(np.quantile(error, 0.95)),
        "fit_nme_held_out": held_out(model, even, rng),
        "fit_nme_held_out_odd": held_out(model, odd, rng),
        "fit_identity_rms": float(np.sqrt((fit.identity**2).mean())),
        "fits_per_second": len(even) / seconds,
    }


def held_out(model: MorphableModel, labels: np.ndarray, rng: np.random.Generator) -> float:
    """Mean error in per cent of the points that were left out."""
    out = np.stack([rng.permutation(68) < LEFT_OUT for _ in labels])
    fit = fit_landmarks(model.landmarks, OrthographicView(), labels, (~out).astype(float), PRIOR)
    extent = np.ptp(labels, axis=1)
    apart = np.linalg.norm(fit.landmarks_px[..., :2] - labels, axis=-1)
    return float(100 * (apart / np.sqrt(extent.prod(axis=1))[:, None])[out].mean())


def ict_figures(model: MorphableModel, path: Path, heads: int) -> dict[str, float]:
    data = np.load(path)
    scale = {"mm": 1.0, "cm": 10.0}[str(data["unit"])]
    mean, faces, marks = scale * data["mean"].astype(float), data["faces"], data["lm68"]
    people = np.moveaxis(scale * data["id_basis"].astype(float), 0, -1)
    actions = scale * data["exp_basis"].astype(float)
    topology = MeshTopology(faces, len(mean))
    area = visible_from_outside(mean, faces) & (np.arange(len(mean)) < NUM_NARROW_FACE)
    membrane = model.region("eyes", "mouth") > 0.5
    mine = visible_from_outside(model.subdivide(model.shape.mean), model.topology.faces)
    mine &= (model.region("face") > 0.5) & ~membrane
    skin = model.topology.faces[~membrane[model.topology.faces].any(axis=1)]

    def fitted(head: np.ndarray, *, shape_free: bool = True) -> tuple[np.ndarray, float]:
        target = Surface.of(head, faces, topology)
        fit = fit_surface(model, target, head[marks], shape_free=shape_free)
        surface = Surface.of(fitted_surface(model, fit), skin, model.topology)
        return surface.vertices, surface_distance(surface, mine, target, area)

    on_mean, _ = fitted(mean)
    place = Surface.of(on_mean, skin, model.topology).closest(mean[marks[17:]])[:2]
    rng = np.random.default_rng(0)
    neutral, plain, sliding = [], [], []
    for _ in range(heads):
        head = mean + people @ rng.normal(size=people.shape[-1])
        vertices, distance = fitted(head)
        neutral.append(distance)
        plain.append(fitted(head, shape_free=False)[1])
        carried = points_on_surface(vertices, skin, *place)
        sliding.append(np.linalg.norm(carried - head[marks[17:]], axis=1).mean())
    moved = [
        fitted(mean + people @ rng.normal(size=people.shape[-1]) + action)[1]
        for action in actions[:: max(1, len(actions) // heads)]
    ]
    return {
        "ict_mm": float(np.mean(neutral)),
        "ict_mm_mean_shape": float(np.mean(plain)),
        "ict_sliding_mm": float(np.mean(sliding)),
        "ict_expression_mm": float(np.mean(moved)),
        "ict_expression_mm_worst": float(np.max(moved)),
    }


def decode_ms(model: MorphableModel) -> float:
    rng = np.random.default_rng(0)
    identity = rng.normal(size=model.layout.identity).astype(np.float32)
    expression = rng.uniform(size=model.layout.expression).astype(np.float32)
    seconds = []
    for _ in range(60):
        start = time.perf_counter()
        model.vertices(identity, expression)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[10:])


if __name__ == "__main__":
    main()
