"""Which part of the photo around a head belongs to the person, and which lies behind.

The head and what grows from it is parted from the background by colours (GrabCut; Rother et al.,
2004), in a small picture with the head's middle in its own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mlanet.render.heads import PosedHead
from mlanet.render.rasterize import rasterize
from mlanet.texturing.hair.strands import CENTRE_MM
from mlanet.texturing.photo_texels import content_box
from mlanet.texturing.smooth_fields import ramp

SIDE, WINDOW_MM = 112, 420.0
"""Pixels and millimetres across the picture of the head that is looked at."""

ROUNDS = 3
"""Of GrabCut."""

NEAR_MM, FAR_MM = 25.0, 90.0
"""Distances from the mesh's outline up to which things begin as hair, and beyond which, above the
ears, they are background."""

BORDER_PX, BORDER_FAR_MM = 4, 42.0
"""Within so many pixels of the photo's border they are so beyond this distance."""

SURE_MM = 10.0
"""How far within the mesh's outline everything is the person: the mesh never fits to the pixel."""

EARS_MM, SHOULDERS_MM = -40.0, -130.0
"""Heights over the middle of the head: there, and below, what surrounds it may belong to it."""

TRUSTED_MM = (2.0, 9.0)
"""Distances within the figure's outline between which the photo's colours become hair's own."""


@dataclass(frozen=True, eq=False)
class HeadFigure:
    """A person in the picture of a head.

    Attributes:
        picture: the photo around the head, `SIDE` pixels for `WINDOW_MM`.
        inside: where that is photo, without bars at its border.
        own: where the mesh is.
        mask: what belongs to the person.
        scale: pixels of the picture for one of the photo.
        shift: place in the picture, pixels, of the photo's corner.
    """

    picture: UInt8[np.ndarray, "s s 3"]
    inside: Bool[np.ndarray, "s s"]
    own: Bool[np.ndarray, "s s"]
    mask: Bool[np.ndarray, "s s"]
    scale: float
    shift: Float[np.ndarray, "2"]

    @property
    def middle_px(self) -> Float[np.ndarray, "2"]:
        """The head's middle in the photo."""
        return (SIDE / 2.0 - self.shift) / self.scale

    @classmethod
    def of_photo(cls, image: UInt8[np.ndarray, "h w 3"], head: PosedHead) -> "HeadFigure | None":
        """Of a head without hair; None of one that reaches behind the camera."""
        if head.points[:, 2].min() <= 0.0:
            return None
        middle = head.camera.project(head.pose.apply(np.array([CENTRE_MM])))[0, :2]
        scale = SIDE / WINDOW_MM * head.mm_per_px
        shift = SIDE / 2.0 - scale * middle
        picture, inside = _window(image, scale, shift)
        placed = head.projected * [scale, scale, 1.0] + [*shift, 0.0]
        own = rasterize(placed, head.model.topology.faces, (SIDE, SIDE)).mask
        mask = _parted(picture, inside, own, picture_axes(head)[0])
        return cls(picture, inside, own, mask, scale, shift)

    def trust(self, points_px: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
        """Share, 0 to 1, of the photo's colours at points that is surely the person's."""
        import cv2

        within = self.mask | ~self.inside  # the photo's border is no outline
        away = cv2.distanceTransform(within.astype(np.uint8), cv2.DIST_L2, 5)
        x, y = (points_px * self.scale + self.shift - 0.5).astype(np.float32).T
        found = cv2.remap(
            away, x[:, None], y[:, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        within_mm = (np.minimum(found[:, 0], SIDE) - 0.5) * (WINDOW_MM / SIDE)
        return ramp(within_mm, *TRUSTED_MM)


def picture_axes(head: PosedHead) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Unit vectors up along the head and to its right in the picture."""
    up = head.pose.rotation[:2, 1]
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    return up, np.array([-up[1], up[0]])


def _window(
    image: UInt8[np.ndarray, "h w 3"], scale: float, shift: Float[np.ndarray, "2"]
) -> tuple[UInt8[np.ndarray, "s s 3"], Bool[np.ndarray, "s s"]]:
    """The part of the photo around a head, and where that is."""
    import cv2

    placed = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    size = SIDE, SIDE
    left, top, right, bottom = content_box(image)
    low = np.maximum(np.floor(-shift / scale), (left, top)).astype(int)
    high = np.ceil((SIDE - shift) / scale).astype(int) + 1
    part = image[low[1] : min(high[1], bottom), low[0] : min(high[0], right)]
    if (high <= low).any() or not part.size:
        return np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE), bool)
    placed[:, 2] += scale * low
    whole = np.full(part.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(whole, placed, size, flags=cv2.INTER_NEAREST) > 0
    if scale < 1.0:
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        placed[:, :2] = np.eye(2)
    picture = cv2.warpAffine(part, placed, size, borderMode=cv2.BORDER_REPLICATE)
    return picture, inside


def _parted(
    picture: UInt8[np.ndarray, "s s 3"],
    inside: Bool[np.ndarray, "s s"],
    own: Bool[np.ndarray, "s s"],
    up: Float[np.ndarray, "2"],
) -> Bool[np.ndarray, "s s"]:
    """What belongs to the person, of whom the mesh shows `own`."""
    import cv2

    mm_per_px = WINDOW_MM / SIDE
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2.0
    height = (x * up[0] + y * up[1]) * mm_per_px
    away, within = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) * mm_per_px
        for part in (~own, own)
    )
    marks = np.full((SIDE, SIDE), cv2.GC_PR_BGD, np.uint8)
    marks[(away < NEAR_MM) | (height < SHOULDERS_MM)] = cv2.GC_PR_FGD
    marks[(away > FAR_MM) & (height > EARS_MM)] = cv2.GC_BGD
    deep = cv2.erode(
        np.pad(inside, 1).astype(np.uint8), np.ones((2 * BORDER_PX + 1,) * 2, np.uint8)
    )
    marks[(deep[1:-1, 1:-1] == 0) & (away > BORDER_FAR_MM) & (height > EARS_MM)] = cv2.GC_BGD
    marks[within > SURE_MM] = cv2.GC_FGD
    rows, columns = (slice(*_span(np.max(inside, axis=axis))) for axis in (1, 0))
    marks = np.ascontiguousarray(marks[rows, columns])
    if not (marks == cv2.GC_FGD).any() or not (marks % 2 == 0).any():
        return own
    cv2.setRNGSeed(0)
    models = np.zeros((2, 1, 65))
    lab = cv2.cvtColor(np.ascontiguousarray(picture[rows, columns]), cv2.COLOR_RGB2LAB)
    cv2.grabCut(lab, marks, (0, 0, 1, 1), models[0], models[1], ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask = own.copy()
    mask[rows, columns] = marks % 2 == 1
    return mask


def _span(among: Bool[np.ndarray, "n"]) -> tuple[int, int]:
    """The first that is true, and the one after the last."""
    places = np.flatnonzero(among)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
