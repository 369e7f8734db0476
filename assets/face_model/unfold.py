"""Texture coordinates of the skin, which is cut along the back of the head and unfolded.

The seam runs up the middle of the nape to the crown. What is left is a disc with holes at the
eyes; it is unfolded into a rounded rectangle, exactly left-right symmetric. What people look at
gets more texels for a millimetre than skull, neck and the inside of the mouth. Eyes, teeth and
tongue have islands of their own below.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

MARGIN = 0.004
"""Free border of the texture."""

SKIN_BELOW = 0.13
"""The skin's outline fills the texture above this height; islands lie below."""

CORNER_POWER = 4.0
"""The outline is the superellipse |x|⁴ + |y|⁴ = 1: convex, and it fills most of the texture."""

STRETCH_STEPS = 3
STRETCH_POWER = 0.5
"""How often and how fully local stretch is compensated; more of it shears ears and neck."""

ISLANDS = {
    "eye_left": (0.592, 0.004, 0.118, 0.118),
    "eye_right": (0.290, 0.004, 0.118, 0.118),
    "teeth_upper": (0.716, 0.068, 0.28, 0.054),
    "teeth_lower": (0.716, 0.004, 0.28, 0.054),
    "tongue": (0.4175, 0.004, 0.165, 0.118),
}
"""Left, bottom, width and height of the islands of the other parts. The mirror image of the texture
shows that of the eyes and the tongue, and nothing where the teeth are."""


@dataclass(frozen=True)
class Cut:
    """The skin cut open along a seam.

    Attributes:
        faces: (f, 3) corners among the cut skin's vertices.
        source: (n,) vertex of the skin that each one is.
        mirror: (n,) partner of each.
    """

    faces: np.ndarray
    source: np.ndarray
    mirror: np.ndarray


def cut_skin_open(vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray) -> Cut:
    """Cut along the middle of the back, from the border to the crown.

    Args:
        vertices: (v, 3) of the skin.
        faces: (f, 3), of which no one crosses the middle.
        mirror: (v,).
    """
    count = len(vertices)
    middle = mirror == np.arange(count)
    edges = [edge for edge in directed_edges(faces) if middle[edge[0]] and middle[edge[1]]]
    beside: dict[int, set[int]] = {}
    for i, j in edges:
        beside.setdefault(i, set()).add(j)
        beside.setdefault(j, set()).add(i)
    ends = [k for k in beside if len(beside[k]) == 1]
    seam = [min(ends, key=lambda k: vertices[k, 2])]
    while True:
        ahead = beside[seam[-1]] - set(seam)
        if not ahead or vertices[(after := ahead.pop()), 1] < vertices[seam[-1], 1] - 1e-9:
            break
        seam.append(after)
    doubled = np.array(seam[:-1])
    copy = np.arange(count)
    copy[doubled] = count + np.arange(len(doubled))
    right = vertices[faces, 0].sum(axis=1) < 0
    cut = faces.copy()
    cut[right] = copy[faces[right]]
    cut_mirror = np.concatenate([mirror, doubled])
    cut_mirror[doubled] = copy[doubled]
    return Cut(cut, np.concatenate([np.arange(count), doubled]), cut_mirror)


def skin_uv(
    vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray, importance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates (n, 2) of the cut skin and their triangles (f, 3).

    Args:
        vertices: (v, 3) of the skin, lips parted.
        faces: (f, 3).
        mirror: (v,).
        importance: (v,) texels for a millimetre, relative.

    Raises:
        SystemExit: triangles overlap.
    """
    cut = cut_skin_open(vertices, faces, mirror)
    place, weight, partner = vertices[cut.source], importance[cut.source], cut.mirror
    lids: list[list[int]] = []
    loops = boundary_loops(cut.faces)
    outline = max(loops, key=len)
    patches = [cut.faces]
    hubs: dict[int, int] = {}
    for loop in loops:
        if loop is outline:
            continue
        hub = len(place)
        place = np.concatenate([place, place[loop].mean(axis=0, keepdims=True)])
        weight = np.append(weight, weight[loop].mean())
        patches.append(
            np.array([[j, i, hub] for i, j in zip(loop, [*loop[1:], loop[0]], strict=True)])
        )
        hubs[loop[0]] = hub
        lids.append(loop)
    first, second = (next(hub for start, hub in hubs.items() if start in loop) for loop in lids)
    partner = np.concatenate([partner, [second, first]])
    closed = np.concatenate(patches)
    uv = unfold(place, closed, partner, weight)[: len(cut.source)]
    uv[:, 1] = SKIN_BELOW + (1 - SKIN_BELOW) * uv[:, 1]
    return uv, cut.faces


def placed(name: str, uv: np.ndarray) -> np.ndarray:
    """Coordinates (n, 2) of a square in the island of a part."""
    left, bottom, width, height = ISLANDS[name]
    return np.array([left, bottom]) + uv * [width, height]


def boundary_loops(faces: np.ndarray) -> list[list[int]]:
    """Closed chains of border edges, in the triangles' direction."""
    edges = set(directed_edges(faces))
    following = {i: j for i, j in edges if (j, i) not in edges}
    loops: list[list[int]] = []
    while following:
        start = min(following)
        loop = [start]
        while (after := following.pop(loop[-1])) != start:
            loop.append(after)
        loops.append(loop)
    return loops


def directed_edges(faces: np.ndarray) -> list[tuple[int, int]]:
    """All directed edges of the triangles."""
    return list(map(tuple, faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()))


def unfold(
    vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray, importance: np.ndarray
) -> np.ndarray:
    """Texture coordinates (V, 2) of a symmetric disc (V, 3) with its outline on a convex curve.

    Each inner vertex is a positively weighted mean of its neighbours, which keeps triangles
    from overlapping (Tutte, 1963; Floater, 1997). The weights are mean-value coordinates
    (Floater, 2003), then divided by the local stretch times `importance` (V,) until what
    matters has room (Yoshizawa, Belyaev and Seidel, "A fast and simple stretch-minimizing mesh
    parameterization", 2004).

    Raises:
        SystemExit: triangles overlap, which only asymmetric diagonals of quads could cause.
    """

    def symmetric(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
        return (matrix + matrix[mirror][:, mirror]) / 2

    loop, outline = outline_positions(vertices, faces, mirror, importance)
    weights = symmetric(mean_value_weights(vertices, faces))
    uv = fixed_border_solution(weights, loop, outline)
    for _ in range(STRETCH_STEPS):
        stretch = vertex_stretch(vertices, faces, uv) * importance
        stretch = (stretch + stretch[mirror]) / 2
        weights = symmetric(weights @ sparse.diags((stretch / stretch.mean()) ** -STRETCH_POWER))
        uv = fixed_border_solution(weights, loop, outline)
    uv = (uv + np.stack([1 - uv[mirror, 0], uv[mirror, 1]], axis=1)) / 2
    if (triangle_areas(uv, faces) <= 0).any():
        raise SystemExit("the texture coordinates overlap")
    return uv


def outline_positions(
    vertices: np.ndarray, faces: np.ndarray, mirror: np.ndarray, importance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Border vertices (b,) and their texture coordinates (b, 2), spaced by weighted length."""
    (only,) = boundary_loops(faces)
    loop = np.array(only)
    points = vertices[loop]
    top = int(np.argmax(points[:, 1] - 10 * np.abs(points[:, 0])))
    loop, points = np.roll(loop, -top), np.roll(points, -top, axis=0)
    weight = importance[loop]
    step = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    step *= (weight + np.roll(weight, -1)) / 2
    share = np.concatenate([[0], np.cumsum(step)[:-1]]) / step.sum()

    angle = np.pi / 2 + np.linspace(0, 2 * np.pi, 20_001)
    curve = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    curve /= (np.abs(curve) ** CORNER_POWER).sum(axis=1, keepdims=True) ** (1 / CORNER_POWER)
    travelled = np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum()
    travelled = np.concatenate([[0], travelled]) / travelled[-1]
    place = np.stack([np.interp(share, travelled, curve[:, k]) for k in (0, 1)], axis=1)
    position = np.empty(len(vertices), int)
    position[loop] = np.arange(len(loop))
    place = (place + place[position[mirror[loop]]] * [-1, 1]) / 2
    return loop, 0.5 + (0.5 - MARGIN) * place


def mean_value_weights(vertices: np.ndarray, faces: np.ndarray) -> sparse.csr_matrix:
    """Floater's mean-value coordinates (V, V) of each vertex in terms of its neighbours."""
    rows, columns, values = [], [], []
    for k in range(3):
        i, j, m = (faces[:, (k + turn) % 3] for turn in range(3))
        first, second = vertices[j] - vertices[i], vertices[m] - vertices[i]
        a, b = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
        cosine = (first * second).sum(axis=1) / (a * b)
        half_tangent = np.sqrt(np.clip((1 - cosine) / (1 + cosine), 1e-6, 1e4))
        rows += [i, i]
        columns += [j, m]
        values += [half_tangent / a, half_tangent / b]
    index = np.concatenate(rows), np.concatenate(columns)
    shape = (len(vertices), len(vertices))
    return sparse.csr_matrix((np.concatenate(values), index), shape=shape)


def fixed_border_solution(
    weights: sparse.csr_matrix, loop: np.ndarray, outline: np.ndarray
) -> np.ndarray:
    """Positions (V, 2) that are weighted means of their neighbours', given the border's."""
    total = np.asarray(weights.sum(axis=1)).ravel()
    count = len(total)
    laplacian = (sparse.diags(total) - weights).tocsr()
    free = np.ones(count, bool)
    free[loop] = False
    uv = np.zeros((count, 2))
    uv[loop] = outline
    right = -laplacian[free][:, ~free] @ uv[~free]
    uv[free] = np.asarray(spsolve(laplacian[free][:, free].tocsc(), right))
    return uv


def vertex_stretch(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Root mean square stretch (V,) from texture to surface (Sander et al., 2001)."""
    q, p = uv[faces], vertices[faces]
    double_area = 2 * triangle_areas(uv, faces)[:, None]
    after, before = np.roll(q, -1, axis=1), np.roll(q, 1, axis=1)
    along_u = (p * (after - before)[..., 1:]).sum(axis=1) / double_area
    along_v = (p * (before - after)[..., :1]).sum(axis=1) / double_area
    square = ((along_u**2).sum(axis=1) + (along_v**2).sum(axis=1)) / 2
    area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
    corner, count = faces.reshape(-1), len(vertices)
    total = np.bincount(corner, np.repeat(area * square, 3), minlength=count)
    return np.sqrt(total / np.bincount(corner, np.repeat(area, 3), minlength=count))


def triangle_areas(uv: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Signed areas (F,), positive for counter-clockwise triangles."""
    a, b, c = (uv[faces[:, k]] for k in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return (ux * vy - uy * vx) / 2


def neighbour_mean(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """The matrix (V, V) that averages over the neighbours of each vertex."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    matrix = sparse.csr_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count))
    return sparse.diags(1 / np.asarray(matrix.sum(axis=1)).ravel()) @ matrix


def smoothed(values: np.ndarray, average: sparse.csr_matrix, steps: int) -> np.ndarray:
    """Values (V,) moved half-way to their neighbours' mean, several times."""
    for _ in range(steps):
        values = (values + average @ values) / 2
    return values
