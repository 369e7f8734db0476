"""Attributes of corners at pixels, and normals of vertices, both with their gradients."""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled
from mlanet.geometry.face_loops import face_sides

TINY = 1e-20
"""Added to squared lengths, so that normals of no triangles are zero."""


@compiled
def interpolate_corners(
    face_index: Any, barycentric: Any, faces: Any, attributes: Any, values: Any
) -> None:
    """Write the weighted mean of the corners' `attributes` (v, c) into `values` (h, w, c)."""
    height, width = face_index.shape
    for i in range(height):
        for j in range(width):
            f = face_index[i, j]
            if f < 0:
                for k in range(attributes.shape[1]):
                    values[i, j, k] = 0.0
                continue
            a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
            wa, wb, wc = barycentric[i, j, 0], barycentric[i, j, 1], barycentric[i, j, 2]
            for k in range(attributes.shape[1]):
                values[i, j, k] = (
                    wa * attributes[a, k] + wb * attributes[b, k] + wc * attributes[c, k]
                )


@compiled
def interpolate_backward(
    face_index: Any,
    barycentric: Any,
    faces: Any,
    attributes: Any,
    d_values: Any,
    d_barycentric: Any,
    d_attributes: Any,
) -> None:
    """Write `d_barycentric` (h, w, 3) and add to `d_attributes` (v, c)."""
    height, width = face_index.shape
    for i in range(height):
        for j in range(width):
            f = face_index[i, j]
            if f < 0:
                d_barycentric[i, j, 0] = d_barycentric[i, j, 1] = d_barycentric[i, j, 2] = 0.0
                continue
            a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
            wa, wb, wc = barycentric[i, j, 0], barycentric[i, j, 1], barycentric[i, j, 2]
            ga = gb = gc = 0.0 * wa
            for k in range(attributes.shape[1]):
                g = d_values[i, j, k]
                ga += g * attributes[a, k]
                gb += g * attributes[b, k]
                gc += g * attributes[c, k]
                d_attributes[a, k] += wa * g
                d_attributes[b, k] += wb * g
                d_attributes[c, k] += wc * g
            d_barycentric[i, j, 0] = ga
            d_barycentric[i, j, 1] = gb
            d_barycentric[i, j, 2] = gc


@compiled
def sum_face_normals(vertices: Any, faces: Any, total: Any) -> None:
    """Add each triangle's normal, twice its area long, to `total` (v, 3) at its corners."""
    for f in range(len(faces)):
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        ux, uy, uz, vx, vy, vz = face_sides(vertices, a, b, c)
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            total[corner, 0] += nx
            total[corner, 1] += ny
            total[corner, 2] += nz


@compiled
def sum_face_normals_backward(vertices: Any, faces: Any, d_total: Any, d_vertices: Any) -> None:
    """Add the gradient of `sum_face_normals` to `d_vertices` (v, 3)."""
    for f in range(len(faces)):
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        ux, uy, uz, vx, vy, vz = face_sides(vertices, a, b, c)
        gx = d_total[a, 0] + d_total[b, 0] + d_total[c, 0]
        gy = d_total[a, 1] + d_total[b, 1] + d_total[c, 1]
        gz = d_total[a, 2] + d_total[b, 2] + d_total[c, 2]
        # The normal is u × v: its gradients are v × g with respect to u, g × u to v.
        dux, duy, duz = vy * gz - vz * gy, vz * gx - vx * gz, vx * gy - vy * gx
        dvx, dvy, dvz = gy * uz - gz * uy, gz * ux - gx * uz, gx * uy - gy * ux
        d_vertices[b, 0] += dux
        d_vertices[b, 1] += duy
        d_vertices[b, 2] += duz
        d_vertices[c, 0] += dvx
        d_vertices[c, 1] += dvy
        d_vertices[c, 2] += dvz
        d_vertices[a, 0] -= dux + dvx
        d_vertices[a, 1] -= duy + dvy
        d_vertices[a, 2] -= duz + dvz


@compiled
def unit_in_viewer(total: Any, normals: Any) -> None:
    """Write sums (v, 3) as unit normals in the viewer's frame; zero stays zero."""
    for v in range(len(total)):
        x, y, z = total[v, 0], total[v, 1], total[v, 2]
        length = np.sqrt(x * x + y * y + z * z + TINY)
        normals[v, 0] = x / length
        normals[v, 1] = -y / length
        normals[v, 2] = -z / length


@compiled
def unit_in_viewer_backward(total: Any, d_normals: Any, d_total: Any) -> None:
    """Write the gradient of `unit_in_viewer` into `d_total` (v, 3)."""
    for v in range(len(total)):
        x, y, z = total[v, 0], total[v, 1], total[v, 2]
        gx, gy, gz = d_normals[v, 0], -d_normals[v, 1], -d_normals[v, 2]
        square = x * x + y * y + z * z + TINY
        length = np.sqrt(square)
        along = (x * gx + y * gy + z * gz) / square
        d_total[v, 0] = (gx - along * x) / length
        d_total[v, 1] = (gy - along * y) / length
        d_total[v, 2] = (gz - along * z) / length
