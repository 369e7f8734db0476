"""Triangle meshes: the type, normals, subdivision."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.coefficients import Array, array_namespace


@dataclass(frozen=True, slots=True)
class Mesh:
    """A triangle mesh with optional colours and texture coordinates.

    `uv` is indexed by `uv_faces` (one triangle of texture coordinates for each of `faces`),
    origin at the lower left; colours are sRGB in [0, 1].
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    colors: Float[np.ndarray, "v 3"] | None = None
    uv: Float[np.ndarray, "t 2"] | None = None
    uv_faces: Int[np.ndarray, "f 3"] | None = None


class MeshTopology:
    """Triangles over `num_vertices` vertices, and what follows from them alone."""

    def __init__(self, faces: Int[np.ndarray, "f 3"], num_vertices: int) -> None:
        if faces.size and (faces.min() < 0 or faces.max() >= num_vertices):
            raise ValueError(f"faces must index {num_vertices} vertices")
        self.faces = np.ascontiguousarray(faces, dtype=np.int32)
        self.num_vertices = num_vertices

    @cached_property
    def edges(self) -> Int[np.ndarray, "e 2"]:
        """Unique edges, lower index first."""
        return self._ends(np.unique(self._edge_numbers))

    @cached_property
    def border_vertices(self) -> Bool[np.ndarray, "v"]:
        """Vertices of edges that one triangle alone has."""
        numbers, count = np.unique(self._edge_numbers, return_counts=True)
        found = np.zeros(self.num_vertices, dtype=bool)
        found[self._ends(numbers[count == 1])] = True
        return found

    @property
    def _edge_numbers(self) -> Int[np.ndarray, "k"]:
        """One number for both ends of each side of the triangles: sorted as pairs would be."""
        first = self.faces.astype(np.int64)
        second = np.roll(first, -1, axis=1)
        number = np.minimum(first, second) * self.num_vertices + np.maximum(first, second)
        return number.reshape(-1)

    def _ends(self, numbers: Int[np.ndarray, "e"]) -> Int[np.ndarray, "e 2"]:
        return np.stack(np.divmod(numbers, max(self.num_vertices, 1)), axis=1).astype(np.int32)

    @cached_property
    def edge_opposites(self) -> Int[np.ndarray, "e 4"]:
        """Edges as two ends and the corners opposite them in the triangles on either side.

        Ends and the first opposite corner go round the first triangle in its own direction. The
        last number is -1 where only one triangle has the edge. Of an edge of more than two
        triangles each further triangle counts as one with a border.
        """
        corner = self.faces.astype(np.int64)
        ends = corner[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
        opposite = corner[:, [2, 0, 1]].reshape(-1)
        key = ends.min(axis=1) * self.num_vertices + ends.max(axis=1)
        order = np.argsort(key, kind="stable")
        key, ends, opposite = key[order], ends[order], opposite[order]
        like_next = np.zeros(len(key), dtype=bool)
        like_next[:-1] = key[1:] == key[:-1]
        second = np.zeros_like(like_next)
        second[1:] = like_next[:-1]
        second[2:] &= ~like_next[:-2]
        other = np.full(len(key), -1, dtype=np.int64)
        other[:-1] = np.where(second[1:], opposite[1:], -1)
        table = np.concatenate([ends, opposite[:, None], other[:, None]], axis=1)
        return np.ascontiguousarray(table[~second], dtype=np.int32)

    @cached_property
    def faces_of_vertex(self) -> Int[np.ndarray, "v k"]:
        """Faces around each vertex, padded with `len(faces)`."""
        num_faces = len(self.faces)
        corner = self.faces.reshape(-1)
        order = np.argsort(corner, kind="stable")
        count = np.bincount(corner, minlength=self.num_vertices)
        table = np.full((self.num_vertices, max(int(count.max(initial=0)), 1)), num_faces)
        position = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
        table[corner[order], position] = order // 3
        return table


def face_normals(
    vertices: Float[Array, "*b v 3"], faces: Int[Array, "f 3"]
) -> Float[Array, "*b f 3"]:
    """Outward normals of triangles; their length is twice the area."""
    xp = array_namespace(vertices)
    a, b, c = (xp.take(vertices, faces[:, k], axis=-2) for k in range(3))
    return xp.linalg.cross(b - a, c - a)


def vertex_normals(
    vertices: Float[Array, "*b v 3"],
    faces: Int[Array, "f 3"],
    faces_of_vertex: Int[Array, "v k"],
) -> Float[Array, "*b v 3"]:
    """Area-weighted unit normals; zero at vertices of no or degenerate triangles.

    `faces` and `faces_of_vertex` (`MeshTopology`) must be of the vertices' array library.
    """
    if isinstance(vertices, np.ndarray) and vertices.ndim == 2:
        return _normals_of_array(vertices, faces)
    xp = array_namespace(vertices)
    normals = face_normals(vertices, faces)
    nothing = xp.zeros_like(normals[..., :1, :])
    padded = xp.concat([normals, nothing], axis=-2)
    count, width = faces_of_vertex.shape
    around = xp.take(padded, xp.reshape(faces_of_vertex, (-1,)), axis=-2)
    total = xp.sum(xp.reshape(around, (*vertices.shape[:-2], count, width, 3)), axis=-2)
    return total / xp.sqrt(xp.sum(total * total, axis=-1, keepdims=True) + 1e-20)


def _normals_of_array(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "v 3"]:
    """`vertex_normals` in a fraction of the time: coordinates apart, summed corner by corner."""
    columns, corners = np.ascontiguousarray(vertices.T), np.ascontiguousarray(faces.T)
    a, b, c = (columns.take(corner, axis=1) for corner in corners)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    normals = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    total = np.array(
        [sum(np.bincount(corner, row, len(vertices)) for corner in corners) for row in normals]
    )
    return (total / np.sqrt((total * total).sum(axis=0) + 1e-20)).T.astype(
        vertices.dtype, order="C"
    )


def subdivide_faces(
    faces: Int[np.ndarray, "f 3"], num_vertices: int
) -> tuple[Int[np.ndarray, "g 3"], Int[np.ndarray, "e 2"]]:
    """Cut each triangle in four at its edges' midpoints.

    Returns:
        The new faces, over the old vertices followed by one new vertex for each returned edge.
    """
    topology = MeshTopology(faces, num_vertices)
    edges = topology.edges
    key = edges[:, 0].astype(np.int64) * num_vertices + edges[:, 1]

    def midpoint(i: int, j: int) -> Int[np.ndarray, "f"]:
        low = np.minimum(faces[:, i], faces[:, j]).astype(np.int64)
        high = np.maximum(faces[:, i], faces[:, j])
        return num_vertices + np.searchsorted(key, low * num_vertices + high)

    ab, bc, ca = midpoint(0, 1), midpoint(1, 2), midpoint(2, 0)
    a, b, c = faces.T
    parts = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
    quarters = np.stack([np.stack(part, axis=1) for part in parts], axis=1)
    return quarters.reshape(-1, 3).astype(np.int32), edges


def points_on_surface(
    vertices: Float[Array, "*b v 3"],
    faces: Int[Array, "f 3"],
    face_index: Int[Array, "n"],
    barycentric: Float[Array, "n 3"],
) -> Float[Array, "*b n 3"]:
    """Points given by face index and barycentric weights."""
    xp = array_namespace(vertices)
    corners = faces[face_index]
    parts = [barycentric[:, k, None] * xp.take(vertices, corners[:, k], axis=-2) for k in range(3)]
    return parts[0] + parts[1] + parts[2]
