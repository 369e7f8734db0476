"""Stage 2 of the embedded face model: what labelled faces say of its coefficients.

    python assets/face_model/people.py --heads runs/face_model/heads.npz --data DATA

Fits the synthetic modes to the labelled landmarks of `DATA/aflw_train` and `DATA/ytf68` and
writes statistics beside this script, `people.npz`: mean and covariance of the identity
coefficients, and where the 68 landmarks lie on the surface. No picture and no single label is in
it. Half of AFLW's faces, those of even position, are never looked at.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from face_model.surface import MIRRORED, LandmarkPlaces, nearest_places, outside_faces
from face_model.synthetic import FOLDER, SyntheticModel, build_synthetic
from mlanet.fitting import FittingConfig, LandmarkFit, OrthographicView, fit_landmarks
from mlanet.morphable import LinearShape

NUM_AFLW, NUM_YTF = 3000, 600
ROUNDS = 4
CONFIG = FittingConfig(noise=0.01, depth_weight=1e-4, steps=6)
"""One per cent of noise; labelled depths, which a face model guessed, count a quarter."""

SYNTHETIC_SHARE = 0.5
"""Of the covariance: labels come from a model of 50 dimensions and cannot vouch for the rest."""

LIPS_APART_MM = (0.05, 0.3)
"""Standard deviations by which the mean and an identity may part the lips: the mouth is opened by
expressions. Tighter ties would take the lips' shapes from identity."""

JAW_WEIGHT_2D = 0.05
"""Points 0-16 of labels without depth follow the visible contour instead of the surface."""

POSE_SD = np.array([0.5, 0.5, 0.5, 50.0, 50.0, 0.5, 50.0])
MOVE = 0.8
"""Share of the median disagreement by which landmarks move in a round."""

FRONTAL_SINE = 0.35
"""Offsets are medians over faces turned by less than this in yaw and pitch."""

START_OFFSET_MM = np.zeros((68, 3))
START_OFFSET_MM[31:36, 1] = 2.5
"""The base of the nose begins at the nostrils' rim; jaw points begin where they were."""

INNER_LIPS = slice(60, 68)
"""They move along the rims only: labels of mouths that are open on average say nothing of the
rest."""

FOLLOWED = slice(17, 60)
"""The mean follows these. Along the jaw it would crease before the ears, where labels are vague."""

MEAN_NOISE_MM = 0.5
"""Of median disagreements, where the mean follows what landmarks cannot do on the surface."""

TABLE = FOLDER / "people.npz"


@dataclass(frozen=True)
class Labels:
    """Landmarks (n, 68, 2 or 3) in pixels and their weights (n, 68)."""

    points: np.ndarray
    weight: np.ndarray
    rotation: np.ndarray | None


def main() -> None:
    """Alternate statistics and landmark places, write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    synthetic = build_synthetic(np.load(arguments.heads))
    with_depth, without = read_labels(arguments.data)
    count = synthetic.identity.shape[-1]
    mean, synthetic_covariance = with_closed_lips(synthetic, np.zeros(count), np.eye(count))
    covariance = synthetic_covariance
    places = moved(synthetic, synthetic.landmarks, mean, START_OFFSET_MM)
    for round_ in range(ROUNDS):
        factor = np.linalg.cholesky(covariance)
        points = landmark_model(synthetic, places, mean, factor)
        fits = [
            (part, fit_landmarks(points, OrthographicView(), part.points, part.weight, CONFIG))
            for part in (with_depth, without)
        ]
        first, second = moments(points, fits)
        mean = (mean + factor @ first) * (synthetic.identity_sign > 0)
        covariance = factor @ second @ factor.T
        same = np.equal.outer(synthetic.identity_sign, synthetic.identity_sign)
        covariance = np.where(same, (covariance + covariance.T) / 2, 0.0)
        covariance += SYNTHETIC_SHARE * (synthetic_covariance - covariance)
        mean, covariance = with_closed_lips(synthetic, mean, covariance)
        offsets = landmark_offsets(*fits[0])
        error = 100 * point_errors(*fits[0])
        before = synthetic.mean + synthetic.identity @ mean
        wanted = places.on(before, synthetic.topology.faces) + MOVE * offsets
        places = moved(synthetic, places, mean, MOVE * offsets)
        lack = wanted - places.on(before, synthetic.topology.faces)
        mean = followed(synthetic, places, mean, covariance, lack)
        print(
            f"round {round_}: fitted {np.median(error):.3f} %, offsets "
            f"{np.linalg.norm(offsets, axis=1).mean():.2f} mm, largest "
            f"{np.linalg.norm(offsets, axis=1).max():.2f} mm, standard deviation of modes "
            f"{np.sqrt(np.diag(covariance)).min():.2f} to {np.sqrt(np.diag(covariance)).max():.2f}",
            flush=True,
        )
    np.savez_compressed(
        TABLE,
        mean=mean.astype(np.float32),
        covariance=covariance.astype(np.float32),
        landmark_faces=places.faces.astype(np.int32),
        landmark_barycentric=places.weights.astype(np.float32),
    )


def read_labels(data: Path) -> tuple[Labels, Labels]:
    """Faces of AFLW of odd position (the others are kept for measuring), frames of YouTube."""
    rng = np.random.default_rng(0)
    with np.load(data / "aflw_train" / "labels.npz") as file:
        rows = rng.choice(np.arange(1, len(file["pts68_px"]), 2), NUM_AFLW, replace=False)
        points, rotation = file["pts68_px"][rows].astype(float), file["rotation"][rows]
    with np.load(data / "ytf68" / "labels.npz") as file:
        rows = rng.choice(len(file["pts68_px"]), NUM_YTF, replace=False)
        frames = file["pts68_px"][rows].astype(float)
    weight = np.ones(frames.shape[:2])
    weight[:, :17] = JAW_WEIGHT_2D
    return Labels(points, np.ones(points.shape[:2]), rotation), Labels(frames, weight, None)


def with_closed_lips(
    synthetic: SyntheticModel, mean: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussian of identity coefficients given that upper and lower lip stay together.

    Without it identity learns to open the mouth from people who smile or speak.
    """
    upper, lower = synthetic.topology.lip_pairs.T
    apart = (synthetic.identity[upper] - synthetic.identity[lower]).reshape(-1, len(mean))
    at_mean, at_spread = (
        np.linalg.solve(
            apart @ covariance @ apart.T + tie**2 * np.eye(len(apart)), apart @ covariance
        ).T
        for tie in LIPS_APART_MM
    )
    covariance = covariance - at_spread @ apart @ covariance
    covariance = (covariance + covariance.T) / 2 + 1e-6 * np.eye(len(mean))
    return mean - at_mean @ (apart @ mean), covariance


def landmark_model(
    synthetic: SyntheticModel, places: LandmarkPlaces, mean: np.ndarray, factor: np.ndarray
) -> LinearShape:
    """The landmarks with identity coefficients whitened by mean and Cholesky factor."""
    shape = LinearShape(
        synthetic.mean + synthetic.identity @ mean,
        synthetic.identity @ factor,
        synthetic.expression,
    )
    return shape.at(synthetic.topology.faces[places.faces], places.weights)


def moments(
    points: LinearShape, fits: list[tuple[Labels, LandmarkFit]]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of identity: the M step of expectation maximisation.

    Each fit is the mode of its posterior; the posterior's spread, linearised there, belongs to
    the covariance: what labels do not see keeps the prior's variance.
    """
    total = np.concatenate([fit.identity for _, fit in fits])
    mean = total.mean(axis=0)
    spread = sum(posterior_spread(points, labels, fit) for labels, fit in fits) / len(total)
    centred = total - mean
    return mean, centred.T @ centred / len(total) + spread


def posterior_spread(points: LinearShape, labels: Labels, fit: LandmarkFit) -> np.ndarray:
    """Sum over faces of the posterior covariance (i, i) of identity."""
    basis = np.concatenate([points.identity, points.expression], axis=-1)
    count, columns = points.identity.shape[-1], labels.points.shape[2]
    sd = np.repeat([1.0, CONFIG.expression_sd], [count, points.expression.shape[-1]])
    total = np.zeros((count, count))
    for start in range(0, len(fit.identity), 50):
        part = slice(start, start + 50)
        shape = points(fit.identity[part], fit.expression[part])
        view = OrthographicView().project(fit.rotation[part], fit.place[part], shape)
        extent = np.ptp(labels.points[part, :, :2], axis=1)
        noise = CONFIG.noise * np.sqrt(extent.prod(axis=1))
        kinds = np.array([1.0, 1.0, np.sqrt(CONFIG.depth_weight)])[:columns]
        trust = np.sqrt(labels.weight[part])[..., None] * kinds / noise[:, None, None]
        rows = np.concatenate(
            [view.by_pose * POSE_SD, np.einsum("bndx,nxk->bndk", view.by_point, basis) * sd],
            axis=-1,
        )[:, :, :columns]
        rows = (rows * trust[..., None]).reshape(len(shape), -1, rows.shape[-1])
        held = (fit.expression[part] <= 0) | (fit.expression[part] >= 1)
        rows[..., len(POSE_SD) + count :] *= ~held[:, None]
        system = rows @ rows.transpose(0, 2, 1) + np.eye(rows.shape[1])
        identity = rows[..., len(POSE_SD) : len(POSE_SD) + count]
        explained = identity.transpose(0, 2, 1) @ np.linalg.solve(system, identity)
        total += len(shape) * np.eye(count) - explained.sum(axis=0)
    return total


def point_errors(labels: Labels, fit: LandmarkFit) -> np.ndarray:
    """Mean distance of the points of each face over the size of its labels' box."""
    extent = np.ptp(labels.points[..., :2], axis=1)
    apart = np.linalg.norm(labels.points[..., :2] - fit.landmarks_px[..., :2], axis=-1)
    return apart.mean(axis=1) / np.sqrt(extent.prod(axis=1))


def landmark_offsets(labels: Labels, fit: LandmarkFit) -> np.ndarray:
    """Median disagreement (68, 3), mm of the model frame, of labels that face the camera."""
    towards = fit.rotation[:, 2]
    frontal = (np.abs(towards[:, :2]) < FRONTAL_SINE).all(axis=1)
    apart = labels.points[frontal] - fit.landmarks_px[frontal]
    apart *= [1.0, 1.0, -np.sqrt(CONFIG.depth_weight)]
    turned = apart @ fit.rotation[frontal] / np.exp(fit.place[frontal, 2])[:, None, None]
    offsets = np.median(turned, axis=0)
    offsets[INNER_LIPS, 1:] = 0.0
    return offsets


def followed(
    synthetic: SyntheticModel,
    places: LandmarkPlaces,
    mean: np.ndarray,
    covariance: np.ndarray,
    lack: np.ndarray,
) -> np.ndarray:
    """The likeliest mean whose landmarks lie `lack` (68, 3) mm farther.

    What a landmark cannot do on the surface is left to the mean. Expectation maximisation would
    get there slowly: one face says little, the median of a thousand faces a lot.
    """
    basis = landmark_model(synthetic, places, mean, np.eye(len(mean))).identity
    rows = basis[FOLLOWED].reshape(-1, len(mean))
    right = ((lack + lack[MIRRORED] * [-1.0, 1.0, 1.0]) / 2)[FOLLOWED]
    upper, lower = synthetic.topology.lip_pairs.T
    apart = (synthetic.identity[upper] - synthetic.identity[lower]).reshape(-1, len(mean))
    rows = np.concatenate([rows / MEAN_NOISE_MM, apart / LIPS_APART_MM[0]])
    right = np.concatenate([right.ravel() / MEAN_NOISE_MM, np.zeros(len(apart))])
    gain = np.linalg.solve(rows @ covariance @ rows.T + np.eye(len(rows)), right)
    return (mean + covariance @ (rows.T @ gain)) * (synthetic.identity_sign > 0)


def moved(
    synthetic: SyntheticModel, places: LandmarkPlaces, mean: np.ndarray, offsets: np.ndarray
) -> LandmarkPlaces:
    """Landmarks moved by offsets (68, 3) and put back on the surface, symmetrically."""
    surface = synthetic.mean + synthetic.identity @ mean
    points = places.on(surface, synthetic.topology.faces) + offsets
    names = synthetic.expression_names
    motions = np.stack(
        [
            synthetic.expression[:, 1, [names.index(name) for name in group]].sum(axis=1)
            for group in (["jawOpen"], ["eyeBlinkLeft", "eyeBlinkRight"])
        ],
        axis=1,
    )
    faces, mirror = synthetic.topology.faces, synthetic.topology.mirror
    allowed = outside_faces(surface, faces) & ~synthetic.membrane[faces].any(axis=1)
    return nearest_places(surface, motions, faces, allowed, mirror, points, places)


if __name__ == "__main__":
    main()
