"""Loops over the texels of a texture."""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled

OPAQUE = 255

ZERO, HALF, ONE, THREE, WHITE = (np.float32(x) for x in (0.0, 0.5, 1.0, 3.0, 255.0))
STRAND = np.float32(3.0 / 127.0)
"""Of `strands`: one standard deviation."""

RAGGED = np.float32(1.0)
"""Of detail: how much it moves the border of hair, at most a quarter of this."""

MORE_THAN_ONE = np.float32(1.001)
LEAST_COSINE = np.float32(0.25)
"""Steeper slopes are not trusted to be known."""


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

    `points` (v, 5) are x and y in pixels from `origin`, depth in mm, the cosine to the line of
    sight and the share allowed. `faces_seen` is 0 for triangles that show nothing, else 1 plus the
    number of the depth map in `nearest` (m, h, w) that may hide them; zero in a map hides all.
    `weight` falls with the cosine; `lit` is all or nothing. Indices are unsigned: signed ones
    would be looked at for whether they count from the end.
    """
    height, width = np.float32(photo.shape[0]), np.float32(photo.shape[1])
    last_row, last_column = photo.shape[0] - 1, photo.shape[1] - 1
    map_height, map_width = nearest.shape[1:]
    for n in range(len(texel_row)):
        i, j = np.uintp(texel_row[n]), np.uintp(texel_column[n])
        f = np.uintp(face_index[i, j])
        kind = faces_seen[f]
        if kind == 0:
            continue
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        wa, wb, wc = barycentric[i, j, 0], barycentric[i, j, 1], barycentric[i, j, 2]
        cosine = wa * points[a, 3] + wb * points[b, 3] + wc * points[c, 3]
        if cosine <= low:
            continue
        share = wa * points[a, 4] + wb * points[b, 4] + wc * points[c, 4]
        x = wa * points[a, 0] + wb * points[b, 0] + wc * points[c, 0]
        y = wa * points[a, 1] + wb * points[b, 1] + wc * points[c, 1]
        left, top = x + origin[0], y + origin[1]
        border = min(
            min(left - content[0], content[2] - left), min(top - content[1], content[3] - top)
        )
        if border < ZERO:
            continue
        u = max(min(x * photo_scale[0] - HALF, width - MORE_THAN_ONE), ZERO)
        v = max(min(y * photo_scale[1] - HALF, height - MORE_THAN_ONE), ZERO)
        column, row = np.uintp(u), np.uintp(v)
        right = np.uintp(min(int(u) + 1, last_column))
        below = np.uintp(min(int(v) + 1, last_row))
        du, dv = u - np.float32(column), v - np.float32(row)
        for k in range(3):
            a_k, b_k = np.float32(photo[row, column, k]), np.float32(photo[row, right, k])
            c_k, d_k = np.float32(photo[below, column, k]), np.float32(photo[below, right, k])
            upper, lower = a_k + (b_k - a_k) * du, c_k + (d_k - c_k) * du
            colors[i, j, k] = np.uint8(upper + (lower - upper) * dv + HALF)
        if share <= ZERO:
            continue
        map_x = int(x * nearest_scale)
        map_y = int(y * nearest_scale)
        if map_x < 0 or map_y < 0 or map_x >= map_width or map_y >= map_height:
            continue
        found = nearest[np.uintp(kind - 1), np.uintp(map_y), np.uintp(map_x)]
        depth = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
        behind = depth - found - slack_mm[np.uintp(kind - 1)]
        if found <= ZERO:
            continue
        if behind > ZERO:
            safe = max(cosine, LEAST_COSINE)
            slope = np.sqrt(max(ONE - safe * safe, ZERO)) / safe
            if behind > slope * slope_mm[np.uintp(kind - 1)]:
                continue
        lit[i, j] = OPAQUE
        ramp = min(max((cosine - low) / (high - low), ZERO), ONE)
        inside = min(border / fade_px, ONE)
        weight[i, j] = np.uint8(WHITE * ramp * ramp * (THREE - ramp - ramp) * inside * share + HALF)


@compiled
def compose(
    texel_row_start: Any,
    texel_column: Any,
    photo: Any,
    weight: Any,
    fields: Any,
    detail: Any,
    contrast: Any,
    texture: Any,
    visibility: Any,
) -> None:
    """Write the `texture` (s, s, 3) and its `visibility` (s, s) at texels, row by row.

    `fields` (t, t, 9) of any coarser size are read between their texels: skin that completes the
    photo (3, 0 to 255), how far the mirrored photo is added to it, the fade of `weight`, how far
    hair covers the skin, and the hair (3). Both are brightened by `detail` (s, s; or empty) times
    the `contrast` (2) of skin and hair; where hair ends, it does so strand by strand.
    """
    size, small = len(texture), len(fields)
    channels = fields.shape[2]
    has_detail = len(detail) == size
    ratio = small / size
    line = np.empty((small, channels), dtype=np.float32)
    lefts = np.empty(size, dtype=np.uintp)
    rights = np.empty(size, dtype=np.uintp)
    shares = np.empty(size, dtype=np.float32)
    for j in range(size):
        x = min(max((j + 0.5) * ratio - 0.5, 0.0), small - 1.0)
        lefts[j] = int(x)
        rights[j] = min(int(x) + 1, small - 1)
        shares[j] = x - int(x)
    for row in range(size):
        i = np.uintp(row)
        start, end = texel_row_start[i], texel_row_start[row + 1]
        if start == end:
            continue
        y = min(max((row + 0.5) * ratio - 0.5, 0.0), small - 1.0)
        top = int(y)
        below = min(top + 1, small - 1)
        dy = np.float32(y - top)
        for j in range(small):
            for k in range(channels):
                line[j, k] = fields[top, j, k] + (fields[below, j, k] - fields[top, j, k]) * dy
        for n in range(start, end):
            j = np.uintp(texel_column[n])
            left, right, dx = lefts[j], rights[j], shares[j]
            mirrored = line[left, 3] + (line[right, 3] - line[left, 3]) * dx
            own = np.float32(weight[i, j])
            if own > ZERO:
                fade = line[left, 4] + (line[right, 4] - line[left, 4]) * dx
                own *= fade / np.float32(OPAQUE)
            visibility[i, j] = own
            if own >= ONE:
                for k in range(3):
                    texture[i, j, k] = photo[i, j, k]
                continue
            other = np.uintp(size - 1 - texel_column[n])
            vary = ZERO
            if has_detail:
                vary = np.float32(detail[i, j]) * STRAND
            cover = line[left, 5] + (line[right, 5] - line[left, 5]) * dx
            if cover > ZERO:
                cover = min(max(cover + vary * RAGGED * cover * (ONE - cover), ZERO), ONE)
            skin_light, hair_light = ONE + vary * contrast[0], ONE + vary * contrast[1]
            for k in range(3):
                rest = ZERO
                if cover < ONE:
                    rest = line[left, k] + (line[right, k] - line[left, k]) * dx
                    rest *= skin_light
                if cover > ZERO:
                    hair = line[left, 6 + k] + (line[right, 6 + k] - line[left, 6 + k]) * dx
                    rest += cover * (hair * hair_light - rest)
                if mirrored > ZERO:
                    rest += mirrored * np.float32(photo[i, other, k])
                if own > ZERO:
                    rest += own * (np.float32(photo[i, j, k]) - rest)
                texture[i, j, k] = np.uint8(min(max(rest, ZERO), WHITE) + HALF)


@compiled
def copy_rows(values: Any, targets: Any, sources: Any) -> None:
    """Copy rows of `values` (n, c): those at `sources` to those at `targets`."""
    for n in range(len(targets)):
        target, source = np.uintp(targets[n]), np.uintp(sources[n])
        for k in range(values.shape[1]):
            values[target, k] = values[source, k]
