"""How much of held-out photos the photographic albedo explains beyond its mean.

Two sets of photos: `aflw`, every 40th face of AFLW that looks ahead, and `portraits`, the people
who were kept out of the albedo's data. Shape and pose are fitted to labelled or the teacher's
points; the light (nine harmonics in three colours) is fitted once with the mean albedo and once
in turns with the albedo's coefficients. The error is the mean absolute difference of colours at
visible vertices of the face without eyes and mouth.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "assets"))

from photo_albedo.components import posterior
from photo_albedo.observe import Observations, observe
from photo_albedo.portraits import FITTING, Portraits, fit_portraits, located_points

from mlanet.datasets import FaceCrops
from mlanet.fitting import OrthographicView, fit_landmarks
from mlanet.morphable import AlbedoModel, MorphableModel

EVERY = 40
MOST_YAW_DEG = 40.0
ROUNDS = 8
RIDGE = 1e-3


def albedo_figures(model: MorphableModel, data: Path, faces: int) -> dict[str, float]:
    albedo = AlbedoModel.load()
    figures = {}
    for prefix, seen in (
        ("albedo", labelled(model, data / "aflw_train", faces)),
        ("albedo_portraits", portraits(model, data)),
    ):
        mean, fitted = errors(model, albedo, seen)
        figures[f"{prefix}_error_mean"] = mean
        figures[f"{prefix}_error"] = fitted
        figures[f"{prefix}_gain_percent"] = 100 * (1 - fitted / mean)
    return figures


def labelled(model: MorphableModel, folder: Path, faces: int) -> Observations:
    """Faces of AFLW."""
    crops = FaceCrops(folder)
    rows = np.arange(0, len(crops), EVERY)
    rows = rows[np.abs(crops.angles_deg[rows, 1]) < MOST_YAW_DEG][:faces]
    labels = crops.landmarks_px[rows, :, :2].astype(np.float64)
    fit = fit_landmarks(model.landmarks, OrthographicView(), labels, None, FITTING)
    return observe(model, (crops.decode(row) for row in rows.tolist()), fit)


def portraits(model: MorphableModel, data: Path) -> Observations:
    """Portraits of people who were kept out."""
    london, house = (Portraits.read(data, source) for source in ("london", "us_house"))
    points = located_points(model, london.only(london.neutral & ~london.held_out))
    seen = [
        observe(model, kept.images(), fit_portraits(points, kept))
        for kept in (source.only(source.held_out) for source in (london, house))
    ]
    return Observations(*map(np.concatenate, zip(*map(vars_of, seen), strict=True)))


def vars_of(seen: Observations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return seen.colors, seen.harmonics, seen.weight


def errors(model: MorphableModel, albedo: AlbedoModel, seen: Observations) -> tuple[float, float]:
    """With the mean albedo, and with the coefficients of each face."""
    skin = (model.regions["face"] > 0.5) & (model.regions["eyes"] < 0.5)
    skin &= model.regions["mouth"] < 0.5
    pairs = []
    for colors, harmonics, weight in zip(seen.colors, seen.harmonics, seen.weight, strict=True):
        trust = weight * skin
        if trust.sum() < 100:
            continue
        z = np.zeros(albedo.basis.shape[-1])
        light = fitted_light(albedo.mean, colors, harmonics, trust)
        before = mean_error(albedo.mean * light, colors, trust)
        for _ in range(ROUNDS):
            # The lit albedo is linear in the coefficients.
            lit, rest = albedo.basis * light[..., None], colors - albedo.mean * light
            z = posterior(lit, rest[None], trust[None])[0][0]
            shown = albedo.mean + albedo.basis @ z
            light = fitted_light(shown, colors, harmonics, trust)
        pairs.append((before, mean_error(shown * light, colors, trust)))
    mean, fitted = np.mean(pairs, axis=0)
    return float(mean), float(fitted)


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
