"""Closed-form alignment of point sets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class Similarity:
    """`x -> scale * rotation @ x + translation`."""

    scale: float
    rotation: Float[np.ndarray, "d d"]
    translation: Float[np.ndarray, "d"]

    def apply(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Transformed points."""
        return self.scale * points @ self.rotation.T + self.translation

    def undo(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """The points that `apply` brings here."""
        return (points - self.translation) @ self.rotation / self.scale


def fit_similarity(
    source: Float[np.ndarray, "n d"],
    target: Float[np.ndarray, "n d"],
    *,
    with_scale: bool = True,
    weights: Float[np.ndarray, "n"] | None = None,
) -> Similarity:
    """Least-squares similarity (or rigid motion) from `source` to `target`.

    With `weights` the squared distance of each pair counts that much.

    Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", PAMI 1991, equations 34-43.

    Raises:
        ValueError: the shapes differ or fewer than `d` points are given.
    """
    if source.shape != target.shape or source.ndim != 2 or len(source) < source.shape[1]:
        raise ValueError(f"cannot align {source.shape} to {target.shape}")
    weight = (np.ones(len(source)) if weights is None else weights)[:, None]
    source_mean, target_mean = ((weight * part).sum(0) / weight.sum() for part in (source, target))
    a, b = np.sqrt(weight) * (source - source_mean), np.sqrt(weight) * (target - target_mean)
    u, singular, vt = np.linalg.svd(b.T @ a)
    sign = np.ones(source.shape[1])
    sign[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0
    rotation = (u * sign) @ vt
    variance = float((a * a).sum())
    scale = float((singular * sign).sum()) / variance if with_scale and variance > 0 else 1.0
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)
