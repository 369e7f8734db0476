"""Which triangle covers each pixel, and the weights of its corners."""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled
from mlanet.render.rules import HALF, SUBPIXEL_BITS, SUBPIXELS, WORST_WEIGHT


@compiled
def subpixel(position: float) -> Any:
    """A position in pixels, rounded to whole 1/256 px."""
    return np.int64(np.floor(position * SUBPIXELS + 0.5))


@compiled
def nearest_faces(
    vertices: Any,
    faces: Any,
    cull: bool,
    near: float,
    guard: float,
    nearness: Any,
    face_index: Any,
) -> None:
    """Write the nearest triangle at each pixel's centre into `face_index` (h, w) int32.

    `vertices` (v, 3) float64: x, y in pixels, depth; `faces` (f, 3) int32; `nearness` (h, w)
    float32 is overwritten. The rules are those of `mlanet.render.rasterize`; positions are
    integers in 1/256 px, so that edge functions are exact.
    """
    height, width = face_index.shape
    face_index[:] = -1
    nearness[:] = 0.0
    x = np.empty(len(vertices), np.int64)
    y = np.empty(len(vertices), np.int64)
    inverse = np.empty(len(vertices))
    for v in range(len(vertices)):
        x[v] = y[v] = 0
        inverse[v] = 0.0
        if vertices[v, 2] > near and abs(vertices[v, 0]) <= guard and abs(vertices[v, 1]) <= guard:
            x[v] = subpixel(vertices[v, 0])
            y[v] = subpixel(vertices[v, 1])
            inverse[v] = 1.0 / vertices[v, 2]
    for f in range(len(faces)):
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        xa, xb, xc = x[a], x[b], x[c]
        left = max((min(xa, xb, xc) + HALF - 1) >> SUBPIXEL_BITS, 0)
        right = min((max(xa, xb, xc) - HALF) >> SUBPIXEL_BITS, width - 1)
        if left > right:
            continue
        ya, yb, yc = y[a], y[b], y[c]
        top = max((min(ya, yb, yc) + HALF - 1) >> SUBPIXEL_BITS, 0)
        bottom = min((max(ya, yb, yc) - HALF) >> SUBPIXEL_BITS, height - 1)
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
        px, py = left * SUBPIXELS + HALF, top * SUBPIXELS + HALF
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
                ea -= va * SUBPIXELS
                eb -= vb * SUBPIXELS
                ec -= vc * SUBPIXELS
            row_a += ua * SUBPIXELS
            row_b += ub * SUBPIXELS
            row_c += uc * SUBPIXELS


@compiled
def _weights(
    xa: float, ya: float, za: float,
    xb: float, yb: float, zb: float,
    xc: float, yc: float, zc: float,
    px: float, py: float,
) -> Any:  # fmt: skip
    """Edge functions, perspective-correct weights and the sum they were divided by."""
    ea = (xc - xb) * (py - yb) - (yc - yb) * (px - xb)
    eb = (xa - xc) * (py - yc) - (ya - yc) * (px - xc)
    ec = (xb - xa) * (py - ya) - (yb - ya) * (px - xa)
    wa, wb, wc = ea / za, eb / zb, ec / zc
    total = wa + wb + wc
    if total == 0.0:
        return ea, eb, ec, np.nan, np.nan, np.nan, total
    return ea, eb, ec, wa / total, wb / total, wc / total, total


@compiled
def _is_good(wa: float, wb: float, wc: float, depth: float) -> bool:
    return wa >= WORST_WEIGHT and wb >= WORST_WEIGHT and wc >= WORST_WEIGHT and depth > 0.0


@compiled
def weights_of_faces(
    vertices: Any, faces: Any, face_index: Any, barycentric: Any, depth: Any
) -> None:
    """Write perspective-correct weights (h, w, 3) and depth (h, w) of the faces found.

    From the corners as they are; of slivers, which rounding has made visible, from the rounded
    corners.
    """
    height, width = face_index.shape
    for i in range(height):
        for j in range(width):
            f = face_index[i, j]
            if f < 0:
                barycentric[i, j, 0] = barycentric[i, j, 1] = barycentric[i, j, 2] = 0.0
                depth[i, j] = 0.0
                continue
            a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
            za, zb, zc = vertices[a, 2], vertices[b, 2], vertices[c, 2]
            ea, eb, ec, wa, wb, wc, total = _weights(
                vertices[a, 0], vertices[a, 1], za,
                vertices[b, 0], vertices[b, 1], zb,
                vertices[c, 0], vertices[c, 1], zc,
                j + 0.5, i + 0.5,
            )  # fmt: skip
            z = (ea + eb + ec) / total
            if not _is_good(wa, wb, wc, z):
                ea, eb, ec, wa, wb, wc, total = _weights(
                    subpixel(vertices[a, 0]) / SUBPIXELS, subpixel(vertices[a, 1]) / SUBPIXELS, za,
                    subpixel(vertices[b, 0]) / SUBPIXELS, subpixel(vertices[b, 1]) / SUBPIXELS, zb,
                    subpixel(vertices[c, 0]) / SUBPIXELS, subpixel(vertices[c, 1]) / SUBPIXELS, zc,
                    j + 0.5, i + 0.5,
                )  # fmt: skip
                z = (ea + eb + ec) / total
            barycentric[i, j, 0] = wa
            barycentric[i, j, 1] = wb
            barycentric[i, j, 2] = wc
            depth[i, j] = z


@compiled
def weights_backward(
    vertices: Any, faces: Any, face_index: Any, d_barycentric: Any, d_depth: Any, d_vertices: Any
) -> None:
    """Add the gradient of weights and depth to `d_vertices` (v, 3); slivers have none."""
    height, width = face_index.shape
    for i in range(height):
        py = i + 0.5
        for j in range(width):
            f = face_index[i, j]
            if f < 0:
                continue
            px = j + 0.5
            a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
            xa, ya, za = vertices[a, 0], vertices[a, 1], vertices[a, 2]
            xb, yb, zb = vertices[b, 0], vertices[b, 1], vertices[b, 2]
            xc, yc, zc = vertices[c, 0], vertices[c, 1], vertices[c, 2]
            ea, eb, ec, wa, wb, wc, total = _weights(
                xa, ya, za, xb, yb, zb, xc, yc, zc, px, py
            )  # fmt: skip
            z = (ea + eb + ec) / total
            if not _is_good(wa, wb, wc, z):
                continue
            ga, gb, gc = d_barycentric[i, j, 0], d_barycentric[i, j, 1], d_barycentric[i, j, 2]
            gz = d_depth[i, j]
            # weight = share / total, share = edge / z, depth = sum of edges / total
            mean = ga * wa + gb * wb + gc * wc + gz * z
            qa, qb, qc = (ga - mean) / total, (gb - mean) / total, (gc - mean) / total
            d_vertices[a, 2] -= qa * ea / (za * za)
            d_vertices[b, 2] -= qb * eb / (zb * zb)
            d_vertices[c, 2] -= qc * ec / (zc * zc)
            ga, gb, gc = qa / za + gz / total, qb / zb + gz / total, qc / zc + gz / total
            d_vertices[a, 0] += gb * (py - yc) + gc * (yb - py)
            d_vertices[a, 1] += gb * (xc - px) + gc * (px - xb)
            d_vertices[b, 0] += gc * (py - ya) + ga * (yc - py)
            d_vertices[b, 1] += gc * (xa - px) + ga * (px - xc)
            d_vertices[c, 0] += ga * (py - yb) + gb * (ya - py)
            d_vertices[c, 1] += ga * (xb - px) + gb * (px - xa)
