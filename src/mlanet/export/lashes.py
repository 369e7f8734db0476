"""Lashes of the upper lids: tapered strips that grow where a closed eye's lids meet."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, UInt16

from mlanet.geometry import delaunay_weights
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
        corners: vertices of the decoded head, between which each vertex grows.
        shares: of these in the place it grows from.
        offsets: from there, mm.
        normals: of unit length.
        faces: triangles.
        moves: of the vertices at the full extent of each expression, mm.
    """

    corners: Int[np.ndarray, "n 3"]
    shares: Float[np.ndarray, "n 3"]
    offsets: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: UInt16[np.ndarray, "f 3"]
    moves: Float[np.ndarray, "e n 3"]

    def vertices(self, head: Float[np.ndarray, "w 3"]) -> Float[np.ndarray, "n 3"]:
        """Of a neutral head, mm."""
        return self.roots(head) + self.offsets

    def roots(self, values: Float[np.ndarray, "*b w c"]) -> Float[np.ndarray, "*b n c"]:
        """Values at a head's vertices where the lashes' vertices grow from."""
        return _between(values, self.corners, self.shares)


@lru_cache(maxsize=2)
def lashes_of(model: MorphableModel) -> Lashes | None:
    """The lashes of both eyes; None of a model whose lids are not known."""
    lids = closed_lids(model)
    if lids is None:
        return None
    mean = model.subdivide(model.shape.mean).astype(np.float64)
    moves = model.subdivide(np.moveaxis(model.shape.expression, 2, 0))
    parts: list[tuple[np.ndarray, ...]] = []
    for eye, centre in zip(lids.eyes, model.eye_centres(mean), strict=True):
        anchors = _anchors(eye)
        if anchors is None:
            return None
        roots = _between(mean, *anchors)
        outwards = np.sign(centre[0])
        offsets, faces = _strips(roots - centre, outwards)
        each = len(offsets) // COUNT
        corners, shares = (np.repeat(values, each, axis=0) for values in anchors)
        arms = np.repeat(roots - centre, each, axis=0)
        moved = _between(moves, corners, shares)
        turned = _turned(arms, arms + moved, offsets)
        ahead = arms / np.linalg.norm(arms, axis=1, keepdims=True) + [0.0, 1.0, 0.0]
        normals = ahead / np.linalg.norm(ahead, axis=1, keepdims=True)
        start = sum(len(part[2]) for part in parts)
        moved += turned - offsets
        parts.append((corners, shares, offsets, normals, faces + start, moved))
    corners, shares, offsets, normals, faces = (
        np.concatenate([part[k] for part in parts]) for k in range(5)
    )
    return Lashes(
        corners=corners,
        shares=shares,
        offsets=offsets,
        normals=normals.astype(np.float32),
        faces=faces.astype(np.uint16),
        moves=np.concatenate([part[5] for part in parts], axis=1),
    )


def _anchors(
    eye: EyeLids,
) -> tuple[Int[np.ndarray, "k 3"], Float[np.ndarray, "k 3"]] | None:
    """A row of `COUNT` places on the upper lid, if any: vertices and their shares in them."""
    own = np.flatnonzero(eye.lid & eye.upper & ~eye.rim & (np.abs(eye.above_mm) < 5.0))
    width_mm = 30.0  # of an eye, so that both coordinates are millimetres
    places = np.column_stack([width_mm * eye.along[own], eye.above_mm[own]])
    wanted = np.column_stack([width_mm * np.linspace(*ALONG, COUNT), np.full(COUNT, HEIGHT_MM)])
    found = delaunay_weights(places, wanted)
    return None if found is None else (own[found[0]], found[1])


def _between(
    values: Float[np.ndarray, "*b w c"],
    corners: Int[np.ndarray, "n 3"],
    shares: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, "*b n c"]:
    return np.einsum("...nkc,nk->...nc", values[..., corners, :], shares)


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
