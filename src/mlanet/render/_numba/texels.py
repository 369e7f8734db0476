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
    face_starts: Any,
    texel_row: Any,
    texel_column: Any,
    corners: Any,
    uv_faces: Any,
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

    Texels of each triangle lie together, from `face_starts` (f + 1) on; `corners` (t, 2) are those
    of `uv_faces` in texels. `points` (v, 5) are x and y in pixels from `origin`, depth in mm, the
    cosine to the line of sight and the share allowed. `faces_seen` is 0 for triangles that show
    nothing, else 1 plus the number of the depth map in `nearest` (m, h, w) that may hide them; zero
    in a map hides all. `weight` falls with the cosine; `lit` is all or nothing. Indices are
    unsigned: signed ones would be looked at for whether they count from the end.
    """
    height, width = np.float32(photo.shape[0]), np.float32(photo.shape[1])
    last_row, last_column = photo.shape[0] - 1, photo.shape[1] - 1
    map_height, map_width = nearest.shape[1:]
    start = np.empty(5, dtype=np.float32)
    across = np.empty(5, dtype=np.float32)
    down = np.empty(5, dtype=np.float32)
    for f in range(len(faces_seen)):
        kind = faces_seen[f]
        if kind == 0 or face_starts[f] == face_starts[f + 1]:
            continue
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        p, q, r = np.uintp(uv_faces[f, 0]), np.uintp(uv_faces[f, 1]), np.uintp(uv_faces[f, 2])
        left, top = corners[p, 0], corners[p, 1]
        bx, by = corners[q, 0] - left, corners[q, 1] - top
        cx, cy = corners[r, 0] - left, corners[r, 1] - top
        area = bx * cy - by * cx
        for k in range(5):
            to_b, to_c = points[b, k] - points[a, k], points[c, k] - points[a, k]
            start[k] = points[a, k]
            across[k] = (to_b * cy - to_c * by) / area
            down[k] = (to_c * bx - to_b * cx) / area
        for n in range(face_starts[f], face_starts[f + 1]):
            i, j = np.uintp(texel_row[n]), np.uintp(texel_column[n])
            right_of = np.float32(texel_column[n] + 0.5 - left)
            below_it = np.float32(texel_row[n] + 0.5 - top)
            cosine = start[3] + across[3] * right_of + down[3] * below_it
            if cosine <= low:
                continue
            x = start[0] + across[0] * right_of + down[0] * below_it
            y = start[1] + across[1] * right_of + down[1] * below_it
            border = min(
                min(x + origin[0] - content[0], content[2] - x - origin[0]),
                min(y + origin[1] - content[1], content[3] - y - origin[1]),
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
            share = start[4] + across[4] * right_of + down[4] * below_it
            if share <= ZERO:
                continue
            map_x = int(x * nearest_scale)
            map_y = int(y * nearest_scale)
            if map_x < 0 or map_y < 0 or map_x >= map_width or map_y >= map_height:
                continue
            found = nearest[np.uintp(kind - 1), np.uintp(map_y), np.uintp(map_x)]
            if found <= ZERO:
                continue
            depth = start[2] + across[2] * right_of + down[2] * below_it
            behind = depth - found - slack_mm[np.uintp(kind - 1)]
            if behind > ZERO:
                safe = max(cosine, LEAST_COSINE)
                slope = np.sqrt(max(ONE - safe * safe, ZERO)) / safe
                if behind > slope * slope_mm[np.uintp(kind - 1)]:
                    continue
            lit[i, j] = OPAQUE
            ramp = min(max((cosine - low) / (high - low), ZERO), ONE)
            trust = ramp * ramp * (THREE - ramp - ramp) * min(border / fade_px, ONE)
            weight[i, j] = np.uint8(min(WHITE * trust * share, WHITE) + HALF)


@compiled
def compose(
    spans: Any,
    photo: Any,
    weight: Any,
    fields: Any,
    detail: Any,
    contrast: Any,
    texture: Any,
    visibility: Any,
) -> None:
    """Write the `texture` (s, s, 3) and its `visibility` (s, s) in `spans` (s, 2) of its rows.

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
    starts = np.empty(small + 1, dtype=np.intp)
    shares = np.empty(size, dtype=np.float32)
    starts[:] = size
    for column in range(size - 1, -1, -1):
        x = min(max((column + 0.5) * ratio - 0.5, 0.0), small - 1.0)
        shares[column] = x - int(x)
        starts[int(x)] = column
    for left in range(small - 1, -1, -1):  # what no texel reads is empty
        starts[left] = min(starts[left], starts[left + 1])
    for row in range(size):
        first, end = spans[row, 0], spans[row, 1]
        if first >= end:
            continue
        i = np.uintp(row)
        y = min(max((row + 0.5) * ratio - 0.5, 0.0), small - 1.0)
        top = int(y)
        below = min(top + 1, small - 1)
        dy = np.float32(y - top)
        for j in range(small):
            for k in range(channels):
                line[j, k] = fields[top, j, k] + (fields[below, j, k] - fields[top, j, k]) * dy
        for left in range(small):
            begin, stop = max(starts[left], first), min(starts[left + 1], end)
            if begin >= stop:
                continue
            here, there = line[left], line[min(left + 1, small - 1)]
            is_mirrored = here[3] > ZERO or there[3] > ZERO
            is_covered = here[5] > ZERO or there[5] > ZERO
            for column in range(begin, stop):
                j = np.uintp(column)
                dx = shares[j]
                own = np.float32(weight[i, j])
                if own > ZERO:
                    own *= (here[4] + (there[4] - here[4]) * dx) / WHITE
                visibility[i, j] = own
                if own >= ONE:
                    for k in range(3):
                        texture[i, j, k] = photo[i, j, k]
                    continue
                vary = ZERO
                if has_detail:
                    vary = np.float32(detail[i, j]) * STRAND
                skin_light = ONE + vary * contrast[0]
                red = (here[0] + (there[0] - here[0]) * dx) * skin_light
                green = (here[1] + (there[1] - here[1]) * dx) * skin_light
                blue = (here[2] + (there[2] - here[2]) * dx) * skin_light
                if is_covered:
                    cover = here[5] + (there[5] - here[5]) * dx
                    cover += vary * RAGGED * cover * (ONE - cover)
                    cover = min(max(cover, ZERO), ONE)
                    light = ONE + vary * contrast[1]
                    red += cover * ((here[6] + (there[6] - here[6]) * dx) * light - red)
                    green += cover * ((here[7] + (there[7] - here[7]) * dx) * light - green)
                    blue += cover * ((here[8] + (there[8] - here[8]) * dx) * light - blue)
                if is_mirrored:
                    mirrored = here[3] + (there[3] - here[3]) * dx
                    other = np.uintp(size - 1 - column)
                    red += mirrored * np.float32(photo[i, other, 0])
                    green += mirrored * np.float32(photo[i, other, 1])
                    blue += mirrored * np.float32(photo[i, other, 2])
                if own > ZERO:
                    red += own * (np.float32(photo[i, j, 0]) - red)
                    green += own * (np.float32(photo[i, j, 1]) - green)
                    blue += own * (np.float32(photo[i, j, 2]) - blue)
                texture[i, j, 0] = np.uint8(min(max(red, ZERO), WHITE) + HALF)
                texture[i, j, 1] = np.uint8(min(max(green, ZERO), WHITE) + HALF)
                texture[i, j, 2] = np.uint8(min(max(blue, ZERO), WHITE) + HALF)


@compiled
def copy_rows(values: Any, targets: Any, sources: Any) -> None:
    """Copy rows of `values` (n, c): those at `sources` to those at `targets`."""
    for n in range(len(targets)):
        target, source = np.uintp(targets[n]), np.uintp(sources[n])
        for k in range(values.shape[1]):
            values[target, k] = values[source, k]
