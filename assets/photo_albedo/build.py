"""Build and register `photo_albedo.npz`: an albedo of the face model learnt from photos.

    python assets/photo_albedo/build.py --data DATA

Fits shape and pose to labelled, nearly frontal, sharp faces of `DATA/aflw_train` and
`DATA/ytf68`, reads colours at visible vertices, divides the shading out and analyses what is
left. Every 40th face of AFLW is kept out and tells how much the modes explain
(benchmarks/models.py). Learnt from data for non-commercial research: the asset says so.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from face_model.unfold import neighbour_mean
from register import DATA, register

from mlanet.datasets import FaceCrops
from mlanet.morphable import MorphableModel
from mlanet.morphable.albedo import ALBEDO_FORMAT
from photo_albedo.components import expectation_maximisation
from photo_albedo.observe import Observations, observe, sharpness

NUM_MODES = 48
NUM_AFLW, NUM_YTF = 1200, 400
HELD_OUT_EVERY = 40
MOST_YAW_DEG = 40.0
TRUSTED_LABELS = 0.6
"""Share of AFLW's labels, those nearest to its hand-marked points, that are used."""

OPENINGS = ("eyes", "mouth")
ROUNDS = 8
LIGHT_ROUNDS = 3
LIGHT_RIDGE = 0.05
CAST_SHARE = (0.75, 0.4, 0.2)
"""Of the variation of photos' skin colours along their three principal directions (brightness,
warmth, green against magenta), how much is taken for skin; the rest is light and camera."""

SHARPENING = 1.5
"""Unsharp masking of the mean: labels' noise of some millimetres has blurred it."""

DRAWN_EYES = 0.7
"""Share of the open model's drawn eyes in the mean: photos look everywhere, and average to grey."""

LEAST_SHADING = 0.35
"""Where the light leaves less, the photo says nothing of the albedo."""


def main() -> None:
    """Observe, divide, analyse, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    model = MorphableModel.load()
    parts = [
        observe(model, arguments.data / name, rows)
        for name, rows in (
            ("aflw_train", sharp_faces(arguments.data / "aflw_train", NUM_AFLW)),
            ("ytf68", sharp_faces(arguments.data / "ytf68", NUM_YTF)),
        )
    ]
    seen = Observations(
        *(np.concatenate([getattr(p, k) for p in parts]) for k in ("colors", "harmonics", "weight"))
    )
    samples, weight = without_light(model, seen)
    samples = without_cast(model, samples, weight)
    samples, weight = symmetric(model, samples, weight)
    print(f"{len(samples)} samples, vertices seen on average {weight.mean():.2f}")
    mean, basis = expectation_maximisation(samples, weight, NUM_MODES, ROUNDS)
    mean, basis = completed(model, mean, basis, weight.sum(axis=0))
    np.savez_compressed(
        DATA / "photo_albedo.npz",
        format=np.array(ALBEDO_FORMAT),
        face_model=np.array(model.name),
        mean=mean.astype(np.float32),
        basis=basis.astype(np.float16),
        names=np.array([f"photo {k}" for k in range(NUM_MODES)]),
    )
    register(
        "photo_albedo",
        "photo_albedo.npz",
        version="1",
        licence=(
            "learnt from crops of AFLW and YouTube Faces, which are for non-commercial research; "
            "see docs/explanation/face-model.md"
        ),
        source=f"{len(samples)} labelled crops of AFLW and YouTube Faces, fitted",
        script="assets/photo_albedo/build.py",
    )
    print(f"{(DATA / 'photo_albedo.npz').stat().st_size / 1e6:.2f} MB")


def sharp_faces(folder: Path, count: int) -> np.ndarray:
    """Rows of the sharpest faces that look ahead: at most three frames of a person."""
    faces = FaceCrops(folder)
    rows = np.arange(len(faces))
    if faces.angles_deg is not None:
        rows = rows[rows % HELD_OUT_EVERY != 0]
        rows = rows[np.abs(faces.angles_deg[rows, 1]) < MOST_YAW_DEG]
        with np.load(folder / "labels.npz") as labels:
            doubt = labels["residual_percent"][rows]
        rows = rows[doubt < np.quantile(doubt, TRUSTED_LABELS)]
    rng = np.random.default_rng(0)
    rows = rng.permutation(rows)[: 4 * count]
    score = np.array([sharpness(faces.decode(row), faces.landmarks_px[row]) for row in rows])
    rows = rows[np.argsort(-score)]
    if faces.identity is not None:
        order, times = [], dict.fromkeys(faces.identity.tolist(), 0)
        for row in rows.tolist():
            person = str(faces.identity[row])
            times[person] += 1
            if times[person] <= 3:
                order.append(row)
        rows = np.array(order)
    return rows[:count]


def without_light(model: MorphableModel, seen: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Colours (n, v, 3) divided by grey shading, and their weights (n, v).

    Light and albedo are told apart by two assumptions: the light of a photo has one colour,
    and it leaves the face's brightness as it is on average. What photos have in common at a
    vertex, whatever their light, is the mean albedo, which is estimated in turns.
    """
    skin = np.maximum.reduce([model.regions["face"], model.regions["nose"]])
    skin = np.where(model.regions["eyes"] + model.regions["mouth"] > 0.5, 0.0, skin)
    grey = seen.colors.mean(axis=-1)
    reference = np.ones(grey.shape[1])
    for _ in range(LIGHT_ROUNDS):
        shading = np.ones_like(grey)
        for k in range(len(grey)):
            trust = seen.weight[k] * skin
            total = np.maximum(trust.sum(), 1e-6)
            own = (trust * grey[k]).sum() / np.maximum((trust * reference).sum(), 1e-6)
            rows = seen.harmonics[k] * (own * reference)[:, None]
            target = grey[k] - own * reference
            rows = rows.astype(np.float64)
            used = trust
            for _ in range(4):
                normal = rows.T @ (rows * used[:, None])
                ridge = LIGHT_RIDGE * normal[0, 0] * np.eye(9)
                light = np.linalg.solve(normal + ridge, rows.T @ (used * target))
                left = np.abs(target - rows @ light)
                used = trust * np.minimum(1.0, 0.05 / np.maximum(left, 1e-6))
            shade = 1.0 + seen.harmonics[k] @ light
            shading[k] = shade / np.maximum((trust * shade).sum() / total, 1e-3)
        divided = grey / np.maximum(shading, LEAST_SHADING)
        level = (divided * seen.weight * skin).sum(1) / np.maximum(
            (seen.weight * skin).sum(1), 1e-6
        )
        trust = seen.weight * (shading > LEAST_SHADING)
        relative = divided / np.maximum(level, 0.05)[:, None]
        reference = (relative * trust).sum(0) / np.maximum(trust.sum(0), 1e-3)
        reference = np.where(trust.sum(0) > 5, reference, 1.0)
        reference = (reference + reference[model.mirror]) / 2
    good = (seen.weight * skin).sum(axis=1) > 0.25 * skin.sum()
    samples = seen.colors / np.maximum(shading, LEAST_SHADING)[..., None]
    return np.clip(samples, 0, 1.2)[good], trust[good]


def without_cast(model: MorphableModel, samples: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Samples (n, v, 3) without most of the colour of their light.

    Skin colours of photos vary along a line of tones; what leaves it is the light's, and of what
    lies along it a share.
    """
    skin = weight * model.regions["face"] * (1 - np.maximum(*map(model.regions.get, OPENINGS)))
    mean = (samples * skin[..., None]).sum(axis=1) / skin.sum(axis=1, keepdims=True)
    logarithm = np.log(np.clip(mean, 0.02, None))
    centre = np.median(logarithm, axis=0)
    _, axes = np.linalg.eigh(np.cov((logarithm - centre).T))
    axes = axes[:, ::-1]
    along = (logarithm - centre) @ axes
    kept = (along * CAST_SHARE) @ axes.T + centre
    return np.clip(samples * np.exp(kept - logarithm)[:, None], 0, 1.2)


def symmetric(
    model: MorphableModel, samples: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each face averaged with its mirror image as far as both sides are seen."""
    other = weight[:, model.mirror]
    total = weight + other
    share = (weight / np.maximum(total, 1e-6))[..., None]
    both = share * samples + (1 - share) * samples[:, model.mirror]
    return both.astype(np.float32), np.minimum(total, 1.0)


def completed(
    model: MorphableModel, mean: np.ndarray, basis: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A sharper mean with irises; plain skin on ears, neck and scalp, which photos rarely show."""
    neighbours = neighbour_mean(model.base_faces, len(mean))
    face = np.maximum.reduce([model.regions[name] for name in ("face", "eyes", "mouth")])
    known = face * np.clip(2 * seen / np.quantile(seen, 0.9) - 0.5, 0, 1)
    known = (known + known[model.mirror]) / 2
    for _ in range(12):  # no visible border
        known = np.minimum(known, neighbours @ known)
    smooth = mean
    for _ in range(8):
        smooth = neighbours @ smooth
    mean = mean + SHARPENING * known[:, None] * (mean - smooth)
    skin = (model.regions["cheeks"] * known)[:, None]
    stacked = np.concatenate([mean[..., None], basis], axis=-1)
    plain = (skin[..., None] * stacked).sum(axis=0) / skin.sum()
    stacked = known[:, None, None] * stacked + (1 - known)[:, None, None] * plain
    mean, basis = stacked[..., 0], stacked[..., 1:]
    eyes = DRAWN_EYES * model.regions["eyes"][:, None]
    mean = mean + eyes * (model.albedo_mean - mean)
    return np.clip(mean, 0.02, 0.98), basis


if __name__ == "__main__":
    main()
