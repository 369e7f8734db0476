"""The skin of a whole head, cut out of the base mesh, exactly symmetric.

It ends at a ring of edges around the base of the neck. The mouth opens into a bag; the eyes
open into short rims that reach behind the front of the eyeballs.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial import KDTree

from face_model.basemesh import BaseMesh

COLLAR = 1496
"""Vertex of the base mesh at the nape where the neck ends."""

NOSTRIL = (7147, 7148)
"""Vertices of the base mesh that close the left nostril; the tube begins around them."""

NOSTRIL_DEPTHS_MM = (2.5, 6.0, 10.0)
NOSTRIL_SHARES = (0.95, 0.85, 0.6)
"""Rings of the tube: how deep, and how wide relative to its mouth."""

NOSTRIL_AXIS = np.array([0.0, 0.75, -0.66])

LID_RINGS = 3
"""Rows of quads that stay of each eye sac."""


@dataclass(frozen=True)
class Skin:
    """Triangles over the kept vertices of the base mesh.

    Attributes:
        vertices: (v, 3) mm.
        jaw_open: (v, 3) mm.
        faces: (f, 3), exactly mirrored by `mirror`.
        mirror: (v,) partner of each vertex.
        base_index: (v,) vertex of the base mesh, -1 for those in the nostrils.
        lips: closed loop of vertices where the mouth's bag begins.
        lids: the same of the eyes' rims: left, right.
        bag: (v,) bool, vertices of the bag behind the loop.
        rims: (v,) bool, vertices behind the lids' loops.
    """

    vertices: np.ndarray
    jaw_open: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    base_index: np.ndarray
    lips: np.ndarray
    lids: tuple[np.ndarray, np.ndarray]
    bag: np.ndarray
    rims: np.ndarray


def cut_skin(base: BaseMesh) -> Skin:
    """The head's skin of the base mesh."""
    vertices, labels = base.vertices, base.labels
    head = _above_collar(base)
    sacs = [labels["mouth_sac"], labels["eye_sac_left"], labels["eye_sac_right"]]
    outer = head & ~np.logical_or.reduce(sacs)
    loops = [boundary_loop(base.quads, outer, sac) for sac in sacs]
    kept = outer | sacs[0]
    for sac, loop in zip(sacs[1:], loops[1:], strict=True):
        kept |= _rings(base.quads, sac, loop, LID_RINGS)
    used = np.unique(base.quads[kept])
    renumber = np.full(len(vertices), -1)
    renumber[used] = np.arange(len(used))
    here = vertices[used].copy()
    mirror = mirror_map(here)
    here = (here + here[mirror] * [-1, 1, 1]) / 2
    jaw_open = (base.jaw_open[used] + base.jaw_open[used][mirror] * [-1, 1, 1]) / 2
    on_outer = np.zeros(len(used), bool)
    on_outer[renumber[np.unique(base.quads[outer])]] = True
    bag = np.zeros(len(used), bool)
    bag[renumber[np.unique(base.quads[sacs[0]])]] = True
    lips, left, right = (renumber[loop] for loop in loops)
    skin = Skin(
        vertices=here,
        jaw_open=jaw_open,
        faces=symmetric_triangles(renumber[base.quads[kept]], here, mirror),
        mirror=mirror,
        base_index=used,
        lips=lips,
        lids=(left, right),
        bag=bag & ~on_outer,
        rims=~bag & ~on_outer,
    )
    return _with_nostrils(skin, renumber[list(NOSTRIL)])


def _with_nostrils(skin: Skin, cap: np.ndarray) -> Skin:
    """The skin with tubes in place of the nostrils' flat ends; the cap's vertices end them."""
    inside = np.isin(skin.faces, cap).any(axis=1)
    loop = _boundary(skin.faces[inside])
    size, vertices = len(loop), skin.vertices.copy()
    middle = vertices[loop].mean(axis=0)
    rings, count = [loop], len(vertices)
    new: list[np.ndarray] = []
    for depth, share in zip(NOSTRIL_DEPTHS_MM, NOSTRIL_SHARES, strict=True):
        rings.append(count + len(new) + np.arange(size))
        new += list(middle + share * (vertices[loop] - middle) + depth * NOSTRIL_AXIS)
    # The first of the cap's vertices ends the tube, the second goes.
    vertices[cap[0]] = middle + (NOSTRIL_DEPTHS_MM[-1] + 1.5) * NOSTRIL_AXIS
    faces: list[list[int]] = []
    for outer, inner in pairwise(rings):
        for k in range(size):
            a, b, c, d = outer[k], outer[(k + 1) % size], inner[(k + 1) % size], inner[k]
            faces += [[a, b, c], [a, c, d]]
    last = rings[-1]
    faces += [[last[k], last[(k + 1) % size], cap[0]] for k in range(size)]
    added = len(new)
    mirror = np.concatenate(
        [skin.mirror, count + added + np.arange(added), count + np.arange(added)]
    )
    left = np.array(faces)
    right = mirror[left][:, ::-1]
    vertices[skin.mirror[cap[0]]] = vertices[cap[0]] * [-1, 1, 1]
    vertices = np.concatenate([vertices, new, np.array(new) * [-1, 1, 1]])
    gone = np.isin(skin.faces, [*cap, *skin.mirror[cap]]).any(axis=1)
    faces_now = np.concatenate([skin.faces[~gone], left, right])
    kept = np.ones(len(vertices), bool)
    kept[[cap[1], skin.mirror[cap[1]]]] = False
    order = np.cumsum(kept) - 1
    more = np.zeros(2 * added)
    return Skin(
        vertices=vertices[kept],
        jaw_open=np.concatenate([skin.jaw_open, np.zeros((2 * added, 3))])[kept],
        faces=order[faces_now].astype(np.int32),
        mirror=order[mirror[kept]],
        base_index=np.concatenate([skin.base_index, more - 1]).astype(int)[kept],
        lips=order[skin.lips],
        lids=(order[skin.lids[0]], order[skin.lids[1]]),
        bag=np.concatenate([skin.bag, more > 0])[kept],
        rims=np.concatenate([skin.rims, more > 0])[kept],
    )


def _boundary(faces: np.ndarray) -> np.ndarray:
    """The border of a disc of triangles, in their direction."""
    edges = set(_directed(faces))
    following = {i: j for i, j in edges if (j, i) not in edges}
    start = min(following)
    loop = [start]
    while (after := following[loop[-1]]) != start:
        loop.append(after)
    return np.array(loop)


def mirror_map(vertices: np.ndarray) -> np.ndarray:
    """Partner (n,) of each of symmetric vertices (n, 3).

    Raises:
        SystemExit: the map is not one to one.
    """
    _, mirror = KDTree(vertices).query(vertices * [-1, 1, 1])
    if (mirror[mirror] != np.arange(len(mirror))).any():
        raise SystemExit("the mesh is not symmetric")
    return mirror


def symmetric_triangles(quads: np.ndarray, vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Two triangles a quad, along the shorter diagonal; those of mirrored quads are mirrored.

    Raises:
        SystemExit: a quad is its own mirror image, or lacks one.
    """
    corner = vertices[quads]
    diagonal = np.linalg.norm(corner[:, 0] - corner[:, 2], axis=1)
    other = np.linalg.norm(corner[:, 1] - corner[:, 3], axis=1)
    split = np.where(diagonal <= other, 0, 1)
    known = {tuple(sorted(quad)): row for row, quad in enumerate(quads.tolist())}
    triangles: list[list[int]] = []
    for row, quad in enumerate(quads.tolist()):
        partner = known.get(tuple(sorted(mirror[quads[row]].tolist())), row)
        if partner == row:
            raise SystemExit("a quad has no mirror image")
        if vertices[quad, 0].sum() > 0:
            turned = quad[split[row] :] + quad[: split[row]]
            two = [[turned[0], turned[1], turned[2]], [turned[0], turned[2], turned[3]]]
            triangles += two
            triangles += [[int(mirror[k]) for k in triangle[::-1]] for triangle in two]
    return np.array(triangles, dtype=np.int32)


def boundary_loop(quads: np.ndarray, outside: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Vertices of the closed chain of edges between two sets of polygons (-1 pads triangles).

    Raises:
        SystemExit: it is not one loop.
    """
    rest = set(_directed(quads[outside]))
    following = {i: j for i, j in _directed(quads[inside]) if (j, i) in rest}
    start = min(following)
    loop = [start]
    while (after := following[loop[-1]]) != start:
        loop.append(after)
    if len(loop) != len(following):
        raise SystemExit("the opening is not one loop")
    return np.array(loop)


def _directed(quads: np.ndarray) -> list[tuple[int, int]]:
    edges: list[tuple[int, int]] = []
    for quad in quads.tolist():
        polygon = [k for k in quad if k >= 0]
        edges += list(zip(polygon, polygon[1:] + polygon[:1], strict=True))
    return edges


def _rings(quads: np.ndarray, sac: np.ndarray, loop: np.ndarray, count: int) -> np.ndarray:
    """The quads of a sac that lie within some rows of its loop."""
    kept = np.zeros(len(quads), bool)
    reached = loop
    for _ in range(count):
        kept |= sac & np.isin(quads, reached).any(axis=1)
        reached = np.unique(quads[kept])
    return kept


def _above_collar(base: BaseMesh) -> np.ndarray:
    """Quads of the head above the ring of edges through `COLLAR`."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    around: dict[frozenset[int], list[int]] = defaultdict(list)
    for row, quad in enumerate(base.quads.tolist()):
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            neighbours[a].add(b)
            neighbours[b].add(a)
            around[frozenset((a, b))].append(row)
    second = max(neighbours[COLLAR], key=lambda k: base.vertices[k, 0])
    ring = [COLLAR, second]
    while True:
        beside = {k for row in around[frozenset(ring[-2:])] for k in base.quads[row].tolist()}
        ahead = neighbours[ring[-1]] - beside
        if len(ahead) != 1:
            raise SystemExit("the collar is not a ring of edges")
        if (after := ahead.pop()) == COLLAR:
            break
        ring.append(after)
    wall = {frozenset(pair) for pair in zip(ring, ring[1:] + ring[:1], strict=True)}
    top = int(np.argmax(base.vertices[base.quads[:, 0], 1]))
    inside = np.zeros(len(base.quads), bool)
    waiting = [top]
    inside[top] = True
    while waiting:
        quad = base.quads[waiting.pop()].tolist()
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            if (edge := frozenset((a, b))) not in wall:
                for row in around[edge]:
                    if not inside[row]:
                        inside[row] = True
                        waiting.append(row)
    return inside
