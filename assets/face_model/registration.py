"""Our skin laid once onto the mean of ICT-FaceKit, in a pose with parted lips.

Lips that touch cannot be told apart by closest points; with the jaw half open they can. Outer skin
is matched to outer skin, the mouth's bag to the bag and the lids' rims to the sockets, and the
loops between them to each other. Displacements are kept smooth, less and less so (Amberg,
Romdhani and Vetter, "Optimal step nonrigid ICP algorithms for surface registration", 2007). In
the end it is the subdivided surface that is fitted, towards the scanned surface and from it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from face_model.scanned import HEAD, MOUTH_SAC, ScannedHead
from face_model.skin import Skin
from face_model.subdivision import Subdivision
from mlanet.geometry import MeshTopology, SurfaceIndex, fit_similarity, vertex_normals

LANDMARKS = Path(__file__).resolve().parent / "landmarks68.json"
"""The 68 landmarks on the base mesh: `start` holds the registration, `places` is where labelled
faces have them (places.py writes it)."""

ANCHORS = np.array([8, *range(17, 68)])
JAW = 0.5
"""Share of jawOpen at which the registration is made."""

STIFFNESS = (200, 100, 50, 20, 10, 5, 2, 1, 0.5, 0.3, 0.2, 0.1, 0.1, 0.1)
REACH_MM = (25.0,) * 5 + (8.0,) * 9
SAME_SIDE = (0.3,) * 5 + (0.5,) * 9
ANCHOR_WEIGHT = (20.0,) * 6 + (0.0,) * 8
LOOP_WEIGHT = 5.0
SAC_WEIGHT = 0.2
FINE_ROUNDS = 10
FINE_STIFFNESS = 0.02


@dataclass(frozen=True)
class Correspondence:
    """Places of the decoded vertices on the scanned skin, and the registered base mesh.

    Attributes:
        parted: (v, 3) base vertices in the parted pose.
        faces: (w,) triangle of `ScannedHead.skin_faces` of each decoded vertex.
        weights: (w, 3) barycentric.
        distance: (w,) mm to it.
    """

    parted: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    distance: np.ndarray

    def carry(self, values: np.ndarray, scanned: ScannedHead) -> np.ndarray:
        """Values (n, c) of the scanned skin at the decoded vertices (w, c)."""
        return (values[scanned.skin_faces[self.faces]] * self.weights[..., None]).sum(axis=1)


class _Region:
    """A part of the scanned skin to be searched."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, rows: np.ndarray) -> None:
        self.rows = rows
        self.topology = MeshTopology(faces[rows], len(vertices))
        self.index = SurfaceIndex(vertices, self.topology)
        self.normals = vertex_normals(vertices, self.topology.faces, self.topology.faces_of_vertex)

    def query(
        self, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Triangle, weights, point, unit normal; and whether it is inside the part."""
        found = self.index.query(points)
        corners = self.topology.faces[found.face_index]
        normal = (self.normals[corners] * found.barycentric[..., None]).sum(axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        edge = self.topology.border_vertices[corners]
        inner = (~edge & (found.barycentric > 1e-6)).any(axis=1)
        return self.rows[found.face_index], found.barycentric, found.points, normal, inner


def register(skin: Skin, scanned: ScannedHead, subdivision: Subdivision) -> Correspondence:
    """Lay the skin onto the scanned mean."""
    target = scanned.mean + JAW * scanned.expression["jawOpen"]
    faces = scanned.skin_faces
    top = faces.max(axis=1)
    regions = [
        _Region(target, faces, np.flatnonzero(rows))
        for rows in (top < HEAD, (top >= HEAD) & (top < MOUTH_SAC), top >= MOUTH_SAC)
    ]
    kind = np.where(skin.bag, 1, np.where(skin.rims, 2, 0))
    anchors = _anchor_rows(skin)
    goal = target[scanned.landmarks[ANCHORS]]
    place = skin.vertices + JAW * skin.jaw_open
    place = fit_similarity(anchors @ place, goal).apply(place)
    place = _coarse(place, skin, scanned, target, regions, kind, anchors, goal)
    fine_kind = _fine_kind(kind, subdivision)
    for _ in range(FINE_ROUNDS):
        place = _fine(place, skin, subdivision, target, regions, fine_kind)
    decoded = subdivision.matrix @ place
    found_faces = np.zeros(len(decoded), int)
    weights = np.zeros((len(decoded), 3))
    distance = np.zeros(len(decoded))
    for number, region in enumerate(regions):
        rows = np.flatnonzero(fine_kind == number)
        found_faces[rows], weights[rows], points, _, _ = region.query(decoded[rows])
        distance[rows] = np.linalg.norm(points - decoded[rows], axis=1)
    return Correspondence(place, found_faces, weights, distance)


def landmark_table(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Corners in the base mesh (68, 3) and barycentric weights (68, 3), `start` or `places`."""
    table = json.loads(LANDMARKS.read_text())[kind]
    return np.array(table["base_vertices"]), np.array(table["barycentric"])


def _anchor_rows(skin: Skin) -> sparse.csr_matrix:
    """The landmarks `ANCHORS` (k, v) as combinations of vertices."""
    corners, weights = landmark_table("start")
    corners, weights = corners[ANCHORS], weights[ANCHORS]
    renumber = np.full(int(skin.base_index.max()) + 1, -1)
    known = np.flatnonzero(skin.base_index >= 0)
    renumber[skin.base_index[known]] = known
    rows = np.repeat(np.arange(len(ANCHORS)), 3)
    shape = (len(ANCHORS), len(skin.vertices))
    return sparse.coo_matrix((weights.ravel(), (rows, renumber[corners].ravel())), shape).tocsr()


def _fine_kind(kind: np.ndarray, subdivision: Subdivision) -> np.ndarray:
    """Part of each decoded vertex: a new one is outside only if both ends of its edge are."""
    return np.concatenate([kind, kind[subdivision.index[:, :2]].max(axis=1)])


def _coarse(
    place: np.ndarray,
    skin: Skin,
    scanned: ScannedHead,
    target: np.ndarray,
    regions: list[_Region],
    kind: np.ndarray,
    anchors: sparse.csr_matrix,
    goal: np.ndarray,
) -> np.ndarray:
    topology = MeshTopology(skin.faces, len(place))
    smooth = laplacian(topology)
    smooth = smooth + 0.2 * smooth @ smooth
    loops, loop_goal = _loop_goals(skin, scanned, place, target)
    for stiffness, reach, side, anchor in zip(
        STIFFNESS, REACH_MM, SAME_SIDE, ANCHOR_WEIGHT, strict=True
    ):
        normals = vertex_normals(place, topology.faces, topology.faces_of_vertex)
        weight, wanted = np.zeros(len(place)), place.copy()
        for number, region in enumerate(regions):
            rows = np.flatnonzero(kind == number)
            _, _, points, normal, inner = region.query(place[rows])
            near = np.linalg.norm(points - place[rows], axis=1) < reach
            good = near & inner & ((normals[rows] * normal).sum(axis=1) > side)
            weight[rows] = np.where(good, SAC_WEIGHT if number else 1.0, 0.0)
            wanted[rows] = points
        weight[loops], wanted[loops] = LOOP_WEIGHT, loop_goal
        left = sparse.diags(weight) + stiffness * smooth + anchor * (anchors.T @ anchors)
        left = left + 1e-6 * sparse.identity(len(place))
        right = weight[:, None] * (wanted - place)
        right = right + anchor * (anchors.T @ (goal - anchors @ place))
        place = place + splu(left.tocsc()).solve(right)
        place = (place + place[skin.mirror] * [-1, 1, 1]) / 2
    return place


def _fine(
    place: np.ndarray,
    skin: Skin,
    subdivision: Subdivision,
    target: np.ndarray,
    regions: list[_Region],
    kind: np.ndarray,
) -> np.ndarray:
    """One step that fits the decoded surface: planes at its vertices and at the scanned ones."""
    topology, matrix = subdivision.topology, subdivision.matrix
    decoded = matrix @ place
    normals = vertex_normals(decoded, topology.faces, topology.faces_of_vertex)
    blocks: list[sparse.csr_matrix] = []
    sides: list[np.ndarray] = []
    for number, region in enumerate(regions):
        rows = np.flatnonzero(kind == number)
        _, _, points, normal, inner = region.query(decoded[rows])
        away = points - decoded[rows]
        good = inner & ((normals[rows] * normal).sum(axis=1) > 0.5)
        good &= np.linalg.norm(away, axis=1) < 4.0
        weight = np.where(good, SAC_WEIGHT if number else 1.0, 0.0)
        blocks.append(_plane_rows(matrix[rows], normal, weight))
        sides.append(weight * (away * normal).sum(axis=1))
    # From the scanned surface to ours.
    front = np.arange(HEAD)
    search = SurfaceIndex(decoded, topology)
    found = search.query(target[front])
    corners = topology.faces[found.face_index]
    normal = (normals[corners] * found.barycentric[..., None]).sum(axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    good = (found.distance < 3.0) & ((normal * regions[0].normals[front]).sum(axis=1) > 0.5)
    good &= (kind[corners] == 0).all(axis=1)
    good &= ~topology.border_vertices[corners].any(axis=1)
    rows_index = np.repeat(np.arange(len(front)), 3)
    spread = sparse.coo_matrix(
        (found.barycentric.ravel(), (rows_index, corners.ravel())),
        shape=(len(front), len(decoded)),
    ).tocsr()
    blocks.append(_plane_rows(spread @ matrix, normal, good.astype(float)))
    sides.append(good * ((target[front] - found.points) * normal).sum(axis=1))
    rows = sparse.vstack(blocks).tocsr()
    right = np.concatenate(sides)
    smooth = laplacian(MeshTopology(skin.faces, len(place)))
    smooth = FINE_STIFFNESS * (smooth + smooth @ smooth) + 1e-3 * sparse.identity(len(place))
    left = rows.T @ rows + sparse.block_diag([smooth] * 3)
    step = splu(left.tocsc()).solve(rows.T @ right).reshape(3, -1).T
    place = place + step
    return (place + place[skin.mirror] * [-1, 1, 1]) / 2


def _plane_rows(
    rows: sparse.csr_matrix, normals: np.ndarray, weight: np.ndarray
) -> sparse.csr_matrix:
    """Motion along normals (m,) as rows over x, then y, then z of the base vertices."""
    return sparse.hstack([sparse.diags(weight * normals[:, k]) @ rows for k in range(3)]).tocsr()


def laplacian(topology: MeshTopology) -> sparse.csr_matrix:
    """The graph Laplacian (v, v)."""
    edges = topology.edges
    row = np.repeat(np.arange(len(edges)), 2)
    sign = np.tile([1.0, -1.0], len(edges))
    shape = (len(edges), topology.num_vertices)
    differences = sparse.coo_matrix((sign, (row, edges.ravel())), shape=shape).tocsr()
    return (differences.T @ differences).tocsr()


def _loop_goals(
    skin: Skin, scanned: ScannedHead, place: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of our loops, and where they shall lie on the scanned ones."""
    pairs = [(skin.lips, scanned.lips)]
    pairs += list(zip(skin.lids, scanned.lids, strict=True))
    goals: list[np.ndarray] = []
    for mine, theirs in pairs:
        here, there = place[mine], target[theirs]
        goal = np.zeros_like(here)
        for half in chains(here):
            other = min(chains(there), key=lambda part, half=half: _apart(here[half], there[part]))
            goal[half] = _at_lengths(there[other], _lengths(here[half]))
        goals.append(goal)
    return np.concatenate([mine for mine, _ in pairs]), np.concatenate(goals)


def chains(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two chains of a loop's points from its right corner (least x) to its left one."""
    first, last = int(np.argmin(points[:, 0])), int(np.argmax(points[:, 0]))
    count = len(points)
    forward = (first + np.arange((last - first) % count + 1)) % count
    backward = (first - np.arange((first - last) % count + 1)) % count
    return forward, backward


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """How different the heights of two chains' middles are, each relative to its corners."""
    rise = [
        chain[len(chain) // 2, 1] - (chain[0, 1] + chain[-1, 1]) / 2 for chain in (first, second)
    ]
    return abs(rise[0] - rise[1])


def _lengths(chain: np.ndarray) -> np.ndarray:
    """Share of the chain's length at each point."""
    steps = np.linalg.norm(np.diff(chain, axis=0), axis=1)
    total = np.concatenate([[0.0], np.cumsum(steps)])
    return total / total[-1]


def _at_lengths(chain: np.ndarray, share: np.ndarray) -> np.ndarray:
    here = _lengths(chain)
    return np.stack([np.interp(share, here, chain[:, k]) for k in range(3)], axis=1)
