"""Second-order light at normals, with its gradients: `mlanet.geometry.shading` as loops."""

from typing import Any

from mlanet.geometry.compiling import compiled


@compiled
def shade_normals(normals: Any, light: Any, shaded: Any) -> None:
    """Write the sum of the nine polynomials of each normal times `light` (9, 3) into `shaded`."""
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        xy, yz, zz, xz, xx = x * y, y * z, 3.0 * z * z - 1.0, x * z, x * x - y * y
        for c in range(3):
            shaded[v, c] = (
                light[0, c]
                + (light[1, c] * y + light[2, c] * z + light[3, c] * x)
                + (light[4, c] * xy + light[5, c] * yz + light[6, c] * zz)
                + (light[7, c] * xz + light[8, c] * xx)
            )


@compiled
def shade_backward(normals: Any, light: Any, d_shaded: Any, d_normals: Any, d_light: Any) -> None:
    """Write `d_normals` (v, 3) and add to `d_light` (9, 3)."""
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        dx = dy = dz = 0.0
        for c in range(3):
            g = d_shaded[v, c]
            d_light[0, c] += g
            d_light[1, c] += g * y
            d_light[2, c] += g * z
            d_light[3, c] += g * x
            d_light[4, c] += g * (x * y)
            d_light[5, c] += g * (y * z)
            d_light[6, c] += g * (3.0 * z * z - 1.0)
            d_light[7, c] += g * (x * z)
            d_light[8, c] += g * (x * x - y * y)
            dx += g * (light[3, c] + light[4, c] * y + light[7, c] * z + 2.0 * light[8, c] * x)
            dy += g * (light[1, c] + light[4, c] * x + light[5, c] * z - 2.0 * light[8, c] * y)
            dz += g * (light[2, c] + light[5, c] * y + 6.0 * light[6, c] * z + light[7, c] * x)
        d_normals[v, 0] = dx
        d_normals[v, 1] = dy
        d_normals[v, 2] = dz
