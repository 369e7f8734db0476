"""Where lids are on a face model: found on its mean head, which blinks."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.geometry import distance_to_nearest, face_normals
from mlanet.morphable.model import MorphableModel

BLINKS = "eyeBlinkLeft", "eyeBlinkRight"

MOVED_MM = 1.0
"""Skin that a blink moves by more than this is lid."""

EYE_MM = 25.0
"""Lids are nearer to the eyeball's middle than this."""

FAR_MM = 30.0
"""Stands for what is not near."""

SEAM_DEGREE = 4
"""Of the polynomial that the seam of a closed eye is."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeLids:
    """The lids of an eye, at the `v` vertices of the head.

    Attributes:
        near: skin around the eyeball and before its middle.
        upper: what is above the eyeball's middle.
        lid: skin that a blink moves.
        rim: rims of the lids, which turn to the eyeball.
        above_mm: of what is above, the height over the closed eye's seam; else `FAR_MM`.
        below_mm: of what is below, the distance from the lower rim, closed; else `FAR_MM`.
        along: place between the inner corner, 0, and the outer one, 1.
    """

    near: Bool[np.ndarray, "v"]
    upper: Bool[np.ndarray, "v"]
    lid: Bool[np.ndarray, "v"]
    rim: Bool[np.ndarray, "v"]
    above_mm: Float[np.ndarray, "v"]
    below_mm: Float[np.ndarray, "v"]
    along: Float[np.ndarray, "v"]


@dataclass(frozen=True, slots=True, eq=False)
class ClosedLids:
    """Triangles of closed lids that are seen from before, and their areas there.

    Attributes:
        faces: of the lids.
        areas_mm2: in the frontal plane.
        vertices: of the mean head with closed eyes, mm.
        eyes: the left and the right one.
    """

    faces: Int[np.ndarray, "l 3"]
    areas_mm2: Float[np.ndarray, "l"]
    vertices: Float[np.ndarray, "v 3"]
    eyes: tuple[EyeLids, ...]


@lru_cache(maxsize=4)
def closed_lids(model: MorphableModel) -> ClosedLids | None:
    """The lids; None of models without parts, or whose expressions do not close the eyes."""
    if not set(BLINKS) <= set(model.expression_names) or "skin" not in model.part_names:
        return None
    skin = model.topology.faces[model.faces_of("skin")]
    mean = model.subdivide(model.shape.mean)
    names = [model.expression_names.index(name) for name in BLINKS]
    blink = model.subdivide(model.shape.expression[..., names].sum(axis=-1))
    moved = np.linalg.norm(blink, axis=1) > MOVED_MM
    faces = skin[moved[skin].all(axis=1)]
    areas = np.asarray(face_normals((mean + blink).astype(np.float64), faces))[:, 2] / 2.0
    front, behind = faces[areas > 0.0], faces[areas <= 0.0]
    if not (len(front) and len(behind)):
        return None
    on_skin = np.zeros(len(mean), dtype=bool)
    on_skin[skin] = True
    eyes: list[EyeLids] = []
    for centre in model.eye_centres(mean):
        near = on_skin & (np.linalg.norm(mean - centre, axis=1) < EYE_MM)
        near &= mean[:, 2] > centre[2]
        outwards = np.array([np.sign(centre[0]), 1.0, 1.0])
        rest, closed = (mean - centre) * outwards, (mean + blink - centre) * outwards
        eye = _lids(rest, closed, near, moved, front, behind)
        if eye is None:
            return None
        eyes.append(eye)
    return ClosedLids(front, areas[areas > 0.0], mean + blink, tuple(eyes))


def _lids(
    rest: Float[np.ndarray, "v 3"],
    closed: Float[np.ndarray, "v 3"],
    near: Bool[np.ndarray, "v"],
    moved: Bool[np.ndarray, "v"],
    front: Int[np.ndarray, "l 3"],
    behind: Int[np.ndarray, "b 3"],
) -> EyeLids | None:
    """Of an eye whose middle is the origin and whose outer corner lies at +x, if it has lids."""
    own, upper = np.flatnonzero(near), rest[:, 1] > 0.0
    edge = np.intersect1d(front, behind)
    edge = edge[near[edge]]
    rim = np.zeros(len(rest), dtype=bool)
    rim[behind] = True
    rim[edge] = False
    lower = edge[~upper[edge]]
    if len(lower) <= SEAM_DEGREE or not (near & moved & upper).any():
        return None
    x, y = closed[:, 0], closed[:, 1]
    seam = np.polynomial.Polynomial.fit(x[lower], y[lower], SEAM_DEGREE)
    start, end = x[lower].min(), x[lower].max()
    above = np.where(upper, y - seam(np.clip(x, start, end)), FAR_MM)
    below = np.full(len(rest), FAR_MM)
    below[own] = distance_to_nearest(closed[own], closed[lower])
    below[upper] = FAR_MM
    return EyeLids(
        near=near,
        upper=upper,
        lid=near & moved,
        rim=rim & near,
        above_mm=np.clip(above, -FAR_MM, FAR_MM),
        below_mm=below,
        along=np.clip((x - start) / (end - start), 0.0, 1.0),
    )
