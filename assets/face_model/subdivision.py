"""Butterfly subdivision as a matrix, and the mirror map of the subdivided mesh."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from face_model.sockets import Socket
from mlanet.geometry import MeshTopology, subdivide_faces


class Subdivision:
    """One step on a base mesh: `matrix @ base` are the decoded vertices.

    Sockets close the mesh and leave the surface before them as it is.

    Attributes:
        index: (e, 8) base vertices that make each edge's new vertex.
        weight: (e, 8) their weights.
        matrix: (w, v).
        topology: triangles of the decoded mesh.
        mirror: (w,) partner of each decoded vertex.
    """

    def __init__(
        self, faces: np.ndarray, mirror: np.ndarray, sockets: Sequence[Socket] = ()
    ) -> None:
        count = len(mirror)
        whole = np.concatenate([faces, *(socket.faces for socket in sockets)])
        edges = MeshTopology(whole, count).edges
        self.index, self.weight = butterfly(faces, edges, count)
        before = set(map(tuple, MeshTopology(faces, count).edges.tolist()))
        for socket in sockets:
            own = np.isin(edges, socket.faces).all(axis=1)
            for row in np.flatnonzero(own):
                if tuple(edges[row].tolist()) not in before:
                    self.index[row, 2:4] = socket.poles
                    self.weight[row] = [0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0]
        rows = np.repeat(np.arange(len(edges)), 8)
        new = sparse.coo_matrix(
            (self.weight.ravel(), (rows, self.index.ravel())), shape=(len(edges), count)
        )
        self.matrix = sparse.vstack([sparse.identity(count), new]).tocsr()
        fine, _ = subdivide_faces(whole, count)
        self.topology = MeshTopology(fine, count + len(edges))
        key = {(a, b): count + row for row, (a, b) in enumerate(edges.tolist())}
        image = np.sort(mirror[edges], axis=1).tolist()
        self.mirror = np.concatenate([mirror, [key[(a, b)] for a, b in image]])


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
