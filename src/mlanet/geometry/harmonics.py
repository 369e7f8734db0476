"""Second-order spherical-harmonics lighting."""

import math

from array_api_compat import device
from jaxtyping import Float

from mlanet.coefficients import Array, array_namespace

AMBIENT_WHITE = 2.0 * math.sqrt(math.pi)
"""First coefficient of the light that shows the albedo unchanged."""


NORMS = (
    math.sqrt(1.0 / (4.0 * math.pi)),
    *(math.sqrt(3.0 / (4.0 * math.pi)),) * 3,
    *(math.sqrt(15.0 / (4.0 * math.pi)),) * 2,
    math.sqrt(5.0 / (16.0 * math.pi)),
    math.sqrt(15.0 / (4.0 * math.pi)),
    math.sqrt(15.0 / (16.0 * math.pi)),
)
"""What makes the polynomials 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² orthonormal on the sphere."""


def harmonics_basis(normals: Float[Array, "*b n 3"]) -> Float[Array, "*b n 9"]:
    """Real orthonormal harmonics of orders 0-2 at unit normals.

    Order: 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² (Ramamoorthi and Hanrahan, 2001).
    """
    xp = array_namespace(normals)
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    one = xp.ones_like(x)
    polynomials = [one, y, z, x, x * y, y * z, 3.0 * z * z - 1.0, x * z, x * x - y * y]
    return xp.stack(
        [norm * values for norm, values in zip(NORMS, polynomials, strict=True)], axis=-1
    )


COSINE_LOBE = (1.0, *(2.0 / 3.0,) * 3, *(0.25,) * 5)
"""The cosine lobe's factors π, 2π/3, π/4 divided by π, one for each harmonic."""

POLYNOMIAL_LIGHT = tuple(norm * lobe for norm, lobe in zip(NORMS, COSINE_LOBE, strict=True))
"""What shading multiplies the polynomials of `NORMS` by, beside the radiance."""


def shading(
    normals: Float[Array, "*b n 3"], lighting: Float[Array, "*b 9 3"]
) -> Float[Array, "*b n 3"]:
    """RGB factor of the albedo at unit normals (viewer's frame) under radiance coefficients."""
    xp = array_namespace(normals, lighting)
    lobe = xp.asarray(COSINE_LOBE, dtype=lighting.dtype, device=device(lighting))
    return xp.matmul(harmonics_basis(normals), lobe[:, None] * lighting)


def decode_lighting(offsets: Float[Array, "*b 27"]) -> Float[Array, "*b 9 3"]:
    """Radiance coefficients from a network's numbers: an offset from white ambient light."""
    xp = array_namespace(offsets)
    lighting = xp.reshape(offsets, (*offsets.shape[:-1], 9, 3))
    ambient = xp.zeros_like(lighting)
    ambient[..., 0, :] = AMBIENT_WHITE
    return lighting + ambient
