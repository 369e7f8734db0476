"""The bars of the embedded face model: is it a head of real people, and does nothing collide?

    python benchmarks/models.py --data DATA --json models.json

`DATA` (or the environment's MLANET_DATA) holds `scans`, `flame_open`, `ict_facekit` and
`aflw_train`. `--only scans flame` measures groups alone. What the model lacks is not applicable
(null in the file). One prior for all fits: identity N(0, 1) within 3, expressions N(0, 0.3²)
within [0, 1].

- scans: `scans_mean_mm`, mean face against the two real scans by the protocol of
  `mlanet evaluate scans` (mean point-to-plane after similarity alignment, both directions);
  `scans_fit_mm`, the same of the surface fit that begins at their nine start points.
- flame: 50 random heads of FLAME Open at one standard deviation. `flame_mean_over_ict`: mean
  face's distance over that of ICT-FaceKit's mean. `flame_fit_mm`: mean point-to-plane distance
  of the head's surface from the surface fit; `flame_fit_both_mm`: averaged with the other way.
- ict: mean and 50 random heads against ICT-FaceKit's own surface with the same coefficients, both
  ways, see ict_registration.py: `ict_registration_mm` of the face, `ears_mm`, `skull_mm`. For
  models whose names of identity modes say that they are ICT's ("ict ...").
- contacts: `blink_gap_mm` of the mean and 100 random heads; `penetration_mm` over 1,000 random
  heads at rest and all single expressions of the mean. See contacts.py. For models with parts.
- landmarks: `fit_nme_median`, `fit_nme_p95`: x and y of the 68 labels of 1,000 random faces of
  AFLW of even position (the model's statistics saw odd ones), fitted with a scaled orthographic
  camera; `nme_2d_68`. `fit_nme_held_out`: the same faces with a random quarter of each face's
  points left out of the fit; mean error of those points. `fit_nme_held_out_odd`: of odd faces, to
  show what statistics gained by having seen faces.
- albedo: `albedo_gain_percent` of faces of AFLW, `albedo_portraits_gain_percent`; see albedo.py.
- size: `decode_ms`, processor time for the vertices of one face from all coefficients, one thread,
  NumPy; `asset_mb`.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from albedo import albedo_figures
from contacts import contact_figures
from heads import flame_figures, scan_figures
from ict_registration import ict_figures

from mlanet.assets import asset_records
from mlanet.fitting import FittingConfig, OrthographicView, fit_landmarks
from mlanet.metrics import nme_2d_68
from mlanet.morphable import MorphableModel

PRIOR = FittingConfig(noise=0.003)
LEFT_OUT = 17
ALBEDO_FACES = 200

AT_MOST = {
    "scans_mean_mm": 1.45, "scans_fit_mm": 0.35, "flame_mean_over_ict": 1.05,
    "flame_fit_mm": 0.40, "ict_registration_mm": 0.15, "ears_mm": 0.4, "skull_mm": 0.5,
    "blink_gap_mm": 0.3, "penetration_mm": 0.3, "fit_nme_median": 0.25,
    "fit_nme_held_out": 0.55, "decode_ms": 1.5, "asset_mb": 12.0,
}  # fmt: skip
AT_LEAST = {"albedo_gain_percent": 25.0}

GROUPS = ("size", "scans", "landmarks", "ict", "contacts", "flame", "albedo")

Figures: TypeAlias = dict[str, float | None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("MLANET_DATA"))
    parser.add_argument("--model", type=Path, help="another model in mlanet's npz format")
    parser.add_argument("--heads", type=int, default=50)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    groups, figures = measured(given), dict[str, float | None]()
    for name in given.only:
        found = groups[name]()
        for figure, value in found.items():
            print(line(figure, value), flush=True)
        figures |= found
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def line(name: str, value: float | None) -> str:
    """A figure with its bar, as it is printed."""
    bar, kept = "", True
    if name in AT_MOST:
        bar, kept = f"at most {AT_MOST[name]:g}", value is None or value <= AT_MOST[name]
    elif name in AT_LEAST:
        bar, kept = f"at least {AT_LEAST[name]:g}", value is None or value >= AT_LEAST[name]
    shown = "not applicable" if value is None else f"{value:14.3f}"
    return f"{name:24}{shown}  {bar}{'' if kept else ': missed'}".rstrip()


def measured(given: argparse.Namespace) -> dict[str, Callable[[], Figures]]:
    """What measures each group."""
    if given.data is None:
        raise SystemExit("say where the data lie: --data, or MLANET_DATA")
    data: Path = given.data
    model = MorphableModel.load(given.model)
    path = given.model or asset_records()["open_face"].path
    return {
        "size": lambda: {"decode_ms": decode_ms(model), "asset_mb": path.stat().st_size / 1e6},
        "scans": lambda: scan_figures(model, data),
        "landmarks": lambda: landmark_figures(model, data / "aflw_train" / "labels.npz"),
        "ict": lambda: ict_figures(model, data, given.heads),
        "contacts": lambda: contact_figures(model),
        "flame": lambda: flame_figures(model, data, given.heads),
        "albedo": lambda: albedo_figures(model, data, ALBEDO_FACES),
    }


def landmark_figures(model: MorphableModel, path: Path) -> Figures:
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


def decode_ms(model: MorphableModel) -> float:
    rng = np.random.default_rng(0)
    identity = rng.normal(size=model.layout.identity).astype(np.float32)
    expression = rng.uniform(size=model.layout.expression).astype(np.float32)
    seconds = []
    for _ in range(60):
        start = time.process_time()
        model.vertices(identity, expression)
        seconds.append(time.process_time() - start)
    return 1000 * statistics.median(seconds[10:])


if __name__ == "__main__":
    main()
