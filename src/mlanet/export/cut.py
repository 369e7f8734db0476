"""Meshes cut along a line across their triangles, and the line around the face."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.export.simplify import decoded_parts
from mlanet.geometry import Mesh, MeshTopology, connected_pieces
from mlanet.morphable import FACE_REGIONS, MorphableModel

HARMONICS = 2
"""Waves of the line around the face: more follow the region's ragged border."""

BORDER_RINGS = 6
"""Vertices so many edges from the region's border may come to lie outside the line."""

FAR_INSIDE_RAD = 0.05
"""Least height of all vertices that are farther inside."""

NEAREST_END = 0.02
"""Share of an edge that stays between a cut and the edge's ends: no triangle is without area."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What is left of a mesh on one side of a line, over its old vertices and new ones.

    New vertices, and new texture coordinates, lie on edges: between two `ends`, at `share` of the
    way from the first to the second.
    """

    faces: Int[np.ndarray, "f 3"]
    ends: Int[np.ndarray, "n 2"]
    share: Float[np.ndarray, "n"]
    uv_faces: Int[np.ndarray, "f 3"]
    uv_ends: Int[np.ndarray, "m 2"]
    uv_share: Float[np.ndarray, "m"]

    @classmethod
    def nowhere(cls, faces: Int[np.ndarray, "f 3"], uv_faces: Int[np.ndarray, "f 3"]) -> "Cut":
        """The whole mesh."""
        ends, share = np.zeros((0, 2), dtype=np.int32), np.zeros(0)
        return cls(faces, ends, share, uv_faces, ends, share)

    def vertices(self, values: Float[np.ndarray, "*b v c"]) -> Float[np.ndarray, "*b w c"]:
        """Values at the old vertices, followed by those at the new ones."""
        return _with_new(values, self.ends, self.share)

    def coordinates(self, uv: Float[np.ndarray, "t 2"]) -> Float[np.ndarray, "u 2"]:
        """The old texture coordinates, followed by the new ones."""
        return _with_new(uv, self.uv_ends, self.uv_share)


def cut_above(
    faces: Int[np.ndarray, "f 3"],
    uv_faces: Int[np.ndarray, "f 3"],
    height: Float[np.ndarray, "v"],
) -> Cut:
    """The part of a mesh where `height`, linear over each triangle, is positive.

    Triangles across the line are cut along it; they keep their orientation.
    """
    inside = height > 0.0
    count = inside[faces].sum(axis=1)
    tips, rests = _apart(faces, inside, 1), _apart(faces, inside, 2)
    rows = np.concatenate([tips.rows, rests.rows])
    order = np.concatenate([tips.corners, rests.corners])
    corners = np.take_along_axis(faces[rows], order, axis=1)
    crossed = np.concatenate([corners[:, [0, 1]], corners[:, [0, 2]]])
    ends, index = np.unique(np.sort(crossed, axis=1), axis=0, return_inverse=True)
    index = index.reshape(-1)
    start, stop = height[ends[:, 0]], height[ends[:, 1]]
    share = np.clip(start / (start - stop), NEAREST_END, 1.0 - NEAREST_END)
    uv_corners = np.take_along_axis(uv_faces[rows], order, axis=1)
    uv_ends = np.concatenate([uv_corners[:, [0, 1]], uv_corners[:, [0, 2]]])
    turned = crossed[:, 0] > crossed[:, 1]
    uv_ends[turned] = uv_ends[turned, ::-1]
    keys, uv_index = np.unique(np.column_stack([uv_ends, index]), axis=0, return_inverse=True)
    whole, num_tips = count == 3, len(tips.rows)
    new = len(height) + index.reshape(2, -1).T
    uv_new = int(uv_faces.max()) + 1 + uv_index.reshape(2, -1).T
    return Cut(
        np.concatenate([faces[whole], _pieces(corners, new, num_tips)]).astype(np.int32),
        ends,
        share,
        np.concatenate([uv_faces[whole], _pieces(uv_corners, uv_new, num_tips)]).astype(np.int32),
        keys[:, :2],
        share[keys[:, 2]],
    )


def cut_mesh(mesh: Mesh, height: Float[np.ndarray, "v"]) -> Mesh:
    """The part of a mesh where `height` is positive, without vertices that nothing uses."""
    cut = cut_above(mesh.faces, mesh.faces if mesh.uv_faces is None else mesh.uv_faces, height)
    vertices, faces = _used(cut.vertices(mesh.vertices), cut.faces)
    colors = None if mesh.colors is None else _used(cut.vertices(mesh.colors), cut.faces)[0]
    if mesh.uv is None:
        return Mesh(vertices, faces, colors)
    return Mesh(vertices, faces, colors, *_used(cut.coordinates(mesh.uv), cut.uv_faces))


@lru_cache(maxsize=2)
def face_height(model: MorphableModel) -> Float[np.ndarray, "w"]:
    """Positive at decoded vertices of the face, eyes, teeth and tongue; zero on the cut's line.

    Seen from the model's origin, the line's angle from the forward axis is a smooth function (a
    short Fourier series) of the direction around it, fitted to the face region's ragged border.
    What the line encloses (eye sockets, mouth, nostrils) belongs to the face.

    Raises:
        ValueError: the model lacks these regions.
    """
    x, y, z = np.asarray(model.subdivide(model.shape.mean), dtype=np.float64).T
    angle, around = np.arctan2(np.hypot(x, y), z), np.arctan2(x, y)
    inside = model.region(*FACE_REGIONS) > 0.5
    inside |= _enclosed(~inside, model.topology)
    if model.part_names:
        inside |= decoded_parts(model) != model.part_names.index("skin")
    edges = model.topology.edges
    crossing = edges[inside[edges].sum(axis=1) == 1]
    if not len(crossing):
        return np.ones(len(x))
    border_angle, direction = angle[crossing].mean(axis=1), around[crossing[:, 0]]
    series = np.linalg.lstsq(_waves(direction), border_angle, rcond=None)[0]
    height = _waves(around) @ series - angle
    far_inside = inside & ~_near(crossing, edges, len(x))
    return np.where(far_inside, np.maximum(height, FAR_INSIDE_RAD), height)


def _waves(direction: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n k"]:
    orders = np.arange(1, HARMONICS + 1) * direction[:, None]
    return np.concatenate([np.ones((len(direction), 1)), np.cos(orders), np.sin(orders)], axis=1)


def _near(
    crossing: Int[np.ndarray, "c 2"], edges: Int[np.ndarray, "e 2"], count: int
) -> Bool[np.ndarray, "v"]:
    """Vertices a few edges around those of the border, which the line may leave outside."""
    near = np.zeros(count, dtype=bool)
    near[crossing] = True
    for _ in range(BORDER_RINGS):
        touching = edges[near[edges].any(axis=1)]
        near[touching] = True
    return near


def _enclosed(outside: Bool[np.ndarray, "v"], topology: MeshTopology) -> Bool[np.ndarray, "v"]:
    """All connected pieces of `outside` but the largest."""
    edges = topology.edges[outside[topology.edges].all(axis=1)]
    piece = connected_pieces(edges, len(outside))
    size = np.bincount(piece[outside], minlength=1)
    return outside & (piece != size.argmax())


@dataclass(frozen=True, slots=True)
class _Apart:
    """Triangles with one corner apart from the others: its place first, theirs in order."""

    rows: Int[np.ndarray, "k"]
    corners: Int[np.ndarray, "k 3"]


def _apart(faces: Int[np.ndarray, "f 3"], inside: Bool[np.ndarray, "v"], count: int) -> _Apart:
    """Those with `count` corners inside, 1 or 2."""
    rows = np.flatnonzero(inside[faces].sum(axis=1) == count)
    first = (inside[faces[rows]] == (count == 1)).argmax(axis=1)
    return _Apart(rows, (first[:, None] + np.arange(3)) % 3)


def _pieces(
    corners: Int[np.ndarray, "k 3"], new: Int[np.ndarray, "k 2"], num_tips: int
) -> Int[np.ndarray, "p 3"]:
    """The tips of the first triangles at their first corner, of the others what tips leave."""
    tips = np.concatenate([corners[:, :1], new], axis=1)[:num_tips]
    near = np.concatenate([new[:, :1], corners[:, 1:]], axis=1)[num_tips:]
    far = np.stack([new[:, 0], corners[:, 2], new[:, 1]], axis=1)[num_tips:]
    return np.concatenate([tips, near, far])


def _with_new(
    values: Float[np.ndarray, "*b v c"],
    ends: Int[np.ndarray, "n 2"],
    share: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "*b w c"]:
    start, stop = (np.take(values, ends[:, k], axis=-2) for k in (0, 1))
    new = start + share[:, None].astype(values.dtype) * (stop - start)
    return np.concatenate([values, new], axis=-2)


def _used(
    values: Float[np.ndarray, "v c"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Float[np.ndarray, "w c"], Int[np.ndarray, "f 3"]]:
    kept, index = np.unique(faces, return_inverse=True)
    return values[kept], index.reshape(faces.shape).astype(np.int32)
