"""Gaussian least squares with bounds, one active-set step at a time, for batches."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float


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
