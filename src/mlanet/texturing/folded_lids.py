"""Where lids are folded away: what a photo of an open eye shows there is lashes and eyeball.

A blink unfolds skin that an open eye shows as a line of a pixel or two. Stretched over the closed
lid, that line would be an eye painted on it.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import distance_to_nearest
from mlanet.morphable import EyeLids, MorphableModel, closed_lids
from mlanet.morphable.closed_lids import FAR_MM, ClosedLids
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.sampling import signed_areas
from mlanet.texturing.lids import LidPlanes
from mlanet.texturing.smooth_fields import ramp

UNFOLDED = (0.4, 0.7)
"""Areas as seen, over those of the closed lid seen from before, at which trust begins and is
full."""

CLOSED = (0.72, 0.92)
"""Share of the closed lids as seen, between which a photo shows closed eyes."""

AROUND_MM = (1.5, 0.0)
"""Distances from what a blink moves between which lids begin."""

MENDED = 0.85
"""Share of a lid's colour that is mended, at most."""

RIM_MM = (3.0, 1.6)
"""Distances from its rim between which the rim of a lower lid begins."""

LASHES_MM = (0.15, 1.1)
"""Heights over the seam of a closed eye between which the line of the upper lid's lashes ends."""

LASHES_ALONG = (0.08, 0.3, 0.93, 1.0)
"""Places between the inner corner, 0, and the outer one, 1, between which it begins and ends."""

LOWER_LASHES, LOWER_LASHES_MM = 0.3, (0.5, 1.3)
"""How dense lower lashes are, and distances from the rim between which their line ends."""

CREASE_MM, CREASE_WIDTH_MM, CREASE = 9.5, 1.7, 0.10
"""How high over the seam the crease of an upper lid is at its highest, how wide, and what it takes
from the skin's brightness."""

LID_SHADE = np.array([0.05, 0.075, 0.08])
"""What thin skin and its shade take from an upper lid's colour."""

LOWER_RIM, UPPER_RIM = np.array([0.95, 0.80, 0.78]), np.array([0.45, 0.36, 0.34])
"""What is left of the skin's colour on the rims."""


def unfolded(
    model: MorphableModel, projected: Float[np.ndarray, "v 3"], mm_per_px: float
) -> Float[np.ndarray, "v"]:
    """Share, 0 to 1, by which the photo shows the skin of lids as wide as a blink; 1 elsewhere.

    Args:
        model: the face model; without blinks or parts, everything is 1.
        projected: the decoded vertices in pixels of the photo.
        mm_per_px: of the photo at the head.
    """
    share = np.ones(len(projected), dtype=np.float32)
    lids = closed_lids(model)
    if lids is None:
        return share
    own, faces, closed_mm2 = _at_vertices(lids)
    seen_mm2 = np.maximum(signed_areas(projected[own, :2], faces), 0.0) * mm_per_px**2 / 2.0
    seen = sum(np.bincount(corner, seen_mm2, len(own)) for corner in faces.T)
    start, end = UNFOLDED
    share[own] = np.clip((seen / closed_mm2 - start) / (end - start), 0.0, 1.0)
    return share


def folded(model: MorphableModel, share: Float[np.ndarray, "v"]) -> float:
    """How far lids are folded away, 0 to 1, where `unfolded` found these shares."""
    lids = closed_lids(model)
    if lids is None:
        return 0.0
    own, _, closed_mm2 = _at_vertices(lids)
    shown = float(np.average(share[own], weights=closed_mm2))
    start, end = CLOSED
    return 1.0 - float(np.clip((shown - start) / (end - start), 0.0, 1.0))


@lru_cache(maxsize=4)
def _at_vertices(
    lids: ClosedLids,
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "l 3"], Float[np.ndarray, "n"]]:
    """Vertices of closed lids, the triangles over these, and areas around each, mm²."""
    own, faces = np.unique(lids.faces, return_inverse=True)
    faces = np.asfortranarray(faces.reshape(-1, 3))
    return own, faces, np.bincount(faces.reshape(-1), np.repeat(lids.areas_mm2, 3), len(own))


def lid_planes(model: MorphableModel, atlas: UvAtlas, size: int) -> list[LidPlanes]:
    """The lids' parts of textures of a size, not below the atlas's."""
    import cv2

    planes: list[LidPlanes] = []
    lids = closed_lids(model)
    if lids is None:
        return planes
    for eye in lids.eyes:
        places = _places(eye, lids.vertices, model)
        plane = vertex_attributes_to_uv(atlas, model.topology.faces, places)
        if size > atlas.size:
            plane = cv2.resize(plane, (size, size), interpolation=cv2.INTER_LINEAR)
        used = plane[..., :2].max(axis=-1) > 0.0
        rows, columns = (
            slice(int(found[0]), int(found[-1]) + 1)
            for found in (np.flatnonzero(used.any(axis=axis)) for axis in (1, 0))
        )
        own = np.ascontiguousarray(np.moveaxis(plane[rows, columns], -1, 0))
        planes.append(_planes(rows, columns, own))
    return planes


def _planes(rows: slice, columns: slice, places: Float[np.ndarray, "7 h w"]) -> LidPlanes:
    lid, around, upper, lower, above, below, along = places
    height = CREASE_MM * np.sqrt(np.clip(np.sin(np.pi * along), 0.0, 1.0))
    hollow = CREASE * np.exp(-0.5 * ((above - height) / CREASE_WIDTH_MM) ** 2)
    skin = (1.0 - lid[..., None] * LID_SHADE) * (1.0 - hollow * lid)[..., None]
    skin += ramp(below, 0.9 * FAR_MM, 0.6 * FAR_MM)[..., None] * (1.0 - skin)
    for share, color in ((upper, UPPER_RIM), (lower, LOWER_RIM)):
        skin += share[..., None] * (color - skin)
    start, whole, last, end = LASHES_ALONG
    lashes = 1.0 - ramp(above, *LASHES_MM)
    lashes = np.maximum(lashes, LOWER_LASHES * (1.0 - ramp(below, *LOWER_LASHES_MM)))
    lashes *= ramp(along, start, whole) * ramp(along, end, last) * (1.0 - np.maximum(upper, lower))
    return LidPlanes(rows, columns, lid, around, skin.astype(np.float32), lashes)


def _places(
    eye: EyeLids, closed: Float[np.ndarray, "v 3"], model: MorphableModel
) -> Float[np.ndarray, "v 7"]:
    """What `_planes` takes of an eye, at vertices."""
    mean = model.subdivide(model.shape.mean)
    own, upper = np.flatnonzero(eye.near), eye.upper
    lid = np.zeros(len(mean))
    lid[own] = ramp(distance_to_nearest(closed[own], closed[eye.lid & upper]), *AROUND_MM)
    lid = np.where(upper, lid, ramp(eye.below_mm, *RIM_MM)) * eye.near
    lid = np.maximum(MENDED * lid, eye.rim)
    around = eye.near * (1.0 - lid)
    rims = eye.rim & upper, eye.rim & ~upper
    columns = lid, around, *rims, eye.above_mm, eye.below_mm, eye.along
    return np.column_stack(columns).astype(np.float32)
