"""Identity modes of unit variance on real people, anthropometric and smooth ones kept apart."""

import numpy as np


def whitened(
    fields: np.ndarray,
    signs: np.ndarray,
    groups: np.ndarray,
    covariance: np.ndarray,
    weight: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Modes (V, 3, k) whose coefficients are N(0, 1) where those of `fields` have `covariance`.

    With the block Cholesky factor of the covariance, so that the first group's modes carry
    what the second group does along with them, and the second group's modes are its own
    remainder: Gaussian-process modes stay Gaussian-process modes. Symmetric and antisymmetric
    modes are not mixed. Within a group, modes are ordered by the motion of vertices.

    Args:
        fields: (V, 3, k) mm.
        signs: (k,) 1 for symmetric, -1 for antisymmetric modes.
        groups: (k,) 0 or 1, the first and the second group.
        covariance: (k, k) of the coefficients.
        weight: (V,) of vertices in the order.

    Returns:
        Modes, their signs and their groups, group by group.
    """
    found: list[tuple[int, float, float, np.ndarray]] = []
    for sign in (1.0, -1.0):
        first = np.flatnonzero((signs == sign) & (groups == 0))
        second = np.flatnonzero((signs == sign) & (groups == 1))
        own = covariance[np.ix_(first, first)]
        along = covariance[np.ix_(second, first)] @ np.linalg.inv(own)
        rest = covariance[np.ix_(second, second)] - along @ own @ along.T
        parts = (
            (0, fields[..., first] + fields[..., second] @ along, own),
            (1, fields[..., second], rest),
        )
        for group, basis, spread in parts:
            modes = basis @ np.linalg.cholesky((spread + spread.T) / 2)
            flat = (modes * np.sqrt(weight)[:, None, None]).reshape(-1, modes.shape[-1])
            power, turn = np.linalg.eigh(flat.T @ flat)
            modes = modes @ turn
            modes = modes * fixed_signs(modes)
            found += [(group, -power[k], sign, modes[..., k]) for k in range(modes.shape[-1])]
    found.sort(key=lambda item: item[:2])
    return (
        np.stack([mode for *_, mode in found], axis=-1),
        np.array([sign for _, _, sign, _ in found]),
        np.array([group for group, *_ in found]),
    )


def fixed_signs(modes: np.ndarray) -> np.ndarray:
    """1 or -1 for each mode (V, 3, k), so that its largest motion is positive: a build repeats."""
    flat = modes.reshape(-1, modes.shape[-1])
    largest = np.abs(flat).argmax(axis=0)
    return np.sign(flat[largest, np.arange(flat.shape[1])])
