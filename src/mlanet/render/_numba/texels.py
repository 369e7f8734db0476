"""Loops over the texels of a texture."""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled

OPAQUE = 255


@compiled
def sample_photo(
    texel_row: Any,
    texel_column: Any,
    face_index: Any,
    barycentric: Any,
    faces: Any,
    faces_seen: Any,
    points: Any,
    photo: Any,
    photo_scale: Any,
    nearest: Any,
    nearest_scale: Any,
    slack_mm: Any,
    slope_mm: Any,
    low: Any,
    high: Any,
    fade_px: Any,
    content: Any,
    origin: Any,
    colors: Any,
    weight: Any,
    lit: Any,
) -> None:
    """Write the photo's `colors` (s, s, 3), `weight` and `lit` (s, s) at texels that it shows.

    `points` (v, 5) are x and y in pixels from `origin`, depth in mm, the cosine to the line of sight and the
    share allowed. `faces_seen` is 0 for triangles that show nothing, else 1 plus the number of the
    depth map in `nearest` (m, h, w) that may hide them; zero in a map hides all. `weight` falls
    with the cosine; `lit` is all or nothing.
    """
    height, width = photo.shape[0], photo.shape[1]
    map_height, map_width = nearest.shape[1:]
    for n in range(len(texel_row)):
        i, j = texel_row[n], texel_column[n]
        f = face_index[i, j]
        kind = faces_seen[f]
        if kind == 0:
            continue
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        wa, wb, wc = barycentric[i, j, 0], barycentric[i, j, 1], barycentric[i, j, 2]
        cosine = wa * points[a, 3] + wb * points[b, 3] + wc * points[c, 3]
        share = wa * points[a, 4] + wb * points[b, 4] + wc * points[c, 4]
        x = wa * points[a, 0] + wb * points[b, 0] + wc * points[c, 0]
        y = wa * points[a, 1] + wb * points[b, 1] + wc * points[c, 1]
        left, top = x + origin[0], y + origin[1]
        border = min(
            min(left - content[0], content[2] - left), min(top - content[1], content[3] - top)
        )
        if border < 0.0:
            continue
        u = min(max(x * photo_scale[0] - 0.5, 0.0), width - 1.001)
        v = min(max(y * photo_scale[1] - 0.5, 0.0), height - 1.001)
        u, v = max(u, 0.0), max(v, 0.0)
        column, row = int(u), int(v)
        right, below = min(column + 1, width - 1), min(row + 1, height - 1)
        du, dv = u - column, v - row
        for k in range(3):
            upper = photo[row, column, k] * (1.0 - du) + photo[row, right, k] * du
            lower = photo[below, column, k] * (1.0 - du) + photo[below, right, k] * du
            colors[i, j, k] = int(upper + (lower - upper) * dv + 0.5)
        if cosine <= low or share <= 0.0:
            continue
        map_x = int(x * nearest_scale)
        map_y = int(y * nearest_scale)
        if map_x < 0 or map_y < 0 or map_x >= map_width or map_y >= map_height:
            continue
        found = nearest[kind - 1, map_y, map_x]
        depth = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
        safe = max(cosine, 0.25)
        slope = np.sqrt(max(1.0 - safe * safe, 0.0)) / safe
        if found <= 0.0 or depth > found + slack_mm[kind - 1] + slope * slope_mm[kind - 1]:
            continue
        lit[i, j] = OPAQUE
        ramp = min(max((cosine - low) / (high - low), 0.0), 1.0)
        inside = min(border / fade_px, 1.0)
        weight[i, j] = int(OPAQUE * ramp * ramp * (3.0 - 2.0 * ramp) * inside * share + 0.5)


@compiled
def compose(
    texel_row_start: Any,
    texel_column: Any,
    photo: Any,
    weight: Any,
    fields: Any,
    texture: Any,
    visibility: Any,
) -> None:
    """Write the `texture` (s, s, 3) and its `visibility` (s, s) at texels, row by row.

    `fields` (t, t, 5) of any coarser size are read between their texels: what completes the
    photo (3, 0 to 255), how far the mirrored photo is added to it, and the fade of `weight`.
    """
    size, small = len(texture), len(fields)
    ratio = small / size
    line = np.empty((small, 5), dtype=np.float32)
    for i in range(size):
        start, end = texel_row_start[i], texel_row_start[i + 1]
        if start == end:
            continue
        y = min(max((i + 0.5) * ratio - 0.5, 0.0), small - 1.0)
        top = int(y)
        below = min(top + 1, small - 1)
        dy = np.float32(y - top)
        for j in range(small):
            for k in range(5):
                line[j, k] = fields[top, j, k] + (fields[below, j, k] - fields[top, j, k]) * dy
        for n in range(start, end):
            j = texel_column[n]
            x = min(max((j + 0.5) * ratio - 0.5, 0.0), small - 1.0)
            left = int(x)
            right = min(left + 1, small - 1)
            dx = np.float32(x - left)
            mirrored = line[left, 3] + (line[right, 3] - line[left, 3]) * dx
            own = np.float32(weight[i, j])
            if own > 0.0:
                fade = line[left, 4] + (line[right, 4] - line[left, 4]) * dx
                own *= fade / np.float32(OPAQUE)
            visibility[i, j] = own
            other = size - 1 - j
            for k in range(3):
                rest = line[left, k] + (line[right, k] - line[left, k]) * dx
                if mirrored > 0.0:
                    rest += mirrored * photo[i, other, k]
                value = rest + own * (photo[i, j, k] - rest)
                texture[i, j, k] = int(min(max(value, 0.0), 255.0) + 0.5)
