"""Where lids are folded away: what a photo of an open eye shows there is lashes and eyeball.

A blink unfolds skin that an open eye shows as a line of a pixel or two. Stretched over the closed
lid, that line would be an eye painted on it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from mlanet.morphable import MorphableModel
from mlanet.render.sampling import signed_areas

BLINKS = "eyeBlinkLeft", "eyeBlinkRight"

MOVED_MM = 1.0
"""Skin that a blink moves by more than this is lid."""

EYE_MM = 25.0
"""Lids are nearer to the eyeball's middle than this."""

UNFOLDED = (0.4, 0.7)
"""Areas as seen, over those of the closed lid seen from before, at which trust begins and is
full."""

RIM_MM = (0.9, 1.9)
"""Distances from the lid's rim between which the line of its lashes ends."""

LASH_DARKNESS = 0.45
"""What that line takes from the brightness of an upper lid."""


@dataclass(frozen=True, eq=False)
class _Lids:
    """Triangles of lids, and their areas in the frontal plane on the mean head that blinks.

    `lashes` is 1 at the vertices of the upper lids' rims, else 0.
    """

    faces: Int[np.ndarray, "l 3"]
    closed_mm2: Float[np.ndarray, "l"]
    lashes: Float[np.ndarray, "v"]


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
    lids = _lids(model)
    if not len(lids.faces):
        return share
    seen_mm2 = np.maximum(signed_areas(projected[:, :2], lids.faces), 0.0) * mm_per_px**2 / 2.0
    corners, count = lids.faces.reshape(-1), len(projected)
    seen, closed = (
        np.bincount(corners, np.repeat(areas, 3), count) for areas in (seen_mm2, lids.closed_mm2)
    )
    on_lid = closed > 0.0
    start, end = UNFOLDED
    share[on_lid] = np.clip((seen[on_lid] / closed[on_lid] - start) / (end - start), 0.0, 1.0)
    return share


def lashes(model: MorphableModel) -> Float[np.ndarray, "v"]:
    """What the line of lashes takes from the brightness of the skin, 0 to 1; 0 almost anywhere."""
    return LASH_DARKNESS * _lids(model).lashes


@lru_cache(maxsize=4)
def _lids(model: MorphableModel) -> _Lids:
    count = model.topology.num_vertices
    nothing = _Lids(np.zeros((0, 3), np.int32), np.zeros(0), np.zeros(count))
    if not set(BLINKS) <= set(model.expression_names) or "skin" not in model.part_names:
        return nothing
    skin = model.topology.faces[model.faces_of("skin")]
    mean = model.subdivide(model.shape.mean)
    names = [model.expression_names.index(name) for name in BLINKS]
    blink = model.subdivide(model.shape.expression[..., names].sum(axis=-1))
    moved = np.linalg.norm(blink, axis=1) > MOVED_MM
    faces = skin[moved[skin].all(axis=1)]
    closed = (mean + blink)[:, :2] * [1.0, -1.0]
    areas = np.maximum(signed_areas(closed, faces), 0.0) / 2.0
    front = areas > 0.0
    rim = _rim(mean + blink, faces[front], faces[~front])
    upper = np.zeros(len(mean), dtype=bool)
    for centre in model.eye_centres(mean):
        upper |= (mean[:, 1] > centre[1]) & (np.linalg.norm(mean - centre, axis=1) < EYE_MM)
    return _Lids(faces[front], areas[front], rim * upper)


def _rim(
    closed: Float[np.ndarray, "v 3"], front: Int[np.ndarray, "l 3"], behind: Int[np.ndarray, "b 3"]
) -> Float[np.ndarray, "v"]:
    """1 where lids turn towards the eyeball, and a little before that."""
    from scipy.spatial import KDTree

    near = np.zeros(len(closed), dtype=np.float32)
    edge, own = np.intersect1d(front, behind), np.unique(front)
    if len(edge):
        away, _ = KDTree(closed[edge]).query(closed[own])
        start, end = RIM_MM
        near[own] = np.clip((end - away) / (end - start), 0.0, 1.0)
    return near
