"""The curve of sRGB (IEC 61966-2-1)."""

import numpy as np
from jaxtyping import Float


def linear_from_srgb(values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Amounts of light of sRGB values, both in [0, 1]."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """The inverse of `linear_from_srgb`, which goes on above 1."""
    return np.where(
        values <= 0.0031308, 12.92 * values, 1.055 * np.maximum(values, 0.0) ** (1.0 / 2.4) - 0.055
    )
