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

WHOLLY = np.float32(0.997)
"""Visibility beyond which a texel is the photo's: what is left would be half a level at most."""

MORE_THAN_ONE = np.float32(1.001)
PARTS = np.float32(4096.0)
"""Of the distance of two pixels. A channel times it takes up to 20 bits of the 21 it has."""

GREEN_BITS, BLUE_BITS = np.uint64(21), np.uint64(42)
BELOW_RED, BELOW_GREEN, BELOW_BLUE = np.uint64(12), np.uint64(33), np.uint64(54)
ROUNDING = np.uint64((1 << 11) + (1 << 32) + (1 << 53))
LEAST_COSINE = np.float32(0.25)
"""Steeper slopes are not trusted to be known."""


@compiled
def sample_photo(
    face_starts: Any,
    run_row: Any,
    run_first: Any,
    run_end: Any,
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

    Each triangle's texels lie in rows, from `face_starts` (f + 1) on, from a first column up to an
    end; `corners` (t, 2) are those of `uv_faces` in texels. `points` (v, 5) are x and y in pixels
    from `origin`, depth in mm, the cosine to the line of sight and the share allowed. `faces_seen`
    is 0 for triangles that show nothing, else 1 plus the number of the depth map in `nearest`
    (m, h, w) that may hide them; zero in a map hides all. `weight` falls with the cosine; `lit` is
    all or nothing. What all of a triangle is trusted for is not asked of its texels. Indices are
    unsigned: signed ones would be looked at for whether they count from the end.
    """
    packed = _packed(photo)
    most_u = np.float32(photo.shape[1]) - MORE_THAN_ONE
    most_v = np.float32(photo.shape[0]) - MORE_THAN_ONE
    scale_x, scale_y = photo_scale[0], photo_scale[1]
    map_height, map_width = nearest.shape[1:]
    left_edge, top_edge = np.float32(content[0]) - origin[0], np.float32(content[1]) - origin[1]
    right_edge, bottom_edge = np.float32(content[2]) - origin[0], np.float32(content[3]) - origin[1]
    start = np.empty(5, dtype=np.float32)
    across = np.empty(5, dtype=np.float32)
    down = np.empty(5, dtype=np.float32)
    for f in range(len(faces_seen)):
        kind = faces_seen[f]
        if kind == 0 or face_starts[f] == face_starts[f + 1]:
            continue
        number = np.uintp(kind - 1)
        slack, slope_of = slack_mm[number], slope_mm[number]
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        p, q, r = np.uintp(uv_faces[f, 0]), np.uintp(uv_faces[f, 1]), np.uintp(uv_faces[f, 2])
        left, top = corners[p, 0] - HALF, corners[p, 1] - HALF
        bx, by = corners[q, 0] - corners[p, 0], corners[q, 1] - corners[p, 1]
        cx, cy = corners[r, 0] - corners[p, 0], corners[r, 1] - corners[p, 1]
        share_of_area = ONE / (bx * cy - by * cx)
        for k in range(5):
            to_b, to_c = points[b, k] - points[a, k], points[c, k] - points[a, k]
            start[k] = points[a, k]
            across[k] = (to_b * cy - to_c * by) * share_of_area
            down[k] = (to_c * bx - to_b * cx) * share_of_area
        x_across, y_across, z_across, cosine_across, share_across = across
        trusted = True
        for n in (a, b, c):
            aside = min(points[n, 0] - left_edge, right_edge - points[n, 0])
            border = min(aside, min(points[n, 1] - top_edge, bottom_edge - points[n, 1]))
            trusted &= points[n, 3] >= high and points[n, 4] >= ONE and border >= fade_px
        for n in range(face_starts[f], face_starts[f + 1]):
            i = np.uintp(run_row[n])
            below = np.float32(run_row[n]) - top
            x_start, y_start = start[0] + down[0] * below, start[1] + down[1] * below
            z_start, cosine_start = start[2] + down[2] * below, start[3] + down[3] * below
            share_start = start[4] + down[4] * below
            for column in range(run_first[n], run_end[n]):
                j, aside = np.uintp(column), np.float32(column) - left
                x, y = x_start + x_across * aside, y_start + y_across * aside
                cosine = cosine_start + cosine_across * aside
                if not trusted:
                    border = min(x - left_edge, right_edge - x)
                    border = min(border, min(y - top_edge, bottom_edge - y))
                    if cosine <= low or border < ZERO:
                        continue
                u = max(min(x * scale_x - HALF, most_u), ZERO)
                v = max(min(y * scale_y - HALF, most_v), ZERO)
                color = _between(packed, u, v)
                colors[i, j, 0] = np.uint8(color >> BELOW_RED)
                colors[i, j, 1] = np.uint8(color >> BELOW_GREEN)
                colors[i, j, 2] = np.uint8(color >> BELOW_BLUE)
                share = share_start + share_across * aside
                if not trusted and share <= ZERO:
                    continue
                map_x, map_y = np.int32(x * nearest_scale), np.int32(y * nearest_scale)
                if map_x < 0 or map_y < 0 or map_x >= map_width or map_y >= map_height:
                    continue
                found = nearest[number, np.uintp(map_y), np.uintp(map_x)]
                if found <= ZERO:
                    continue
                behind = z_start + z_across * aside - found - slack
                if behind > ZERO:  # more than the slope's tangent lets expect
                    square = max(cosine, LEAST_COSINE) ** 2
                    if behind * behind * square > (ONE - square) * slope_of * slope_of:
                        continue
                lit[i, j] = OPAQUE
                if trusted:
                    weight[i, j] = OPAQUE
                    continue
                trust = min(share, ONE)
                if cosine < high:
                    ramp = (cosine - low) / (high - low)
                    trust *= ramp * ramp * (THREE - ramp - ramp)
                if border < fade_px:
                    trust *= border / fade_px
                weight[i, j] = np.uint8(np.int32(WHITE * trust + HALF))


@compiled
def _packed(photo: Any) -> Any:
    """The photo with a pixel's three channels in one number, its last row and column twice."""
    height, width = photo.shape[:2]
    packed = np.empty((height + 1, width + 1), dtype=np.uint64)
    for row in range(height + 1):
        i = min(row, height - 1)
        for column in range(width + 1):
            j = min(column, width - 1)
            red, green, blue = photo[i, j, 0], photo[i, j, 1], photo[i, j, 2]
            packed[row, column] = (
                np.uint64(red) | np.uint64(green) << GREEN_BITS | np.uint64(blue) << BLUE_BITS
            )
    return packed


@compiled
def _between(packed: Any, u: Any, v: Any) -> Any:
    """The colour at a place, linear between pixels: shares of 4096, for all channels at once.

    What follows the decimal point of a channel lies below its `BELOW_RED`, and so on.
    """
    column, row = np.int32(u), np.int32(v)
    du, dv = PARTS * (u - np.float32(column)), v - np.float32(row)
    both = np.int32(du * dv + HALF)
    right, lower = np.int32(du + HALF) - both, np.int32(PARTS * dv + HALF) - both
    i, j = np.uintp(row), np.uintp(column)
    below, beside = i + np.uintp(1), j + np.uintp(1)
    return (
        packed[i, j] * np.uint64(np.int32(PARTS) - right - lower - both)
        + packed[i, beside] * np.uint64(right)
        + packed[below, j] * np.uint64(lower)
        + packed[below, beside] * np.uint64(both)
        + ROUNDING
    )


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
    """Complete a `texture` (s, s, 3), which is the photo, in `spans` (s, 2) of its rows.

    Its `visibility` (s, s) is written.

    `fields` (t, t, 9) of any coarser size are read between their texels: skin that completes the
    photo (3, 0 to 255), how far the mirrored photo is added to it, the fade of `weight`, how far
    hair covers the skin, and the hair (3). Both are brightened by `detail` (s, s; or empty) times
    the `contrast` (2) of skin and hair; where hair ends, it does so strand by strand.
    """
    size, small = len(texture), len(fields)
    channels = fields.shape[2]
    has_detail = len(detail) == size
    ratio = small / size
    rows = fields.reshape(small, small * channels)
    flat = np.empty(small * channels, dtype=np.float32)
    line = flat.reshape(small, channels)
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
        over, under = rows[top], rows[below]
        for n in range(len(flat)):
            flat[n] = over[n] + (under[n] - over[n]) * dy
        for left in range(small):
            begin, stop = max(starts[left], first), min(starts[left + 1], end)
            if begin >= stop:
                continue
            here, there = line[left], line[min(left + 1, small - 1)]
            is_mirrored = here[3] > ZERO or there[3] > ZERO
            is_covered = here[5] > ZERO or there[5] > ZERO
            red, green, blue, mirrored, fade, cover, hair_red, hair_green, hair_blue = here
            red_on, green_on, blue_on = there[0] - red, there[1] - green, there[2] - blue
            mirrored_on, fade_on, cover_on = there[3] - mirrored, there[4] - fade, there[5] - cover
            hair_red_on, hair_green_on = there[6] - hair_red, there[7] - hair_green
            hair_blue_on = there[8] - hair_blue
            for column in range(begin, stop):
                j = np.uintp(column)
                dx = shares[j]
                own = np.float32(weight[i, j])
                if own > ZERO:
                    own *= (fade + fade_on * dx) / WHITE
                visibility[i, j] = own
                if own > WHOLLY:
                    continue
                vary = ZERO
                if has_detail:
                    vary = np.float32(detail[i, j]) * STRAND
                light = ONE + vary * contrast[0]
                r = (red + red_on * dx) * light
                g = (green + green_on * dx) * light
                b = (blue + blue_on * dx) * light
                if is_covered:
                    hair = cover + cover_on * dx
                    hair = min(max(hair + vary * RAGGED * hair * (ONE - hair), ZERO), ONE)
                    light = ONE + vary * contrast[1]
                    r += hair * ((hair_red + hair_red_on * dx) * light - r)
                    g += hair * ((hair_green + hair_green_on * dx) * light - g)
                    b += hair * ((hair_blue + hair_blue_on * dx) * light - b)
                if is_mirrored:
                    share, other = mirrored + mirrored_on * dx, np.uintp(size - 1 - column)
                    r += share * np.float32(photo[i, other, 0])
                    g += share * np.float32(photo[i, other, 1])
                    b += share * np.float32(photo[i, other, 2])
                if own > ZERO:
                    r += own * (np.float32(photo[i, j, 0]) - r)
                    g += own * (np.float32(photo[i, j, 1]) - g)
                    b += own * (np.float32(photo[i, j, 2]) - b)
                texture[i, j, 0] = np.uint8(np.int32(min(max(r, ZERO), WHITE) + HALF))
                texture[i, j, 1] = np.uint8(np.int32(min(max(g, ZERO), WHITE) + HALF))
                texture[i, j, 2] = np.uint8(np.int32(min(max(b, ZERO), WHITE) + HALF))


@compiled
def copy_rows(values: Any, targets: Any, sources: Any) -> None:
    """Copy rows of `values` (n, c): those at `sources` to those at `targets`."""
    for n in range(len(targets)):
        target, source = np.uintp(targets[n]), np.uintp(sources[n])
        for k in range(values.shape[1]):
            values[target, k] = values[source, k]
