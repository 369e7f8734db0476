"""The light that makes an albedo look like a photo."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import AMBIENT_WHITE, harmonics_basis
from mlanet.geometry.harmonics import COSINE_LOBE

ORDERS = 4
"""Ambient and linear harmonics; higher ones say little of normals that were not seen."""

MAX_SAMPLES = 2_000
"""Texels used for the fit, evenly spread over those with weight."""

HUBER = 0.06
"""Colour error beyond which a texel counts less: hair, glasses, lips are no light."""

LEAST_AMBIENT = 0.5
"""A fit with less ambient light than this share of the plain answer tells of shadows only."""

RIDGE = 0.02
"""Preference for plain ambient light, relative to the texels' own evidence."""


def fit_lighting(
    albedo: Float[np.ndarray, "s s 3"],
    photo: Float[np.ndarray, "s s 3"],
    normals: Float[np.ndarray, "s s 3"],
    weight: Float[np.ndarray, "s s"],
) -> Float[np.ndarray, "9 3"]:
    """Robust harmonics of order one with `albedo * shading = photo`, of one colour.

    Colours are in [0, 1], normals of unit length in the viewer's frame. Without any weight
    it is the ambient light that shows the albedo unchanged.
    """
    lighting = np.zeros((9, 3), dtype=np.float32)
    lighting[0] = AMBIENT_WHITE
    used = np.flatnonzero(weight > 0.3)
    used = used[:: max(1, len(used) // MAX_SAMPLES)]
    if not len(used):
        return lighting
    basis = _basis(normals.reshape(-1, 3)[used]).astype(np.float32)
    trust = weight.reshape(-1)[used].astype(np.float32)
    shown, target = (
        np.ascontiguousarray(colors.reshape(-1, 3)[used].T, dtype=np.float32)
        for colors in (albedo, photo)
    )
    lighting[:ORDERS] = _robust(np.ascontiguousarray(basis.T), shown, target, trust).T
    usual = np.maximum(np.median(shown, axis=1), 1e-3)
    plain = AMBIENT_WHITE * np.median(target, axis=1) / usual
    if (lighting[0] < LEAST_AMBIENT * plain).any():  # shadows only: they say nothing of the rest
        lighting[:ORDERS] = 0.0
        lighting[0] = plain
    elif lighting[0].min() > 0:  # one colour from all sides: the hidden side shall not be tinted
        lighting[1:ORDERS] = lighting[0] * (lighting[1:ORDERS] / lighting[0]).mean(
            axis=1, keepdims=True
        )
    return lighting


def linear_shading(
    normals: Float[np.ndarray, "t t 3"], lighting: Float[np.ndarray, "9 3"]
) -> Float[np.ndarray, "t t 3"]:
    """`shading` by what `fit_lighting` finds: linear in the normals."""
    import cv2

    ambient, *turned = _basis(np.vstack([np.zeros(3), np.eye(3)])) @ lighting[:ORDERS]
    return cv2.transform(normals, np.column_stack([np.transpose(turned - ambient), ambient]))


def _basis(normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 4"]:
    return harmonics_basis(normals)[:, :ORDERS] * np.array(COSINE_LOBE[:ORDERS])


def _robust(
    basis: Float[np.ndarray, "k n"],
    shown: Float[np.ndarray, "c n"],
    target: Float[np.ndarray, "c n"],
    trust: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "c k"]:
    """Huber's estimates of `basis` times `shown`, by iteratively re-weighted least squares."""
    count = len(basis)
    products = (basis[:, None] * basis).reshape(count * count, -1)
    squared, both = shown * shown, shown * target
    weight = np.broadcast_to(trust, shown.shape)
    solution = np.zeros((len(shown), count))
    diagonal = np.arange(count)
    least = 1e-6 * float(trust.sum())  # a channel may be black everywhere
    for _ in range(6):
        normal = ((weight * squared) @ products.T).astype(np.float64).reshape(-1, count, count)
        damping = np.repeat(RIDGE * normal[:, :1, 0], count, axis=1)
        damping[:, 0] = 0.0
        normal[:, diagonal, diagonal] += damping + least
        right = (weight * both) @ basis.T
        solution = np.linalg.solve(normal, right[..., None])[..., 0]
        residual = np.abs((solution.astype(np.float32) @ basis) * shown - target)
        weight = trust * np.minimum(np.float32(HUBER) / np.maximum(residual, 1e-9), 1.0)
    return solution
