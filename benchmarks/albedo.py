"""How much of held-out photos the photographic albedo explains beyond its mean.

Every 40th face of AFLW that looks ahead was kept out of the albedo's data. Its shape and pose are
fitted to its landmarks; the light (nine harmonics in three colours) is fitted once with the mean
albedo and once in turns with the albedo's coefficients. The error is the mean absolute
difference of colours at visible vertices of the face without eyes and mouth.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "assets"))

from photo_albedo.build import HELD_OUT_EVERY, MOST_YAW_DEG
from photo_albedo.components import posterior
from photo_albedo.observe import observe

from mlanet.morphable import AlbedoModel, MorphableModel

ROUNDS = 8
RIDGE = 1e-3


def albedo_figures(model: MorphableModel, folder: Path, faces: int) -> dict[str, float]:
    albedo = AlbedoModel.load()
    yaw = np.load(folder / "labels.npz")["angles_deg"][:, 1]
    rows = np.arange(0, len(yaw), HELD_OUT_EVERY)
    rows = rows[np.abs(yaw[rows]) < MOST_YAW_DEG][:faces]
    seen = observe(model, folder, rows)
    skin = (model.regions["face"] > 0.5) & (model.regions["eyes"] < 0.5)
    skin &= model.regions["mouth"] < 0.5
    errors = []
    for colors, harmonics, weight in zip(seen.colors, seen.harmonics, seen.weight, strict=True):
        trust = weight * skin
        if trust.sum() < 100:
            continue
        z = np.zeros(albedo.basis.shape[-1])
        pair = []
        for _ in range(ROUNDS):
            shown = albedo.mean + albedo.basis @ z
            light = fitted_light(shown, colors, harmonics, trust)
            pair.append(mean_error(shown * light, colors, trust))
            # The lit albedo is linear in the coefficients.
            lit, rest = albedo.basis * light[..., None], colors - albedo.mean * light
            z = posterior(lit, rest[None], trust[None])[0][0]
        shown = albedo.mean + albedo.basis @ z
        light = fitted_light(shown, colors, harmonics, trust)
        errors.append((pair[0], mean_error(shown * light, colors, trust)))
    mean, fitted = np.mean(errors, axis=0)
    return {
        "albedo_error_mean": float(mean),
        "albedo_error": float(fitted),
        "albedo_gain_percent": float(100 * (1 - fitted / mean)),
    }


def fitted_light(
    albedo: np.ndarray, colors: np.ndarray, harmonics: np.ndarray, trust: np.ndarray
) -> np.ndarray:
    """Shading (v, 3) of the least-squares light in each colour channel."""
    shading = np.empty_like(colors, dtype=np.float64)
    for channel in range(3):
        rows = harmonics * albedo[:, channel, None]
        normal = rows.T @ (rows * trust[:, None])
        normal += RIDGE * normal[0, 0] * np.eye(len(normal))
        light = np.linalg.solve(normal, rows.T @ (trust * colors[:, channel]))
        shading[:, channel] = harmonics @ light
    return shading


def mean_error(shown: np.ndarray, colors: np.ndarray, trust: np.ndarray) -> float:
    return float((trust[:, None] * np.abs(shown - colors)).sum() / (3 * trust.sum()))
