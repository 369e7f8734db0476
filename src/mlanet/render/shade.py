"""Light on surfaces."""

import numpy as np
from array_api_compat import is_torch_array
from jaxtyping import Float

from mlanet.coefficients import Array
from mlanet.geometry import AMBIENT_WHITE, harmonics_basis, shading
from mlanet.render.checks import Backend, as_batch

CLAY = (0.88, 0.86, 0.84)
"""The albedo, sRGB, of a mesh without colours: a warm light grey."""


def shade(
    albedo: Float[Array, "*b n 3"],
    normals: Float[Array, "*b n 3"],
    lighting: Float[Array, "*b 9 3"],
    *,
    backend: Backend | None = None,
) -> Float[Array, "*b n 3"]:
    """Lit colours: albedo times shading, both as sRGB values, neither linearised nor clipped.

    Args:
        albedo: sRGB in [0, 1].
        normals: of unit length, in the viewer's frame.
        lighting: radiance coefficients; the cosine lobe is applied here
        (docs/reference/conventions.md).
        backend: as in `rasterize`.
    """
    if is_torch_array(normals):
        from mlanet.render._torch.tensors import use_loops

        if use_loops(normals, backend) and normals.ndim in (2, 3):
            from mlanet.render._torch.light import shading_by_loops

            batch = as_batch(normals, 2)
            lights = as_batch(lighting, 2).expand(len(batch), -1, -1)
            shaded = shading_by_loops(batch, lights)
            return albedo * (shaded if normals.ndim == 3 else shaded[0])
    return albedo * shading(normals, lighting)


def key_light() -> Float[np.ndarray, "9 3"]:
    """A neutral light from high beside the viewer's right shoulder over a dim ambient one.

    It grazes what faces the viewer, so that a shape can be read: such a surface shows three
    quarters of its albedo, one that faces the light a tenth more than all of it.
    """
    direction = np.array([[0.50, 0.55, 0.67]])
    ambient, key = 0.22, 0.88
    lobe = harmonics_basis(direction / np.linalg.norm(direction))[0]
    # shading() of a unit light at a surface that faces it: (1 + 2 + 5/4) / 4π.
    lighting = key * lobe * (4.0 * np.pi / 4.25)
    lighting[0] += ambient * AMBIENT_WHITE
    return np.repeat(lighting[:, None], 3, axis=1).astype(np.float32)


def ambient_light() -> Float[np.ndarray, "9 3"]:
    """White light from everywhere, under which albedo is shown unchanged."""
    lighting = np.zeros((9, 3), dtype=np.float32)
    lighting[0] = AMBIENT_WHITE
    return lighting
