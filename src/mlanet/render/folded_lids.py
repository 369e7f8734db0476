"""Where lids are folded away: what a photo of an open eye shows there is lashes and eyeball.

A blink unfolds skin that an open eye shows as a line of a pixel or two. Stretched over the closed
lid, that line would be an eye painted on it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.morphable import MorphableModel
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.lid_texture import LidPlanes
from mlanet.render.sampling import signed_areas
from mlanet.render.smooth_fields import ramp

BLINKS = "eyeBlinkLeft", "eyeBlinkRight"

MOVED_MM = 1.0
"""Skin that a blink moves by more than this is lid."""

FAR_MM = 30.0
"""Stands for what is not near."""

EYE_MM = 25.0
"""Lids are nearer to the eyeball's middle than this."""

UNFOLDED = (0.4, 0.7)
"""Areas as seen, over those of the closed lid seen from before, at which trust begins and is
full."""

CLOSED = (0.72, 0.92)
"""Share of the closed lids as seen, between which a photo shows closed eyes."""

AROUND_MM = (4.5, 0.0)
"""Distances from what a blink moves by `MOVED_MM` between which lids begin."""

REACH_MM = 24.0
"""How far from the eyeball's middle the skin around lids is asked for its colour."""

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


@dataclass(frozen=True, eq=False)
class _Lids:
    """Triangles of lids, and their areas in the frontal plane on the mean head that blinks.

    `places` are, of each eye and at vertices: shares of lid, of the skin around it and of upper
    and lower rim, mm over the closed eye's seam (of upper lids) and from the rim (of lower ones),
    and the place between the corners.
    """

    faces: Int[np.ndarray, "l 3"]
    closed_mm2: Float[np.ndarray, "l"]
    places: tuple[Float[np.ndarray, "v 7"], ...] = ()


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


def folded(model: MorphableModel, share: Float[np.ndarray, "v"]) -> float:
    """How far lids are folded away, 0 to 1, where `unfolded` found these shares."""
    lids = _lids(model)
    if not len(lids.faces):
        return 0.0
    shown = float(np.average(share[lids.faces].mean(axis=1), weights=lids.closed_mm2))
    start, end = CLOSED
    return 1.0 - float(np.clip((shown - start) / (end - start), 0.0, 1.0))


def lid_planes(model: MorphableModel, atlas: UvAtlas, size: int) -> list[LidPlanes]:
    """The lids' parts of textures of a size, not below the atlas's."""
    import cv2

    planes: list[LidPlanes] = []
    for places in _lids(model).places:
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


@lru_cache(maxsize=4)
def _lids(model: MorphableModel) -> _Lids:
    nothing = _Lids(np.zeros((0, 3), np.int32), np.zeros(0))
    if not set(BLINKS) <= set(model.expression_names) or "skin" not in model.part_names:
        return nothing
    skin = model.topology.faces[model.faces_of("skin")]
    mean = model.subdivide(model.shape.mean)
    names = [model.expression_names.index(name) for name in BLINKS]
    blink = model.subdivide(model.shape.expression[..., names].sum(axis=-1))
    moved = np.linalg.norm(blink, axis=1)
    faces = skin[(moved > MOVED_MM)[skin].all(axis=1)]
    closed = (mean + blink)[:, :2] * [1.0, -1.0]
    areas = np.maximum(signed_areas(closed, faces), 0.0) / 2.0
    front = areas > 0.0
    places: list[Float[np.ndarray, "v 7"]] = []
    if front.any() and not front.all():
        on_skin = np.zeros(len(mean), dtype=bool)
        on_skin[skin] = True
        for centre in model.eye_centres(mean):
            near = on_skin & (np.linalg.norm(mean - centre, axis=1) < EYE_MM)
            outside = np.array([np.sign(centre[0]), 1.0, 1.0])
            own = (mean - centre) * outside
            places.append(_places(own, blink * outside, near, faces[front], faces[~front]))
    return _Lids(faces[front], areas[front], tuple(places))


def _places(
    mean: Float[np.ndarray, "v 3"],
    blink: Float[np.ndarray, "v 3"],
    near: Bool[np.ndarray, "v"],
    front: Int[np.ndarray, "l 3"],
    behind: Int[np.ndarray, "b 3"],
) -> Float[np.ndarray, "v 7"]:
    """`_Lids.places` of an eye, whose middle is the origin and whose outer corner lies at +x."""
    from scipy.spatial import KDTree

    count, closed, own = len(mean), mean + blink, np.flatnonzero(near)
    upper = mean[:, 1] > 0.0
    rim = np.zeros(count, dtype=bool)
    rim[behind] = True
    edge = np.intersect1d(front, behind)
    edge = edge[near[edge]]
    rim[edge] = False
    rim &= near
    lower = edge[~upper[edge]]
    seam = np.polynomial.Polynomial.fit(closed[lower, 0], closed[lower, 1], 4)
    start, end = closed[lower, 0].min(), closed[lower, 0].max()
    along = np.clip((closed[:, 0] - start) / (end - start), 0.0, 1.0)
    above = np.full(count, FAR_MM)
    above[upper] = np.clip(closed[upper, 1] - seam(np.clip(closed[upper, 0], start, end)), -9, 30)
    below = np.full(count, FAR_MM)
    below[own] = KDTree(closed[lower]).query(closed[own])[0]
    below[upper] = FAR_MM
    lid = np.zeros(count)
    moved = near & upper & (np.linalg.norm(blink, axis=1) > MOVED_MM)
    lid[own] = ramp(KDTree(closed[moved]).query(closed[own])[0], *AROUND_MM)
    lid = np.where(upper, lid, ramp(below, *RIM_MM)) * near
    lid = np.maximum(lid, rim)
    around = near * (1.0 - lid) * (mean[:, 2] > 0.0) * (np.linalg.norm(mean, axis=1) < REACH_MM)
    columns = lid, around, rim & upper, rim & ~upper, above, below, along
    return np.column_stack(columns).astype(np.float32)
