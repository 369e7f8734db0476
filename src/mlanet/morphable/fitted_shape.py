"""Coefficients from the vertices of a mesh."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.geometry import Similarity, fit_similarity
from mlanet.morphable.least_squares import bounded_ridge, ridge
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
    prior = np.full(count, FIT_PRIOR_MM2)
    bounds = np.full(count, -np.inf), np.full(count, np.inf)
    bounds[0][split:], bounds[1][split:] = 0.0, 1.0
    found = np.zeros(count)
    motion = fit_similarity(mean, vertices)
    for _ in range(FIT_STEPS):
        rest = motion.undo(vertices) - mean
        found = (
            bounded_ridge(modes, rest, weight, prior, bounds)
            if bounded
            else ridge(modes, rest, weight, prior)
        )
        motion = fit_similarity(mean + modes @ found, vertices)
    apart = motion.apply(mean + modes @ found) - vertices
    return FittedShape(
        found[:split].astype(np.float32),
        found[split:].astype(np.float32),
        motion,
        float(np.sqrt((apart**2).sum(axis=1).mean())),
    )
