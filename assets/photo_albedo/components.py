"""Robust principal components of incomplete observations."""

import numpy as np

NOISE = 0.04
"""Standard deviation of a colour that the components do not explain."""

TAIL = 3.0
"""Degrees of freedom of Student's t: hair, glasses and hands count less."""


def posterior(
    basis: np.ndarray, residual: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (a,) and covariance (a, a) of unit-normal coefficients.

    Args:
        basis: (v, 3, a).
        residual: (v, 3) observation minus mean.
        weight: (v,) in [0, 1].
    """
    rows = basis.reshape(-1, basis.shape[-1]) / NOISE
    trust = np.repeat(weight, 3)
    precision = rows.T @ (rows * trust[:, None]) + np.eye(rows.shape[1])
    covariance = np.linalg.inv(precision)
    return covariance @ (rows.T @ (trust * residual.reshape(-1) / NOISE)), covariance


def robust(weight: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Weights (v,) by Student's t of the colours' errors (v, 3)."""
    square = (error**2).mean(axis=-1) / NOISE**2
    return weight * (TAIL + 1) / (TAIL + square) * TAIL / (TAIL + 1)


def expectation_maximisation(
    samples: np.ndarray, weight: np.ndarray, count: int, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (v, 3) and basis (v, 3, count) of unit-normal modes of samples (n, v, 3).

    Probabilistic principal components (Tipping and Bishop, 1999) with missing values and
    robust weights; unseen vertices follow the seen ones.
    """
    rng = np.random.default_rng(0)
    n, v = weight.shape
    mean = (samples * weight[..., None]).sum(0) / np.maximum(weight.sum(0), 1e-3)[:, None]
    picks = rng.choice(n, count, replace=False)
    basis = ((samples[picks] - mean) * (weight[picks] > 0)[..., None]).transpose(1, 2, 0)
    basis = basis / np.sqrt(count)
    for _ in range(rounds):
        # Each vertex regresses its colours on (coefficients, 1), with what is uncertain of them.
        moments = np.zeros((v, count + 1, count + 1))
        right = np.zeros((v, 3, count + 1))
        for sample, trust in zip(samples, weight, strict=True):
            used = trust
            for _ in range(2):
                z, covariance = posterior(basis, sample - mean, used)
                used = robust(trust, sample - mean - basis @ z)
            one = np.append(z, 1.0)
            second = np.outer(one, one)
            second[:count, :count] += covariance
            seen = used > 0.02
            moments[seen] += used[seen, None, None] * second
            right[seen] += (used[seen, None] * sample[seen])[..., None] * one
        moments += 2.0 * np.eye(count + 1) * np.append(np.ones(count), 1e-3)
        solution = np.linalg.solve(moments[:, None], right[..., None])[..., 0]
        basis, mean = solution[..., :count], solution[..., count]
    flat = basis.reshape(-1, count)
    _, singular, vt = np.linalg.svd(flat, full_matrices=False)
    return mean, basis @ vt.T[:, np.argsort(-singular)]
