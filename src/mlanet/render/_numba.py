"""Compiled loops over pixels. Importing this module imports numba; do it inside functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit


def _compiled(function: Callable[..., Any]) -> Any:
    """`njit`, cached on disk where some folder can be written and in memory otherwise."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache is writable
        return njit(nogil=True, error_model="numpy")(function)


@_compiled
def _subpixel(position: float) -> Any:
    return np.int64(np.floor(position * 256.0 + 0.5))


@_compiled
def nearest_faces(
    vertices: Any, faces: Any, cull: bool, near: float, guard: float, face_index: Any
) -> None:
    """Write the nearest triangle at each pixel's centre into `face_index` (h, w) int32.

    `vertices` (v, 3) float64: x, y in pixels, depth; `faces` (f, 3) int32. The rules are those
    of `mlanet.render.rasterize`; positions are integers in 1/256 px, so that edge functions are
    exact.
    """
    height, width = face_index.shape
    face_index[:] = -1
    nearness = np.zeros((height, width), np.float32)
    x = np.zeros(len(vertices), np.int64)
    y = np.zeros(len(vertices), np.int64)
    inverse = np.zeros(len(vertices))
    for v in range(len(vertices)):
        if vertices[v, 2] > near and abs(vertices[v, 0]) <= guard and abs(vertices[v, 1]) <= guard:
            x[v] = _subpixel(vertices[v, 0])
            y[v] = _subpixel(vertices[v, 1])
            inverse[v] = 1.0 / vertices[v, 2]
    for f in range(len(faces)):
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        xa, xb, xc = x[a], x[b], x[c]
        left = max((min(xa, xb, xc) + 127) >> 8, 0)
        right = min((max(xa, xb, xc) - 128) >> 8, width - 1)
        if left > right:
            continue
        ya, yb, yc = y[a], y[b], y[c]
        top = max((min(ya, yb, yc) + 127) >> 8, 0)
        bottom = min((max(ya, yb, yc) - 128) >> 8, height - 1)
        if top > bottom:
            continue
        za, zb, zc = inverse[a], inverse[b], inverse[c]
        if za == 0.0 or zb == 0.0 or zc == 0.0:
            continue
        area = (xb - xa) * (yc - ya) - (yb - ya) * (xc - xa)
        if area == 0 or (cull and area > 0):
            continue
        sign = 1 if area > 0 else -1
        # Edges opposite a, b and c, turned so that the inside is positive.
        ua, va = sign * (xc - xb), sign * (yc - yb)
        ub, vb = sign * (xa - xc), sign * (ya - yc)
        uc, vc = sign * (xb - xa), sign * (yb - ya)
        # A centre on an edge counts if the edge is at the top or at the left.
        limit_a = 0 if va < 0 or (va == 0 and ua > 0) else 1
        limit_b = 0 if vb < 0 or (vb == 0 and ub > 0) else 1
        limit_c = 0 if vc < 0 or (vc == 0 and uc > 0) else 1
        scale = 1.0 / (sign * area)
        px, py = left * 256 + 128, top * 256 + 128
        row_a = ua * (py - yb) - va * (px - xb)
        row_b = ub * (py - yc) - vb * (px - xc)
        row_c = uc * (py - ya) - vc * (px - xa)
        for i in range(top, bottom + 1):
            ea, eb, ec = row_a, row_b, row_c
            inside = False
            for j in range(left, right + 1):
                if ea >= limit_a and eb >= limit_b and ec >= limit_c:
                    inside = True
                    near_here = np.float32((ea * za + eb * zb + ec * zc) * scale)
                    if near_here > nearness[i, j]:
                        nearness[i, j] = near_here
                        face_index[i, j] = f
                elif inside:
                    break
                ea -= va * 256
                eb -= vb * 256
                ec -= vc * 256
            row_a += ua * 256
            row_b += ub * 256
            row_c += uc * 256


@_compiled
def weights_of_faces(
    vertices: Any, faces: Any, face_index: Any, barycentric: Any, depth: Any
) -> None:
    """Write perspective-correct weights (h, w, 3) and depth (h, w) of the faces found."""
    height, width = face_index.shape
    for i in range(height):
        py = i * 256 + 128
        for j in range(width):
            f = face_index[i, j]
            if f < 0:
                continue
            px = j * 256 + 128
            a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
            xa, ya = _subpixel(vertices[a, 0]), _subpixel(vertices[a, 1])
            xb, yb = _subpixel(vertices[b, 0]), _subpixel(vertices[b, 1])
            xc, yc = _subpixel(vertices[c, 0]), _subpixel(vertices[c, 1])
            wa = ((xc - xb) * (py - yb) - (yc - yb) * (px - xb)) / vertices[a, 2]
            wb = ((xa - xc) * (py - yc) - (ya - yc) * (px - xc)) / vertices[b, 2]
            wc = ((xb - xa) * (py - ya) - (yb - ya) * (px - xa)) / vertices[c, 2]
            scale = 1.0 / (wa + wb + wc)
            barycentric[i, j, 0] = wa * scale
            barycentric[i, j, 1] = wb * scale
            barycentric[i, j, 2] = wc * scale
            area = (xb - xa) * (yc - ya) - (yb - ya) * (xc - xa)
            depth[i, j] = area * scale


@_compiled
def interpolate_corners(
    face_index: Any, barycentric: Any, faces: Any, attributes: Any, values: Any
) -> None:
    """Write the weighted mean of the corners' `attributes` (v, c) into `values` (h, w, c)."""
    height, width = face_index.shape
    for i in range(height):
        for j in range(width):
            f = face_index[i, j]
            if f < 0:
                continue
            a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
            for k in range(attributes.shape[1]):
                values[i, j, k] = (
                    barycentric[i, j, 0] * attributes[a, k]
                    + barycentric[i, j, 1] * attributes[b, k]
                    + barycentric[i, j, 2] * attributes[c, k]
                )
