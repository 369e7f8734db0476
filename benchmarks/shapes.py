"""How well shapes are known: by the network on unseen rendered heads, and at best by landmarks.

    python benchmarks/shapes.py [--weights F.onnx] [--albedo photo] [--out F]

Distances are root mean squares over the face (mm) after the best similarity, means over heads. None
of the heads that evaluate mlanet takes part, so that trainings may be compared here.

- `mean_face_mm`, `network_mm`: `--heads` heads as `mlanet synthesize heads` draws them, of a seed
  of their own; by yaw, too.
- `tone_deg`, `tone_median_deg`: mean absolute error of the skin's individual typology angle, the
  network's and that of answering the heads' median.
- `correlation_...`: of predicted and true identity: first mode, mean of the next nineteen.
- `posterior_..._mm`: expected distance of such a head if its 68 landmarks, or all vertices, were
  seen at rest to within a noise (standard deviation, mm, each axis): linear Gaussian posterior
  under the face model's prior; position, turn and size unknown, expressions (landmarks only) with
  a standard deviation of 0.15.
"""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from jaxtyping import Float

from mlanet import Reconstructor
from mlanet.evaluation.aflw2000.groups import SkinTone
from mlanet.evaluation.surfaces.face_shape import FaceComparison
from mlanet.geometry import fit_similarity, matrix_from_euler
from mlanet.image import crop_square, square_from_landmarks
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.synthesis import HeadsConfig, RenderedHeads

SEED, EVERY = 991, 40
"""Of the heads; one of so many vertices is compared."""

YAWS, NOISES_MM = (0.0, 30.0, 60.0, 90.0), (0.5, 1.0, 2.0)
EXPRESSION_SD, WIDE_MM = 0.15, 10.0


def main(
    weights: Path | None = None,
    heads: int = 800,
    albedo: Literal["open", "photo"] = "open",
    out: Path | None = None,
) -> None:
    """Print the figures, and write them."""
    reconstructor = Reconstructor.load(weights=weights)
    model = reconstructor.model
    wearing = AlbedoModel.load().on(model) if albedo == "photo" else model
    figures = network_figures(reconstructor, heads, wearing) | posterior_figures(model)
    for name, value in figures.items():
        print(f"{name:48} {value:.3f}")
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def network_figures(
    reconstructor: Reconstructor, count: int, wearing: MorphableModel
) -> dict[str, float]:
    model, layout = reconstructor.model, reconstructor.model.layout
    mean, basis = face_basis(model)
    drawn = RenderedHeads(wearing, count=count, seed=SEED, config=HeadsConfig(unmetered=0.0))
    true_tone, tone = SkinTone(wearing), SkinTone(model)
    truth, found, yaw, tones = [], [], [], []
    for index in range(count):
        sample = drawn[index]
        crop = crop_square(
            sample.image,
            square_from_landmarks(sample.landmarks_px),
            reconstructor.regressor.config.input_size,
        )
        answer = reconstructor.regressor(crop.image[None])[0]
        answered, true = layout.split(answer), wearing.layout.split(sample.coefficients)
        found.append(answered.identity)
        truth.append(true.identity)
        tones.append((tone(answered), true_tone(true)))
        yaw.append(abs(sample.angles_deg[1]))
    names, angles = ("mean_face", "network"), np.array(yaw)
    apart = {
        name: np.array([distance(mean, basis, *pair) for pair in zip(guess, truth, strict=True)])
        for name, guess in zip(names, (np.zeros_like(truth), found), strict=True)
    }
    figures = {f"{name}_mm": float(values.mean()) for name, values in apart.items()}
    for low, high in ((0, 30), (30, 60), (60, 91)):
        chosen = (angles >= low) & (angles < high)
        figures |= {f"{n}_{low}_{min(high, 90)}_mm": float(apart[n][chosen].mean()) for n in names}
    pairs = np.array(found).T, np.array(truth).T
    related = [np.corrcoef(a, b)[0, 1] for a, b in zip(*pairs, strict=True)]
    guess, right = np.array(tones).T
    return figures | {
        "tone_deg": float(np.abs(guess - right).mean()),
        "tone_median_deg": float(np.abs(np.median(right) - right).mean()),
        "correlation_first": float(related[0]),
        "correlation_next_19": float(np.mean(related[1:20])),
    }


def face_basis(
    model: MorphableModel,
) -> tuple[Float[np.ndarray, "v 3"], Float[np.ndarray, "v 3 i"]]:
    """Some vertices of the compared face at rest, and how identity moves them."""
    chosen = np.unique(FaceComparison(model).faces)[::EVERY]
    rest = np.zeros(model.layout.expression, np.float32)
    units = np.eye(model.layout.identity, dtype=np.float32)
    mean = model.vertices(0.0 * units[0], rest)[chosen].astype(np.float64)
    moved = [model.vertices(unit, rest)[chosen] - mean for unit in units]
    return mean, np.stack(moved, axis=-1)


def distance(mean: np.ndarray, basis: np.ndarray, guess: np.ndarray, truth: np.ndarray) -> float:
    first, second = mean + basis @ guess, mean + basis @ truth
    gap = fit_similarity(first, second).apply(first) - second
    return float(np.sqrt((gap**2).sum(axis=1).mean()))


def posterior_figures(model: MorphableModel) -> dict[str, float]:
    mean, basis = face_basis(model)
    layout = model.layout
    no_one, rest = np.zeros(layout.identity, np.float32), np.zeros(layout.expression, np.float32)
    points = np.asarray(model.landmarks(no_one, rest), dtype=np.float64)
    identity = np.stack(
        [model.landmarks(u, rest) - points for u in np.eye(layout.identity, dtype=np.float32)], -1
    )
    expression = np.stack(
        [model.landmarks(no_one, u) - points for u in np.eye(layout.expression, dtype=np.float32)],
        -1,
    )
    seen = {
        "landmarks": (points, identity, EXPRESSION_SD * expression),
        "vertices": (mean, basis, np.zeros((len(mean), 3, 0))),
    }
    figures = {"prior_mm": remaining(mean, basis, np.eye(layout.identity))}
    for name, (place, moves, nuisance) in seen.items():
        for yaw in YAWS:
            turn = np.asarray(matrix_from_euler(np.radians([0.0, yaw, 0.0])))
            for axes, label in ((2, "xy"), (3, "xyz")):
                moved, other = (
                    np.einsum("ab,vbi->vai", turn, part)[:, :axes].reshape(
                        len(place) * axes, part.shape[-1]
                    )
                    for part in (moves, nuisance)
                )
                free = similarity_moves(place @ turn.T)[:, :axes].reshape(len(moved), -1)
                hidden = np.concatenate([other, WIDE_MM * free], axis=1)
                for noise in NOISES_MM:
                    spread = moved @ moved.T + hidden @ hidden.T
                    spread += noise**2 * np.eye(len(spread))
                    known = moved.T @ np.linalg.solve(spread, moved)
                    left = remaining(mean, basis, np.eye(layout.identity) - known)
                    figures[f"posterior_{name}_{label}_yaw_{yaw:.0f}_noise_{noise:g}_mm"] = left
    return figures


def similarity_moves(points: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3 7"]:
    """How points move with position (mm), turn (of a hundredth) and size (of a hundredth)."""
    centred = (points - points.mean(axis=0)) / 100.0
    moves = [np.broadcast_to(axis, points.shape) for axis in np.eye(3)]
    moves += [np.cross(axis, centred) for axis in np.eye(3)]
    return np.stack([*moves, centred], axis=-1)


def remaining(mean: np.ndarray, basis: np.ndarray, covariance: np.ndarray) -> float:
    """Root of the expected squared distance after the best similarity (linearised)."""
    moves = basis.reshape(-1, basis.shape[-1])
    plane, _ = np.linalg.qr(similarity_moves(mean).reshape(len(moves), -1))
    moves = moves - plane @ (plane.T @ moves)
    return float(np.sqrt(np.trace(moves @ covariance @ moves.T) / len(mean)))


if __name__ == "__main__":
    tyro.cli(main)
