"""Outlines between pixels' centres, and what they blend.

Loops assign single numbers alone: each assignment of whole arrays takes a second more to compile.
"""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled
from mlanet.render._numba.coverage import subpixel
from mlanet.render.rules import HALF, MOST_BEYOND, ROUNDING_PX, SUBPIXEL_BITS, SUBPIXELS


@compiled
def _blended_pixels(crossing: Any) -> Any:
    """The pixel inside and the pixel outside an outline, and where outward is on the line."""
    i, j = crossing[0], crossing[1]
    k, m = (i + 1, j) if crossing[3] & 2 else (i, j + 1)
    if crossing[3] & 1:
        return k, m, i, j, -1.0
    return i, j, k, m, 1.0


@compiled
def _reach(vertices: Any, edges: Any, crossing: Any) -> Any:
    """Distance from the inner pixel's centre to the outline, and where on the edge it lies.

    Between 0 and 1, but for what rounding has made of the edge.
    """
    a, b = np.uintp(edges[crossing[2], 0]), np.uintp(edges[crossing[2], 1])
    p = crossing[3] >> 1
    start, line = (crossing[0], crossing[1]) if p else (crossing[1], crossing[0])
    dq = vertices[b, 1 - p] - vertices[a, 1 - p]
    t = (line + 0.5 - vertices[a, 1 - p]) / dq if dq != 0.0 else 0.5
    t = min(max(t, -MOST_BEYOND), 1.0 + MOST_BEYOND)
    place = vertices[a, p] + t * (vertices[b, p] - vertices[a, p])
    reach = start + 1.5 - place if crossing[3] & 1 else place - (start + 0.5)
    return reach, t


@compiled
def _keep_the_larger_shares(vertices: Any, edges: Any, crossings: Any, shares: Any) -> int:
    """Put the crossings that are used first, and say how many they are.

    Those are the ones in the direction in which a pixel takes more. `shares` (2, h, w), zero, gets
    the largest along the row and along the column.
    """
    for n in range(len(crossings)):
        i, j, k, m, _ = _blended_pixels(crossings[n])
        reach, _ = _reach(vertices, edges, crossings[n])
        alpha = reach - 0.5
        if alpha < 0.0:
            k, m, alpha = i, j, -alpha
        p = crossings[n, 3] >> 1
        # Rounding lets outlines pass a centre a little before the pixel changes hands.
        shares[p, k, m] = max(shares[p, k, m], np.float32(min(alpha, 1.0 - alpha)))
    count = 0
    for n in range(len(crossings)):
        i, j, k, m, _ = _blended_pixels(crossings[n])
        reach, _ = _reach(vertices, edges, crossings[n])
        if reach < 0.5:
            k, m = i, j
        below = shares[1, k, m] > shares[0, k, m]
        if below == (crossings[n, 3] >= 2):
            for k in range(4):
                crossings[count, k] = crossings[n, k]
            count += 1
    return count


@compiled
def _walk_edge(
    e: int,
    below: int,
    side: int,
    xa: int,
    ya: int,
    za: float,
    dx: int,
    dy: int,
    zb: float,
    face_index: Any,
    depth: Any,
    farthest: Any,
    chosen: Any,
) -> int:
    """Enter an outline's crossings of rows (or columns) of centres; returns how many are new.

    Positions are integers in 1/256 px. `p` runs along the pixels' line, `q` across the lines.
    """
    height, width = face_index.shape
    count = 0
    pa, qa, dp, dq = (ya, xa, dy, dx) if below else (xa, ya, dx, dy)
    limit_p, limit_q = (height, width) if below else (width, height)
    first = max((min(qa, qa + dq) + HALF - 1) >> SUBPIXEL_BITS, 0)
    last = min((max(qa, qa + dq) + HALF - 1) >> SUBPIXEL_BITS, limit_q)
    # Inside at the smaller p: the sign of `side` at a point before the edge.
    inside_last = (side > 0) == ((dq < 0) == (below == 0))
    # Whether a centre on the edge is inside: at the left, or level and at the top.
    owned = dy > 0 if side < 0 else dy < 0
    if dy == 0:
        owned = dx > 0 if side > 0 else dx < 0
    for q in range(first, last):
        t = (q * SUBPIXELS + HALF - qa) / dq
        crossing = (pa + t * dp) / SUBPIXELS
        if crossing < -1.0 or crossing > limit_p + 1.0:
            continue
        p = int(np.rint(crossing - 0.5))
        cp, cq = p * SUBPIXELS + HALF, q * SUBPIXELS + HALF
        px, py = (cq, cp) if below else (cp, cq)
        value = dx * (py - ya) - dy * (px - xa)
        inside = owned if value == 0 else (value > 0) == (side > 0)
        if inside == inside_last:
            p -= 1
        if p < 0 or p + 1 >= limit_p:
            continue
        i, j = (p, q) if below else (q, p)
        k, m = (p + 1, q) if below else (q, p + 1)
        if inside_last:
            i, j, k, m = k, m, i, j
        if face_index[i, j] < 0 or face_index[i, j] == face_index[k, m]:
            continue
        if face_index[k, m] >= 0:
            outer = depth[k, m]
            here = 1.0 / ((1.0 - t) / za + t / zb)
            if not (depth[i, j] < outer and here < outer):
                continue
        reach = np.float32(p + 1.5 - crossing if inside_last else crossing - (p + 0.5))
        i, j = (p, q) if below else (q, p)
        if reach > farthest[below, i, j]:
            if chosen[below, i, j] < 0:
                count += 1
            farthest[below, i, j] = reach
            chosen[below, i, j] = 2 * e + (1 if inside_last else 0)
    return count


def find_crossings(
    vertices: Any,
    edges: Any,
    cull: bool,
    near: float,
    guard: float,
    face_index: Any,
    depth: Any,
) -> Any:
    """Where visible outlines cross the lines between neighbouring pixels' centres.

    The rules are those of `mlanet.render.antialias`. Returns (n, 4) int32: row and column of the
    left or upper pixel, the edge, and 0 to 3: twice whether the neighbour is below, plus whether
    the inside is at that neighbour.
    """
    chosen = np.full((2, *face_index.shape), -1, np.int32)
    farthest = np.full((2, *face_index.shape), -1.0, np.float32)
    count = _walk_edges(
        vertices, edges, cull, near, guard, face_index, depth, farthest, chosen
    )  # fmt: skip
    found = np.empty((count, 4), np.int32)
    _list_crossings(chosen, found)
    farthest[:] = 0.0
    return found[: _keep_the_larger_shares(vertices, edges, found, farthest)].copy()


@compiled
def _walk_edges(
    vertices: Any,
    edges: Any,
    cull: bool,
    near: float,
    guard: float,
    face_index: Any,
    depth: Any,
    farthest: Any,
    chosen: Any,
) -> int:
    """Enter the crossings of all outlines; returns how many there are."""
    x = np.zeros(len(vertices), np.int64)
    y = np.zeros(len(vertices), np.int64)
    usable = np.zeros(len(vertices), np.bool_)
    for v in range(len(vertices)):
        if vertices[v, 2] > near and abs(vertices[v, 0]) <= guard and abs(vertices[v, 1]) <= guard:
            x[v] = subpixel(vertices[v, 0])
            y[v] = subpixel(vertices[v, 1])
            usable[v] = True
    count = 0
    for e in range(len(edges)):
        a, b, c = np.uintp(edges[e, 0]), np.uintp(edges[e, 1]), np.uintp(edges[e, 2])
        if not (usable[a] and usable[b]):
            continue
        dx, dy = x[b] - x[a], y[b] - y[a]
        side = dx * (y[c] - y[a]) - dy * (x[c] - x[a])
        if edges[e, 3] >= 0:
            d = np.uintp(edges[e, 3])
            other = dx * (y[d] - y[a]) - dy * (x[d] - x[a])
            if (side < 0) == (other > 0):
                continue
            side = side if side < 0 else other
        elif cull and side > 0:  # seen from inside
            continue
        if side == 0:
            continue
        for below in range(2):
            count += _walk_edge(
                e, below, side, x[a], y[a], vertices[a, 2], dx, dy, vertices[b, 2],
                face_index, depth, farthest, chosen,
            )  # fmt: skip
    return count


@compiled
def _list_crossings(chosen: Any, found: Any) -> None:
    """Write what was chosen (2, h, w) as a list (n, 4), in the order of the pixels."""
    height, width = chosen.shape[1:]
    n = 0
    for below in range(2):
        for i in range(height):
            for j in range(width):
                if chosen[below, i, j] >= 0:
                    found[n, 0], found[n, 1] = i, j
                    found[n, 2] = chosen[below, i, j] >> 1
                    found[n, 3] = 2 * below + (chosen[below, i, j] & 1)
                    n += 1


def blend_crossings(vertices: Any, edges: Any, crossings: Any, image: Any, blended: Any) -> None:
    """Write the anti-aliased `image` (h, w, c) into `blended`."""
    blended[:] = image
    _blend(vertices, edges, crossings, image, blended)


@compiled
def _blend(vertices: Any, edges: Any, crossings: Any, image: Any, blended: Any) -> None:
    channels = image.shape[2]
    for n in range(len(crossings)):
        i, j, k, m, _ = _blended_pixels(crossings[n])
        reach, _ = _reach(vertices, edges, crossings[n])
        alpha = min(max(reach, 0.0), 1.0) - 0.5
        if alpha < 0.0:
            i, j, k, m, alpha = k, m, i, j, -alpha
        for c in range(channels):
            blended[k, m, c] += alpha * (image[i, j, c] - image[k, m, c])


def blend_backward(
    vertices: Any,
    edges: Any,
    crossings: Any,
    image: Any,
    d_blended: Any,
    d_image: Any,
    d_vertices: Any,
) -> None:
    """Write `d_image` (h, w, c) and add to `d_vertices` (v, 3)."""
    d_image[:] = d_blended
    _blend_backward(vertices, edges, crossings, image, d_blended, d_image, d_vertices)


@compiled
def _blend_backward(
    vertices: Any,
    edges: Any,
    crossings: Any,
    image: Any,
    d_blended: Any,
    d_image: Any,
    d_vertices: Any,
) -> None:
    channels = image.shape[2]
    for n in range(len(crossings)):
        i, j, k, m, outward = _blended_pixels(crossings[n])
        reach, t = _reach(vertices, edges, crossings[n])
        alpha = min(max(reach, 0.0), 1.0) - 0.5
        if alpha < 0.0:
            i, j, k, m, alpha, outward = k, m, i, j, -alpha, -outward
        d_alpha = 0.0
        for c in range(channels):
            g = d_blended[k, m, c]
            d_alpha += g * (image[i, j, c] - image[k, m, c])
            d_image[i, j, c] += alpha * g
            d_image[k, m, c] -= alpha * g
        if not -ROUNDING_PX <= reach <= 1.0 + ROUNDING_PX:
            continue
        d_place = d_alpha * outward
        a = np.uintp(edges[crossings[n, 2], 0])
        b = np.uintp(edges[crossings[n, 2], 1])
        p = crossings[n, 3] >> 1
        d_vertices[a, p] += d_place * (1.0 - t)
        d_vertices[b, p] += d_place * t
        if t == -MOST_BEYOND or t == 1.0 + MOST_BEYOND:
            continue
        q = 1 - p
        slope = (vertices[b, p] - vertices[a, p]) / (vertices[b, q] - vertices[a, q])
        d_vertices[a, q] -= d_place * (1.0 - t) * slope
        d_vertices[b, q] -= d_place * t * slope
