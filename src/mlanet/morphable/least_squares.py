"""Coefficients from points by regularised least squares."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.geometry import Similarity, fit_similarity
from mlanet.morphable.linear import LinearShape

FIT_STEPS = 5
FIT_PRIOR_MM2 = 10.0
"""Weight of a coefficient's square beside a thousand squared millimetres.

With it, unit-normal heads of either model get coefficients of about unit size in the other.
"""


@dataclass(frozen=True, slots=True)
class FittedShape:
    """Coefficients of a model whose mesh comes closest to given vertices.

    Attributes:
        identity: in the model's units, see `MorphableModel`.
        expression: within [0, 1] where the model's expressions are blend shapes.
        motion: from the model's frame to that of the vertices.
        error_mm: root mean square distance of corresponding points, after the fit.
    """

    identity: Float[np.ndarray, "i"]
    expression: Float[np.ndarray, "e"]
    motion: Similarity
    error_mm: float


def fit_shape(
    shape: LinearShape, vertices: Float[np.ndarray, "n 3"], *, bounded: bool
) -> FittedShape:
    """Coefficients whose points come closest to given ones, by regularised least squares.

    Args:
        shape: the model of the points.
        vertices: where they should be, mm, in any frame and of any size.
        bounded: expressions are weights in [0, 1], else unit normal.
    """
    mean = np.asarray(shape.mean, dtype=np.float64)
    modes = np.concatenate([shape.identity, shape.expression], axis=-1).astype(np.float64)
    split, count = shape.identity.shape[-1], modes.shape[-1]
    weight = np.full(len(mean), 1000.0 / len(mean))
    found = np.zeros(count)
    motion = fit_similarity(mean, vertices)
    for _ in range(FIT_STEPS):
        found = _bounded_ridge(
            modes, motion.undo(vertices) - mean, weight, split if bounded else count
        )
        motion = fit_similarity(mean + modes @ found, vertices)
    apart = motion.apply(mean + modes @ found) - vertices
    return FittedShape(
        found[:split].astype(np.float32),
        found[split:].astype(np.float32),
        motion,
        float(np.sqrt((apart**2).sum(axis=1).mean())),
    )


def ridge(
    rows: Float[np.ndarray, "n 3 k"],
    rest: Float[np.ndarray, "n 3"],
    weight: Float[np.ndarray, "n"],
    prior: Float[np.ndarray, "k"],
) -> Float[np.ndarray, "k"]:
    """Coefficients that minimise weighted squared distances plus `prior` times their squares."""
    count = rows.shape[-1]
    scaled = (rows * np.sqrt(weight)[:, None, None]).reshape(-1, count)
    right = (rest * np.sqrt(weight)[:, None]).reshape(-1)
    return np.linalg.solve(scaled.T @ scaled + np.diag(prior), scaled.T @ right)


def _bounded_ridge(
    modes: Float[np.ndarray, "n 3 k"],
    rest: Float[np.ndarray, "n 3"],
    weight: Float[np.ndarray, "n"],
    free: int,
) -> Float[np.ndarray, "k"]:
    """`ridge`, in which the modes from `free` on stay within [0, 1]."""
    count = modes.shape[-1]
    prior = np.full(count, FIT_PRIOR_MM2)
    if free == count:
        return ridge(modes, rest, weight, prior)
    from scipy.optimize import lsq_linear

    scaled = (modes * np.sqrt(weight)[:, None, None]).reshape(-1, count)
    right = (rest * np.sqrt(weight)[:, None]).reshape(-1)
    normal = scaled.T @ scaled + np.diag(prior)
    root = np.linalg.cholesky(normal)
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    low[free:], high[free:] = 0.0, 1.0
    # The same minimum with as many rows as modes: |root.T x - root^-1 scaled.T right|.
    goal = np.linalg.solve(root, scaled.T @ right)
    return lsq_linear(root.T, goal, bounds=(low, high)).x
