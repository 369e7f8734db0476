"""Lashes of the upper lids: tapered strips that grow where a closed eye's lids meet."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt16

from mlanet.morphable import EyeLids, MorphableModel, closed_lids

COUNT = 32
"""Strips of an eye."""

ALONG = (0.15, 0.9)
"""Places of the first and the last, between the inner corner, 0, and the outer one, 1."""

HEIGHT_MM = 0.3
"""How high over the seam of a closed eye they grow."""

LENGTH_MM = (2.6, 4.6, 5.4)
"""Of those at the inner end, in the middle, and at the outer end."""

JITTER = 0.14
"""How much they differ in length, over that."""

WIDTH_MM = 0.40
"""At their roots."""

STEPS = (0.0, 0.5, 1.0)
"""Places along them, from the root to the tip, that have vertices: two, but one at the tip."""

CURL_DEG = (-12.0, 55.0)
"""Direction of the root and of the tip, from straight ahead upwards."""

FAN = 0.9
"""How far the tips of the outermost lean outwards, over their length."""


@dataclass(frozen=True, slots=True, eq=False)
class Lashes:
    """A mesh that grows on a head.

    Attributes:
        anchors: sparse (n, w): the place on the decoded head that each vertex grows from.
        offsets: from there, mm.
        normals: of unit length.
        faces: triangles.
        moves: of the vertices at the full extent of each expression, mm.
    """

    anchors: Any
    offsets: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: UInt16[np.ndarray, "f 3"]
    moves: Float[np.ndarray, "e n 3"]

    def vertices(self, head: Float[np.ndarray, "w 3"]) -> Float[np.ndarray, "n 3"]:
        """Of a neutral head, mm."""
        return self.anchors @ head + self.offsets


@lru_cache(maxsize=2)
def lashes_of(model: MorphableModel) -> Lashes | None:
    """The lashes of both eyes; None of a model whose lids are not known."""
    from scipy.sparse import vstack

    lids = closed_lids(model)
    if lids is None:
        return None
    mean = model.subdivide(model.shape.mean).astype(np.float64)
    moves = model.subdivide(np.moveaxis(model.shape.expression, 2, 0))
    parts: list[tuple[Any, ...]] = []
    for eye, centre in zip(lids.eyes, model.eye_centres(mean), strict=True):
        anchors = _anchors(eye)
        if anchors is None:
            return None
        roots = anchors @ mean
        outwards = np.sign(centre[0])
        offsets, faces = _strips(roots - centre, outwards)
        each = len(offsets) // COUNT
        anchors = anchors[np.repeat(np.arange(COUNT), each)]
        arms = np.repeat(roots - centre, each, axis=0)
        moved = np.stack([anchors @ move for move in moves])
        turned = _turned(arms, arms + moved, offsets)
        ahead = arms / np.linalg.norm(arms, axis=1, keepdims=True) + [0.0, 1.0, 0.0]
        normals = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
        start = sum(len(part[1]) for part in parts)
        parts.append((anchors, offsets, normals, faces + start, moved + turned - offsets))
    offsets, normals, faces = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    return Lashes(
        anchors=vstack([part[0] for part in parts]).tocsr(),
        offsets=offsets,
        normals=normals.astype(np.float32),
        faces=faces.astype(np.uint16),
        moves=np.concatenate([part[4] for part in parts], axis=1),
    )


def _anchors(eye: EyeLids) -> Any:
    """Sparse (`COUNT`, w): a row of places on the upper lid, as means of vertices, if any."""
    from scipy.sparse import csr_array
    from scipy.spatial import Delaunay

    own = np.flatnonzero(eye.lid & eye.upper & ~eye.rim & (np.abs(eye.above_mm) < 5.0))
    width_mm = 30.0  # of an eye, so that both coordinates are millimetres
    places = np.column_stack([width_mm * eye.along[own], eye.above_mm[own]])
    wanted = np.column_stack([width_mm * np.linspace(*ALONG, COUNT), np.full(COUNT, HEIGHT_MM)])
    triangles = Delaunay(places)
    found = triangles.find_simplex(wanted)
    if (found < 0).any():
        return None
    to_corner = triangles.transform[found]
    first = np.einsum("nij,nj->ni", to_corner[:, :2], wanted - to_corner[:, 2])
    weights = np.column_stack([first, 1.0 - first.sum(axis=1)])
    corners = own[triangles.simplices[found]]
    rows = np.repeat(np.arange(COUNT), 3)
    return csr_array((weights.ravel(), (rows, corners.ravel())), (COUNT, len(eye.along)))


def _strips(
    arms: Float[np.ndarray, "k 3"], outwards: float
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "f 3"]]:
    """Vertices, from their roots, and triangles of strips that grow at `arms` from the eye."""
    ahead = arms / np.linalg.norm(arms, axis=1, keepdims=True)
    up = np.array([0.0, 1.0, 0.0]) - ahead * ahead[:, 1:2]
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    side = np.cross(up, ahead) * outwards
    place = np.linspace(0.0, 1.0, COUNT)
    length = np.interp(place, [0.0, 0.5, 1.0], LENGTH_MM)
    length *= 1.0 + JITTER * np.sin(2.4 * np.arange(COUNT))  # the golden angle: no pattern
    fan = FAN * np.clip(2.0 * place - 0.8, -0.6, 1.2)
    steps = np.linspace(0.0, 1.0, 21)
    angle = np.radians(np.interp(steps, [0.0, 1.0], CURL_DEG))
    path = np.array([np.cumsum(np.cos(angle)), np.cumsum(np.sin(angle))]) / len(steps)
    rows: list[Float[np.ndarray, "k 3"]] = []
    for step in STEPS:
        forwards, upwards = (np.interp(step, steps, way) - way[0] for way in path)
        middle = forwards * ahead + upwards * up + (step**1.5 * fan)[:, None] * side
        half = 0.5 * WIDTH_MM * (1.0 - step) * side
        rows += [
            length[:, None] * middle + way * half for way in ((-1.0, 1.0), (0.0,))[step == 1.0]
        ]
    offsets = np.stack(rows, axis=1)
    each = len(rows)
    one = [(a, a + 1, a + 2) if a % 2 == 0 else (a + 1, a, a + 2) for a in range(each - 2)]
    faces = np.array(one)[None] + each * np.arange(COUNT)[:, None, None]
    return offsets.reshape(-1, 3), faces.reshape(-1, 3)


def _turned(
    before: Float[np.ndarray, "n 3"],
    after: Float[np.ndarray, "e n 3"],
    vectors: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, "e n 3"]:
    """Vectors turned as the shortest way does from directions to others."""
    a = before / np.linalg.norm(before, axis=-1, keepdims=True)
    b = after / np.linalg.norm(after, axis=-1, keepdims=True)
    axis = np.cross(a, b)
    cosine = (a * b).sum(axis=-1, keepdims=True)
    along = (axis * vectors).sum(axis=-1, keepdims=True)
    return cosine * vectors + np.cross(axis, vectors) + axis * along / (1.0 + cosine)
