"""Gaussian least squares, with bounds or without: every fit of coefficients ends here.

Fits to landmarks have fewer rows than unknowns and come in batches: they take one `bounded_step`
after each linearisation. Fits to vertices have far more rows: these are summed up first.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

MAX_STEPS = 50
"""Of the active set in `bounded_ridge`; a few are usual."""


def ridge(
    rows: Float[np.ndarray, "n 3 k"],
    rest: Float[np.ndarray, "n 3"],
    weight: Float[np.ndarray, "n"],
    prior: Float[np.ndarray, "k"],
) -> Float[np.ndarray, "k"]:
    """Coefficients that minimise weighted squared distances plus `prior` times their squares."""
    normal, right = _summed(rows, rest, weight)
    return np.linalg.solve(normal + np.diag(prior), right)


def bounded_ridge(
    rows: Float[np.ndarray, "n 3 k"],
    rest: Float[np.ndarray, "n 3"],
    weight: Float[np.ndarray, "n"],
    prior: Float[np.ndarray, "k"],
    bounds: tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]],
) -> Float[np.ndarray, "k"]:
    """`ridge` with coefficients between bounds; `prior` must be positive."""
    normal, right = _summed(rows, rest, weight)
    # The same minimum with as many rows as unknowns. Half of the prior makes the root exist.
    root = np.linalg.cholesky(normal + np.diag(prior / 2.0))
    target, sd = np.linalg.solve(root, right), np.sqrt(2.0 / prior)[None]
    found = Bounded(np.zeros_like(sd), np.zeros(sd.shape, dtype=bool))
    for _ in range(MAX_STEPS):
        before = found.fixed
        found = bounded_step(
            root.T[None], target[None], np.zeros_like(sd), sd, bounds, before, found.solution
        )
        if np.array_equal(found.fixed, before):
            break
    return found.solution[0]


class Bounded(NamedTuple):
    """Solutions and which unknowns lie fixed on a bound."""

    solution: Float[np.ndarray, "b k"]
    fixed: Bool[np.ndarray, "b k"]


def bounded_step(
    rows: Float[np.ndarray, "b m k"],
    target: Float[np.ndarray, "b m"],
    mean: Float[np.ndarray, "b k"],
    sd: Float[np.ndarray, "b k"],
    bounds: tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]],
    fixed: Bool[np.ndarray, "b k"],
    current: Float[np.ndarray, "b k"],
) -> Bounded:
    """Minimise |rows·c − target|² + |(c − mean)/sd|² with the `fixed` unknowns at `current`.

    Rows have unit noise. What then violates a bound is put on it and fixed; what is fixed but
    pulled inside is released for the next step. Repeated steps reach the bounded optimum
    (a projected Newton method; Bertsekas, 1982). Solved in the rows' space (m × m), because
    there are fewer rows than unknowns.
    """
    low, high = bounds
    free_sd = np.where(fixed, 0.0, sd)
    start = np.where(fixed, current, mean)
    scaled = rows * free_sd[:, None]
    system = scaled @ scaled.transpose(0, 2, 1)  # of one array with itself: half the work
    system[:, range(rows.shape[1]), range(rows.shape[1])] += 1.0
    residual = target - (rows @ start[..., None])[..., 0]
    dual = np.linalg.solve(system, residual[..., None])
    solution = start + free_sd * (scaled.transpose(0, 2, 1) @ dual)[..., 0]
    # The dual is the residual of the solution: its pull on every unknown, fixed ones included.
    pull = (rows.transpose(0, 2, 1) @ dual)[..., 0] - (solution - mean) / (sd * sd)
    inward = ((solution <= low) & (pull > 0)) | ((solution >= high) & (pull < 0))
    outside = (solution < low) | (solution > high)
    return Bounded(np.clip(solution, low, high), outside | (fixed & ~inward))


def _summed(
    rows: Float[np.ndarray, "n 3 k"], rest: Float[np.ndarray, "n 3"], weight: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "k k"], Float[np.ndarray, "k"]]:
    """Matrix and right side of the weighted normal equations."""
    root = np.sqrt(weight)[:, None]
    scaled = (rows * root[..., None]).reshape(-1, rows.shape[-1])
    return scaled.T @ scaled, scaled.T @ (rest * root).reshape(-1)
