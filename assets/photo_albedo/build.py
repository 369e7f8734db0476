"""Build and register `photo_albedo.npz`: an albedo of the face model learnt from free portraits.

    python assets/photo_albedo/build.py --data DATA

Places the face model in the portraits of the Face Research Lab London Set and of members of the
US House by a teacher's points, reads the skin's colours, divides the light out and analyses what is
left. Every tenth of the people is kept out and tells how much the modes explain
(benchmarks/models.py).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from face_model.unfold import neighbour_mean
from register import DATA, register

from mlanet.evaluation.aflw2000.groups import typology_angle_deg
from mlanet.files import atomic_path
from mlanet.morphable import LinearShape, MorphableModel, load_model
from mlanet.morphable.albedo import ALBEDO_FORMAT
from photo_albedo.components import agreement, expectation_maximisation
from photo_albedo.light import (
    Samples,
    near_border,
    skin_colors,
    skin_mask,
    symmetric,
    without_cast,
    without_hair,
    without_light,
)
from photo_albedo.observe import Observations, observe, smoothness
from photo_albedo.portraits import Portraits, fit_portraits, located_points

NUM_MODES = 48
ROUNDS = 8
STUDIO_COUNTS = 1.5
"""Pictures of the London set, of one light and camera, count as so many others."""

MOST_YAW_DEG = 30.0
LEAST_SEEN = 0.3
"""Share of the face's skin that a portrait must show."""

LEFT_OUT = 0.1
"""Share of the House's portraits, those which the London set's modes explain worst."""

DOUBT = 0.12
"""Error of a colour by which trust in the House's portraits falls (three quarters are left)."""

TONE_WIDTH_DEG = 12.0
MOST_IMPORTANT = 4.0
TONE_EXPONENT = 0.25
"""Samples of rare skin tones count more: by the density of tones (individual typology angles) to
minus this power, at most so many times the commonest's."""

SHARPENING = 0.5
"""Unsharp masking of the mean."""

CONFIDENT = 8.0
"""Samples that a vertex needs to be known, in the balance with its neighbours' smoothness."""

FEWEST = 3.0
"""A vertex is fully the face's where photos show it at least 1.5 / FEWEST as often as most."""

BORDER_STEPS = 4
"""Rings of vertices over which the face goes over into plain skin."""


def main() -> None:
    """Observe, divide, analyse, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    model = load_model()
    london, house = (kept(arguments.data, source) for source in ("london", "us_house"))
    points = located_points(model, london.only(london.neutral))
    studio, others = (observed(model, points, source) for source in (london, house))
    samples, importance = prepared(model, studio, others)
    weight = samples.weight
    print(f"{len(weight)} samples, vertices seen {weight.sum(0).mean():.0f} times on average")
    mean, basis = expectation_maximisation(samples.colors, weight, importance, NUM_MODES, ROUNDS)
    mean, basis = completed(model, mean, basis, weight.sum(axis=0))
    write(model, mean, basis, len(weight))


def kept(data: Path, source: str) -> Portraits:
    """Portraits of the people who are not held out."""
    portraits = Portraits.read(data, source)
    return portraits.only(np.flatnonzero(~portraits.held_out))


def observed(model: MorphableModel, points: LinearShape, portraits: Portraits) -> Observations:
    """Colours of portraits that look ahead and show enough skin."""
    fit = fit_portraits(points, portraits)
    seen = observe(model, portraits.images(), fit)
    yaw_deg = np.degrees(np.arcsin(np.clip(fit.rotation[:, 0, 2], -1, 1)))
    skin = skin_mask(model)
    good = (np.abs(yaw_deg) < MOST_YAW_DEG) & (seen.weight @ skin > LEAST_SEEN * skin.sum())
    return Observations(seen.colors[good], seen.harmonics[good], seen.weight[good])


def prepared(
    model: MorphableModel, studio: Observations, others: Observations
) -> tuple[Samples, np.ndarray]:
    """Albedos of both sources and how much each counts."""
    lit, plain = (without_hair(model, without_light(model, seen)) for seen in (studio, others))
    plain, lit = (symmetric(model, part) for part in without_cast(model, plain, lit))
    mean, basis = expectation_maximisation(
        lit.colors, lit.weight, tone_importance(model, lit), NUM_MODES, ROUNDS
    )
    agreed = agreement(mean, basis, plain.colors, plain.weight, DOUBT)
    trust = plain.weight * agreed
    face = model.regions["face"]
    score = trust @ face / np.maximum(plain.weight @ face, 1e-6)
    good = score > np.quantile(score, LEFT_OUT)
    samples = Samples(
        np.concatenate([lit.colors, plain.colors[good]]),
        np.concatenate([lit.weight, trust[good]]),
    )
    counts = np.repeat([STUDIO_COUNTS, 1.0], [len(lit.weight), good.sum()])
    return samples, counts * tone_importance(model, samples)


def tone_importance(model: MorphableModel, samples: Samples) -> np.ndarray:
    """(n,) how much samples count for their skin's tone, 1 on average."""
    angles = np.array([typology_angle_deg(color) for color in skin_colors(model, samples)])
    density = np.exp(-0.5 * ((angles[:, None] - angles) / TONE_WIDTH_DEG) ** 2).sum(axis=1)
    importance = np.minimum(density.max() / density, MOST_IMPORTANT) ** TONE_EXPONENT
    return importance / importance.mean()


def completed(
    model: MorphableModel, mean: np.ndarray, basis: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A sharper mean; plain skin on ears, neck and scalp; eyes and mouth as they are drawn."""
    sure = np.minimum(seen / CONFIDENT, 1.0) ** 2
    system = sparse.diags(sure) + 0.01 * smoothness(model) + 1e-9 * sparse.identity(len(sure))
    stacked = np.concatenate([mean[..., None], basis], axis=-1).reshape(len(mean), -1)
    filled = splu(system.tocsc()).solve(sure[:, None] * stacked)
    filled = filled.reshape(len(mean), 3, -1)
    known = face_share(model, seen)[:, None, None]
    neighbours = neighbour_mean(model.base_faces, len(mean))
    smooth = neighbours @ (neighbours @ filled[..., 0])
    filled[..., 0] += SHARPENING * (filled[..., 0] - smooth)
    skin = skin_mask(model) * (1 - model.regions["beard"]) * near_border(model)
    skin = (skin * known[:, 0, 0])[:, None, None]
    plain = (skin * filled).sum(axis=0) / skin.sum()
    filled = known * filled + (1 - known) * plain
    drawn = drawn_share(model)[:, None]
    mean = (1 - drawn) * filled[..., 0] + drawn * model.albedo_mean
    return np.clip(mean, 0.02, 0.98), (1 - drawn[..., None]) * filled[..., 1:]


def face_share(model: MorphableModel, seen: np.ndarray) -> np.ndarray:
    """(v,) 1 on the face as far as photos show it, falling to 0 at its border."""
    features = np.maximum.reduce([model.regions[k] for k in ("eyes", "mouth", "lips", "nose")])
    shown = np.clip(FEWEST * seen / np.quantile(seen, 0.9) - 0.5, 0, 1)
    known = np.maximum(model.regions["face"] * shown, features)
    known = (known + known[model.mirror]) / 2
    neighbours = neighbour_mean(model.base_faces, len(known))
    for _ in range(BORDER_STEPS):
        known = np.maximum(np.minimum(known, neighbours @ known), features)
    return known


def drawn_share(model: MorphableModel) -> np.ndarray:
    """(v,) 1 on eyeballs, teeth, tongue and inside the mouth."""
    skin = model.vertex_parts == model.part_names.index("skin")
    inside = model.regions["mouth"] * (1 - model.regions["face"])
    return np.where(skin, inside, 1.0)


def write(model: MorphableModel, mean: np.ndarray, basis: np.ndarray, count: int) -> None:
    """The asset and its record."""
    path = DATA / "photo_albedo.npz"
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            format=np.array(ALBEDO_FORMAT),
            face_model=np.array(model.name),
            mean=mean.astype(np.float32),
            basis=basis.astype(np.float16),
            names=np.array([f"photo {k}" for k in range(NUM_MODES)]),
        )
    register(
        "photo_albedo",
        path.name,
        version="6",
        licence=(
            "CC-BY-4.0 (statistics of the Face Research Lab London Set) AND public domain "
            "(portraits of members of the US House); see NOTICE"
        ),
        source=(
            f"{count} portraits: Face Research Lab London Set (DeBruine & Jones 2017, "
            "https://doi.org/10.6084/m9.figshare.5047666) and official portraits of members of "
            "the US House (works of the US government); placed by points of MediaPipe's Face "
            "Landmarker"
        ),
        script="assets/photo_albedo/build.py",
    )
    print(f"{path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
