"""Outlines between pixels' centres, and what they blend."""

from typing import Any

import numpy as np

from mlanet.render._numba.compiling import compiled


@compiled
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
    height, width = face_index.shape
    chosen = np.full((2, height, width), -1, np.int32)
    farthest = np.full((2, height, width), np.float32(-1.0))
    count = 0
    for e in range(len(edges)):
        a, b = np.uintp(edges[e, 0]), np.uintp(edges[e, 1])
        za, zb = vertices[a, 2], vertices[b, 2]
        if not (za > near and zb > near):
            continue
        xa, ya, xb, yb = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
        if abs(xa) > guard or abs(ya) > guard or abs(xb) > guard or abs(yb) > guard:
            continue
        dx, dy = xb - xa, yb - ya
        c = np.uintp(edges[e, 2])
        side = dx * (vertices[c, 1] - ya) - dy * (vertices[c, 0] - xa)
        if edges[e, 3] >= 0:
            d = np.uintp(edges[e, 3])
            if side * (dx * (vertices[d, 1] - ya) - dy * (vertices[d, 0] - xa)) <= 0.0:
                continue
        elif side == 0.0 or (cull and side > 0.0):  # seen from inside
            continue
        below = 1 if abs(dx) > abs(dy) else 0
        # From here on `p` runs along the pixels' line, `q` across the lines.
        pa, qa, dp, dq = (ya, xa, dy, dx) if below else (xa, ya, dx, dy)
        limit_p, limit_q = (height, width) if below else (width, height)
        first = max(int(np.ceil(max(min(qa, qa + dq) - 0.5, -1.0))), 0)
        last = min(int(np.ceil(min(max(qa, qa + dq) - 0.5, limit_q + 1.0))), limit_q)
        for q in range(first, last):
            t = (q + 0.5 - qa) / dq
            crossing = pa + t * dp
            p = int(np.floor(crossing - 0.5))
            if p < 0 or p + 1 >= limit_p:
                continue
            # Inside at the smaller p: the sign of `side` at a point before the edge.
            inside_last = (side > 0.0) == ((dq < 0.0) == (below == 0))
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
    found = np.empty((count, 4), np.int32)
    n = 0
    for below in range(2):
        for i in range(height):
            for j in range(width):
                if chosen[below, i, j] >= 0:
                    found[n, 0], found[n, 1] = i, j
                    found[n, 2] = chosen[below, i, j] >> 1
                    found[n, 3] = 2 * below + (chosen[below, i, j] & 1)
                    n += 1
    return found


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
    """Distance from the inner pixel's centre to the outline, and where on the edge it lies."""
    a, b = np.uintp(edges[crossing[2], 0]), np.uintp(edges[crossing[2], 1])
    p = 1 if crossing[3] & 2 else 0
    q = 1 - p
    start = crossing[0] if p else crossing[1]
    line = crossing[1] if p else crossing[0]
    t = (line + 0.5 - vertices[a, q]) / (vertices[b, q] - vertices[a, q])
    place = vertices[a, p] + t * (vertices[b, p] - vertices[a, p])
    reach = start + 1.5 - place if crossing[3] & 1 else place - (start + 0.5)
    return reach, t


@compiled
def blend_crossings(vertices: Any, edges: Any, crossings: Any, image: Any, blended: Any) -> None:
    """Write the anti-aliased `image` (h, w, c) into `blended`."""
    height, width, channels = image.shape
    share = np.zeros((height, width), blended.dtype)
    blended[:] = image
    for n in range(len(crossings)):
        i, j, k, m, _ = _blended_pixels(crossings[n])
        reach, _ = _reach(vertices, edges, crossings[n])
        alpha = reach - 0.5
        if alpha < 0.0:
            i, j, k, m, alpha = k, m, i, j, -alpha
        share[k, m] += alpha
        for c in range(channels):
            blended[k, m, c] += alpha * (image[i, j, c] - image[k, m, c])
    for n in range(len(crossings)):
        for end in range(2):
            i, j, k, m, _ = _blended_pixels(crossings[n])
            if end:
                i, j = k, m
            if share[i, j] > 1.0:
                for c in range(channels):
                    blended[i, j, c] = (
                        image[i, j, c] + (blended[i, j, c] - image[i, j, c]) / (share[i, j])
                    )
                share[i, j] = 1.0


@compiled
def blend_backward(
    vertices: Any,
    edges: Any,
    crossings: Any,
    image: Any,
    blended: Any,
    d_blended: Any,
    d_image: Any,
    d_vertices: Any,
) -> None:
    """Write `d_image` (h, w, c) and add to `d_vertices` (v, 3)."""
    height, width, channels = image.shape
    share = np.zeros((height, width), image.dtype)
    for n in range(len(crossings)):
        i, j, k, m, _ = _blended_pixels(crossings[n])
        reach, _ = _reach(vertices, edges, crossings[n])
        alpha = reach - 0.5
        if alpha < 0.0:
            k, m, alpha = i, j, -alpha
        share[k, m] += alpha
    d_image[:] = d_blended
    for n in range(len(crossings)):
        i, j, k, m, outward = _blended_pixels(crossings[n])
        reach, t = _reach(vertices, edges, crossings[n])
        alpha = reach - 0.5
        if alpha < 0.0:
            i, j, k, m, alpha, outward = k, m, i, j, -alpha, -outward
        total = max(share[k, m], 1.0)
        d_alpha = 0.0
        for c in range(channels):
            g = d_blended[k, m, c] / total
            step = image[i, j, c] - image[k, m, c]
            if share[k, m] > 1.0:
                step -= blended[k, m, c] - image[k, m, c]
            d_alpha += g * step
            d_image[i, j, c] += alpha * g
            d_image[k, m, c] -= alpha * g
        d_place = d_alpha * outward
        a = np.uintp(edges[crossings[n, 2], 0])
        b = np.uintp(edges[crossings[n, 2], 1])
        p = 1 if crossings[n, 3] & 2 else 0
        q = 1 - p
        slope = (vertices[b, p] - vertices[a, p]) / (vertices[b, q] - vertices[a, q])
        d_vertices[a, p] += d_place * (1.0 - t)
        d_vertices[b, p] += d_place * t
        d_vertices[a, q] -= d_place * (1.0 - t) * slope
        d_vertices[b, q] -= d_place * t * slope
