"""Robust principal components of incomplete observations."""

import numpy as np

NOISE = 0.04
"""Standard deviation of a colour that the components do not explain."""

TAIL = 3.0
"""Degrees of freedom of Student's t: hair, glasses and hands count less."""

BATCH = 200
RIDGE = 2.0
"""Observations' worth of a prior that draws modes to zero where little is seen."""


def posterior(
    basis: np.ndarray, residual: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means (b, a) and covariances (b, a, a) of unit-normal coefficients.

    Args:
        basis: (v, 3, a).
        residual: (b, v, 3) observation minus mean.
        weight: (b, v) in [0, 1].
    """
    count = basis.shape[-1]
    scaled = basis / NOISE
    squares = np.matmul(scaled.transpose(0, 2, 1), scaled).reshape(len(basis), -1)
    precision = (weight @ squares).reshape(-1, count, count) + np.eye(count)
    right = (weight[..., None] * residual / NOISE).reshape(len(weight), -1)
    covariance = np.linalg.inv(precision)
    right = right @ scaled.reshape(-1, count)
    return (covariance @ right[..., None])[..., 0], covariance


def robust(weight: np.ndarray, error: np.ndarray, noise: float = NOISE) -> np.ndarray:
    """Weights (b, v) by Student's t of the colours' errors (b, v, 3)."""
    return weight * TAIL / (TAIL + (error**2).mean(axis=-1) / noise**2)


def agreement(
    mean: np.ndarray, basis: np.ndarray, samples: np.ndarray, weight: np.ndarray, noise: float
) -> np.ndarray:
    """(n, v) how well modes explain samples: 1 without error, Student's t's weights."""
    parts = []
    for start in range(0, len(samples), BATCH):
        residual, trust = samples[start : start + BATCH] - mean, weight[start : start + BATCH]
        z, _ = posterior(basis, residual, trust)
        shown = (z @ basis.reshape(-1, basis.shape[-1]).T).reshape(residual.shape)
        parts.append(robust(np.ones_like(trust), residual - shown, noise))
    return np.concatenate(parts)


def expectation_maximisation(
    samples: np.ndarray, weight: np.ndarray, importance: np.ndarray, count: int, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (v, 3) and basis (v, 3, count) of unit-normal modes of samples (n, v, 3).

    Probabilistic principal components (Tipping and Bishop, 1999) with missing values and
    robust weights. A sample of importance (n,) 2 counts as if there were two of it.
    """
    rng = np.random.default_rng(0)
    n, v = weight.shape
    counted = weight * importance[:, None]
    mean = (samples * counted[..., None]).sum(0) / np.maximum(counted.sum(0), 1e-3)[:, None]
    picks = rng.choice(n, count, replace=False)
    basis = ((samples[picks] - mean) * (weight[picks] > 0)[..., None]).transpose(1, 2, 0)
    basis = (basis / np.sqrt(count)).astype(np.float32)
    size = count + 1
    prior = RIDGE * np.diag(np.append(np.ones(count), 1e-3))
    for _ in range(rounds):
        # Each vertex regresses its colours on (coefficients, 1), with what is uncertain of them.
        moments, right = np.zeros((v, size * size)), np.zeros((v, 3, size))
        for start in range(0, n, BATCH):
            sample, trust = samples[start : start + BATCH], weight[start : start + BATCH]
            used = trust
            for _ in range(2):
                z, covariance = posterior(basis, sample - mean, used)
                shown = (z @ basis.reshape(-1, count).T).reshape(sample.shape)
                used = robust(trust, sample - mean - shown)
            one = np.column_stack([z, np.ones(len(z))])
            second = one[:, :, None] * one[:, None]
            second[:, :count, :count] += covariance
            used = used * importance[start : start + BATCH, None]
            moments += used.T @ second.reshape(len(z), -1)
            seen = (used[..., None] * sample).reshape(len(z), -1)
            right += (seen.T @ one).reshape(v, 3, size)
        system = moments.reshape(v, 1, size, size) + prior
        solution = np.linalg.solve(system, right[..., None])[..., 0]
        basis, mean = solution[..., :count].astype(np.float32), solution[..., count]
    _, singular, vt = np.linalg.svd(basis.reshape(-1, count), full_matrices=False)
    return mean, basis @ vt.T[:, np.argsort(-singular)]
