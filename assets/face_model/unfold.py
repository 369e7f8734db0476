"""Stage 2d of the embedded face model: texture coordinates.

The mesh is a disc and is unfolded into a rounded square, exactly left-right symmetric. What
people look at gets more texels for a millimetre than ears, neck and scalp.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from face_model.modes import mirrored
from face_model.topology import outer_boundary

MARGIN = 0.005
"""Free border of the texture."""

CORNER_POWER = 4.0
"""The outline is the superellipse |x|⁴ + |y|⁴ = 1: convex, and it fills most of the texture."""

STRETCH_STEPS = 2
STRETCH_POWER = 0.5
"""How often and how fully local stretch is compensated; more of it shears ears and neck."""

JAW_OPEN = 0.5
"""The lips are parted before unfolding, so that the mouth between them has room."""

OUTSIDE_WEIGHT = 0.5
DETAIL_WEIGHT = 0.35
"""Texels for a millimetre: the face counts 1, the rest of the head 0.5, details 0.35 more."""


def face_uv(
    mean: np.ndarray,
    jaw_open: np.ndarray,
    faces: np.ndarray,
    mirror: np.ndarray,
    regions: dict[str, np.ndarray],
) -> np.ndarray:
    """Texture coordinates (V, 2) in [0, 1] of the mean (V, 3) and its expression jawOpen.

    Raises:
        SystemExit: triangles overlap.
    """
    vertices = mean.astype(float) + JAW_OPEN * jaw_open.astype(float)
    vertices = (vertices + mirrored(vertices, mirror)) / 2
    blur = neighbour_mean(faces, len(vertices))
    face = np.maximum.reduce([regions["face"], regions["eyes"], regions["mouth"]]).astype(float)
    eyes = smoothed(regions["eyes"].astype(float), blur, 6)
    nose = smoothed(regions["nose"].astype(float), blur, 4)
    details = np.maximum.reduce([eyes / eyes.max(), nose, regions["lips"].astype(float)])
    importance = smoothed(OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * face, blur, 3)
    importance += DETAIL_WEIGHT * details
    return unfold(vertices, faces, mirror, (importance + importance[mirror]) / 2)


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
    loop = np.array(outer_boundary(faces))
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
    return sparse.coo_matrix((np.concatenate(values), index), shape=shape).tocsr()


def fixed_border_solution(
    weights: sparse.csr_matrix, loop: np.ndarray, outline: np.ndarray
) -> np.ndarray:
    """Positions (V, 2) that are weighted means of their neighbours', given the border's."""
    count = weights.shape[0]
    laplacian = (sparse.diags(np.asarray(weights.sum(axis=1)).ravel()) - weights).tocsr()
    free = np.ones(count, bool)
    free[loop] = False
    uv = np.zeros((count, 2))
    uv[loop] = outline
    right = -laplacian[free][:, ~free] @ uv[~free]
    uv[free] = spsolve(laplacian[free][:, free].tocsc(), right)
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
    matrix = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count)).tocsr()
    return sparse.diags(1 / np.asarray(matrix.sum(axis=1)).ravel()) @ matrix


def smoothed(values: np.ndarray, average: sparse.csr_matrix, steps: int) -> np.ndarray:
    """Values (V,) moved half-way to their neighbours' mean, several times."""
    for _ in range(steps):
        values = (values + average @ values) / 2
    return values
