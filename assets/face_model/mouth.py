"""Teeth with gums, and the tongue, shaped along the arches of ICT-FaceKit's mean head.

They are our own meshes. What moves them is affine: the least-squares affine map of the motion of
ICT-FaceKit's teeth, which turn with the jaw and differ between people.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

# From the middle to the back: place of the crown (x, z), height of its edge, half thickness,
# width, all in mm of the mean head, measured on its teeth. The upper front teeth then reach 1.5 mm
# farther down, so that an open mouth shows them, and the lower ones make room.
UPPER = np.array([
    (4.4, 105.0, -36.8, 2.0, 8.6), (11.6, 101.5, -35.9, 2.0, 7.2), (16.7, 95.6, -35.5, 2.9, 8.0),
    (18.9, 88.9, -34.3, 4.1, 7.0), (21.2, 82.0, -33.6, 4.5, 6.8), (23.0, 74.0, -33.1, 5.1, 9.6),
])  # fmt: skip
LOWER = np.array([
    (3.5, 102.1, -35.0, 2.0, 6.0), (9.6, 99.3, -34.6, 2.1, 6.4), (15.0, 94.3, -34.1, 2.4, 7.2),
    (18.0, 88.1, -33.6, 3.4, 6.8), (20.2, 82.0, -33.4, 3.7, 6.8), (22.3, 74.0, -32.0, 4.3, 9.6),
])  # fmt: skip
CROWN_MM = np.array([9.2, 8.4, 8.8, 7.4, 7.0, 6.4])

BEHIND_LIPS_MM = 1.0
"""Teeth stand this much farther back than those of the scanned head: lips must not pass them."""

GUM, TOOTH = 0, 1
TOOTH_ROWS = (GUM, GUM, TOOTH, TOOTH, TOOTH, TOOTH, GUM)
SIDE = 0.13
"""Share of a tooth's width from the groove to where its face begins."""

GROOVE_UPPER, GROOVE_LOWER = 0.8, 0.45
"""Depth of the grooves between teeth; lower ones stand closer."""

CAP_WIDTH = 0.03
"""Share of a texture island's width for each flat end of a row of teeth."""

TONGUE_SIDES = 10
# Along the tongue at rest, from the root to the tip: height, depth, half width, half thickness.
TONGUE = np.array([
    (-40.0, 36.0, 12.0, 7.0), (-36.5, 44.0, 14.5, 7.5), (-35.5, 52.0, 15.0, 7.5),
    (-35.8, 60.0, 14.8, 7.0), (-36.8, 68.0, 14.2, 6.4), (-38.2, 76.0, 13.2, 5.6),
    (-39.6, 83.0, 11.8, 4.8), (-40.8, 89.0, 9.6, 3.9), (-41.6, 93.5, 6.6, 2.8),
])  # fmt: skip
# The same, stuck out between the teeth of a jaw that is a third open.
TONGUE_OUT = np.array([
    (-45.0, 44.0, 12.0, 6.5), (-43.0, 56.0, 13.5, 6.0), (-41.6, 68.0, 13.6, 5.0),
    (-40.8, 80.0, 13.0, 4.0), (-40.4, 92.0, 12.4, 3.4), (-41.2, 103.0, 11.8, 3.2),
    (-43.6, 113.0, 11.0, 3.2), (-48.2, 121.5, 9.2, 3.0), (-53.4, 127.0, 6.0, 2.2),
])  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A separate mesh: vertices (v, 3), triangles, partner of each vertex.

    Attributes:
        uv: (t, 2) in a square.
        uv_faces: (f, 3) triangles of `uv`.
        shade: (v,) what is painted: `GUM`, `TOOTH` or between; darkness of gaps in `dark`.
        dark: (v,) in [0, 1].
    """

    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    shade: np.ndarray
    dark: np.ndarray


def teeth(upper: bool) -> Part:
    """A row of twelve teeth with its gums: a closed tube along the arch.

    Each tooth has two columns of vertices, and between two teeth there is a narrow groove.
    """
    table = UPPER if upper else LOWER
    crown = CROWN_MM * (1.0 if upper else 0.88)
    both = np.concatenate([table[::-1] * [-1, 1, 1, 1, 1], table])
    crown = np.concatenate([crown[::-1], crown])
    steps = np.linalg.norm(np.diff(both[:, :2], axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    length -= (length[0] + length[-1]) / 2
    grooves = np.concatenate([
        length[:1] - both[:1, 4] / 2, (length[1:] + length[:-1]) / 2,
        length[-1:] + both[-1:, 4] / 2,
    ])  # fmt: skip
    width = np.diff(grooves)
    sides = [grooves[:-1] + SIDE * width, grooves[1:] - SIDE * width]
    columns = np.sort(np.concatenate([grooves, *sides]))
    groove = (np.arange(len(columns)) % 3 == 0) * (GROOVE_UPPER if upper else GROOVE_LOWER)
    line = CubicSpline(length, both[:, :2])
    place, along = line(columns), line(columns, 1)
    outward = np.stack([-along[:, 1], along[:, 0]], axis=1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    of_column = np.clip((np.arange(len(columns)) - 0.5) / 3, 0, len(both) - 1).astype(int)
    edge, half, high = (
        np.where(groove > 0, np.interp(columns, length, values), values[of_column])
        for values in (both[:, 2], both[:, 3], crown)
    )
    molar = np.clip((half - 2.2) / 2.0, 0, 1)
    # Each row: distance outwards, height from the edge.
    rows = [
        (half + 0.4, high + 3.0),
        (half + 0.75 - 0.2 * groove, high + 0.3 - 1.5 * groove),
        (half + 0.25 - 0.5 * groove, high - 0.3 - 1.5 * groove),
        (half + 0.45 - 1.1 * groove, 0.45 * high),
        ((0.5 + 0.35 * molar) * half + 0.4 - 0.9 * groove, 0.05 + 0.8 * groove),
        (-(0.2 + 0.5 * molar) * half + 0.4, 0.15 + 0.8 * groove),
        (-half, high + 1.5),
    ]
    place = place - [0.0, BEHIND_LIPS_MM]
    up = 1.0 if upper else -1.0
    points = np.array([
        np.stack([
            place[:, 0] + out * outward[:, 0], edge + up * height, place[:, 1] + out * outward[:, 1]
        ], axis=1)
        for out, height in rows
    ])  # fmt: skip
    count, size = len(rows), len(columns)
    index = np.arange(count * size).reshape(count, size)
    mirror = index[:, ::-1].ravel()
    vertices = points.reshape(-1, 3)
    faces = _tube_faces(index, turned=upper)
    share = (columns - columns[0]) / (columns[-1] - columns[0])
    uv, uv_faces = _tube_uv(index, CAP_WIDTH + (1 - 2 * CAP_WIDTH) * share, turned=upper)
    return Part(
        vertices=(vertices + vertices[mirror] * [-1, 1, 1]) / 2,
        faces=faces,
        mirror=mirror,
        uv=uv,
        uv_faces=uv_faces,
        shade=np.repeat(np.array(TOOTH_ROWS, float), size),
        dark=(groove * np.isin(np.arange(count), [2, 3, 4, 5])[:, None]).ravel(),
    )


def tongue() -> tuple[Part, np.ndarray]:
    """The tongue at rest, and its vertices stuck out in the mean head with a parted jaw."""
    angles = 2 * np.pi * np.arange(TONGUE_SIDES) / TONGUE_SIDES - np.pi / 2

    def shape(table: np.ndarray) -> np.ndarray:
        line = table[:, :2]
        ahead = np.gradient(line, axis=0)
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        normal = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)  # (y, z), upwards
        x = table[:, 2, None] * np.cos(angles)
        rise = np.sin(angles) - 0.22 * np.exp(-((np.cos(angles) / 0.3) ** 2)) * (np.sin(angles) > 0)
        rise = table[:, 3, None] * rise
        y = line[:, :1] + rise * normal[:, :1]
        z = line[:, 1:] + rise * normal[:, 1:]
        rings = np.stack([x, y, z], axis=-1)
        tip = np.append(0.0, line[-1] + ahead[-1] * table[-1, 3] * 0.8)
        return np.concatenate([rings.reshape(-1, 3), tip[None]])

    count = len(TONGUE)
    index = np.arange(count * TONGUE_SIDES).reshape(count, TONGUE_SIDES)
    partner = index[:, -np.arange(TONGUE_SIDES) % TONGUE_SIDES]
    tip = index.size
    faces: list[list[int]] = []
    mirror = np.append(partner.ravel(), tip)
    for a, b in pairwise(range(count)):
        for k in range(TONGUE_SIDES // 2):
            quad = [index[a, k], index[a, k + 1], index[b, k + 1], index[b, k]]
            two = [[quad[0], quad[1], quad[2]], [quad[0], quad[2], quad[3]]]
            faces += two + [[int(mirror[i]) for i in triangle[::-1]] for triangle in two]
    last = index[-1]
    faces += [[last[k], last[(k + 1) % TONGUE_SIDES], tip] for k in range(TONGUE_SIDES)]
    rest = shape(TONGUE)
    oriented = np.array(faces, dtype=np.int32)
    if _volume(rest, oriented) < 0:
        oriented = oriented[:, ::-1]
    uv, uv_faces = _round_uv(oriented, count)
    part = Part(
        vertices=rest,
        faces=np.ascontiguousarray(oriented),
        mirror=mirror,
        uv=uv,
        uv_faces=uv_faces,
        shade=np.zeros(len(rest)),
        dark=np.append(np.repeat(np.linspace(0.7, 0.0, count), TONGUE_SIDES), 0.0),
    )
    return part, shape(TONGUE_OUT)


def _tube_faces(index: np.ndarray, *, turned: bool) -> np.ndarray:
    """Triangles of a closed tube of rows and columns, mirrored left to right, with flat ends."""
    faces: list[list[int]] = []
    rows, columns = index.shape
    for r in range(rows):
        for c in range(columns - 1):
            a, b = index[r, c], index[r, c + 1]
            d, e = index[(r + 1) % rows, c + 1], index[(r + 1) % rows, c]
            faces += [[a, b, d], [a, d, e]] if c < columns // 2 else [[a, b, e], [b, d, e]]
    for r in range(1, rows - 1):
        faces.append([index[0, 0], index[r, 0], index[r + 1, 0]])
        faces.append([index[0, -1], index[r + 1, -1], index[r, -1]])
    array = np.array(faces, dtype=np.int32)
    return np.ascontiguousarray(array[:, ::-1]) if turned else array


def _tube_uv(
    index: np.ndarray, across: np.ndarray, *, turned: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of a tube that is slit along its first row, with its ends beside it."""
    rows, columns = index.shape
    slit = np.concatenate([index, index.max() + 1 + np.arange(columns)[None]])
    heights = np.linspace(0.0, 1.0, rows + 1)
    uv = [np.stack([np.tile(across, rows + 1), np.repeat(heights, columns)], axis=1)]
    faces: list[list[int]] = []
    for r in range(rows):
        for c in range(columns - 1):
            a, b, d, e = slit[r, c], slit[r, c + 1], slit[r + 1, c + 1], slit[r + 1, c]
            faces += [[a, b, d], [a, d, e]] if c < columns // 2 else [[a, b, e], [b, d, e]]
    angle = 2 * np.pi * np.arange(rows) / rows
    first = slit.size
    for r in range(1, rows - 1):
        faces += [[first, first + r, first + r + 1]]
        faces += [[first + rows, first + rows + r + 1, first + rows + r]]
    radius = 0.4 * CAP_WIDTH
    for middle, way in ((0.5 * CAP_WIDTH, 1.0), (1 - 0.5 * CAP_WIDTH, -1.0)):
        ring = np.stack([radius * np.cos(angle), 0.3 * way * np.sin(angle)], axis=1)
        uv.append(ring + np.array([middle, 0.5]))
    found, array = np.concatenate(uv), np.array(faces, dtype=np.int32)
    if turned:
        return found * [1, -1] + [0, 1], np.ascontiguousarray(array[:, ::-1])
    return found, array


def _round_uv(faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the tongue, slit along its underside; its last vertex is the tip."""
    tip = count * TONGUE_SIDES
    known: dict[tuple[int, float], int] = {}
    corners: list[list[int]] = []
    places: list[tuple[float, float]] = []
    for face in faces.tolist():
        columns = [float(k % TONGUE_SIDES) for k in face if k != tip]
        wraps = max(columns) > TONGUE_SIDES / 2
        columns = [TONGUE_SIDES if wraps and k == 0 else k for k in columns]
        corner: list[int] = []
        for vertex in face:
            if vertex == tip:
                place = (sum(columns) / len(columns) / TONGUE_SIDES, 1.0)
            else:
                column = vertex % TONGUE_SIDES
                column = TONGUE_SIDES if wraps and column == 0 else column
                place = (column / TONGUE_SIDES, 0.95 * (vertex // TONGUE_SIDES) / (count - 1))
            key = (vertex, place[0])
            if key not in known:
                known[key] = len(places)
                places.append(place)
            corner.append(known[key])
        corners.append(corner)
    uv, triangles = np.array(places), np.array(corners, dtype=np.int32)
    a, b, c = (uv[triangles[:, k]] for k in range(3))
    turned = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() < 0
    return (uv * [-1, 1] + [1, 0] if turned else uv), triangles


def _volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float((a * np.cross(b, c)).sum())


def affine_motion(place: np.ndarray, motion: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Motion (m, 3) of points (m, 3) elsewhere (n, 3), by the least-squares affine map."""
    centre = place.mean(axis=0)
    system = np.concatenate([place - centre, np.ones((len(place), 1))], axis=1)
    matrix, *_ = np.linalg.lstsq(system, motion, rcond=None)
    return np.concatenate([onto - centre, np.ones((len(onto), 1))], axis=1) @ matrix
