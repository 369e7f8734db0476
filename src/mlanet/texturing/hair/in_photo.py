"""Where a photo shows a person's hair, above and below the ears.

Colours of the scalp, of the face's skin and of what is behind the head tell hair elsewhere; it
counts if it is connected with the scalp's.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from mlanet.render.attributes import interpolate
from mlanet.render.heads import PosedHead
from mlanet.render.rasterize import rasterize
from mlanet.texturing.guide import TextureGuide

ROWS, COLUMNS, MM_PER_PX = 132, 144, 3.0
"""Height and width of the picture of the head that is looked at, and its scale."""

TOP_MM = 190.0
"""Height of its first row over the model's origin, which is in its middle column."""

LEVEL = 10
"""Rows and columns at a photo's edges that differ by no more are bars around it."""

SCALP_MM, CROWN_MM = 45.0, 90.0
"""Heights above which the scalp tells the hair's colour, and above which it is least mixed."""

UNLIKE_SKIN = 2.2, 1.6
"""Deviations from skin's colour that make hair there."""

HAIRY_SCALP = 0.3
"""Share of the scalp that must have hair for colours to be believed."""

FEWEST = 60
"""Pixels of skin and of scalp that are needed."""

BEHIND_MM = 20.0
"""Distance from the head with its hair from which the background is seen, above `BEHIND_ABOVE_MM`,
where nothing else belongs to a person."""

BEHIND_ABOVE_MM = 35.0

KINDS = {"hair": (3, (5.0, 2.5, 2.5)), "skin": (3, (4.0, 2.0, 2.0)), "behind": (5, (3.0, 1.5, 1.5))}
"""Number of colours of each kind, and the least deviation of each (CIELAB)."""

SAMPLES = 600
"""Pixels of a kind that are looked at."""

ANYTHING = -12.2
"""Logarithm of the density, in CIELAB, of colours of things of which nothing is known."""

SHADED, SHADED_BELOW_MM = 0.5, -25.0
"""Brightness of skin under the chin, over the face's, and where it may be seen."""

WHITE = 97.0
"""Lightness that no hair has: paper around a photo that is cut out."""

LIKE_BEHIND = -9.5
"""Logarithm of the density of what is behind the head at which colours on the scalp belong to it:
where the photo shows less scalp than the mesh has."""

SKIN_BESIDE = -4.0
"""Logarithm of how much rarer skin is beside the head than on it."""

LIKELY, LEARNT_ABOVE_MM = 2.0, -30.0
"""Odds and height of hair beside the head from which more of its colours are learnt."""

CLEAR = 4.0
"""Logarithm of the odds beyond which they do not count more."""

SMOOTHING = (5, 3.0, 2.0)
"""Window, deviation of the odds and of distance in pixels of the filter that steadies them."""

_Color = tuple[float, Float[np.ndarray, "3"], Float[np.ndarray, "3 3"], float]


@dataclass(frozen=True, slots=True, eq=False)
class HairInPhoto:
    """A picture of the surroundings of a head, upright, `MM_PER_PX` at the head's distance.

    Attributes:
        picture: sRGB.
        inside: where the photo is.
        mesh: where the head's mesh is, without its hair.
        hair: where hair is seen that is connected with the scalp's.
        odds: logarithms of hair's odds, ±`CLEAR`.
        depth_mm: of the mesh; zero where it is not.
        from_photo: affine map of the photo's pixels.
    """

    picture: UInt8[np.ndarray, "r c 3"]
    inside: Bool[np.ndarray, "r c"]
    mesh: Bool[np.ndarray, "r c"]
    hair: Bool[np.ndarray, "r c"]
    odds: Float[np.ndarray, "r c"]
    depth_mm: Float[np.ndarray, "r c"]
    from_photo: Float[np.ndarray, "2 3"]


def heights_mm() -> Float[np.ndarray, "r"]:
    """Heights over the model's origin of the picture's rows."""
    return TOP_MM - (np.arange(ROWS) + 0.5) * MM_PER_PX


def across_of(head: PosedHead) -> Float[np.ndarray, "2 2"]:
    """Unit vectors in the photo to the right of an upright head, and down along it."""
    up = head.pose.rotation[:2, 1]
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    return np.array([[-up[1], up[0]], -up])


def hair_in_photo(
    image: UInt8[np.ndarray, "h w 3"], head: PosedHead, offsets: Float[np.ndarray, "v 3"]
) -> HairInPhoto | None:
    """Where a photo shows the hair of a head; None where that cannot be told.

    Args:
        image: the photo.
        head: where it shows the head, without hair.
        offsets: `hair_offsets` of the head.
    """
    guide = TextureGuide.of_model(head.model)
    if head.points[:, 2].min() <= 0.0 or not guide.hairy.any():
        return None
    import cv2

    from_photo = _placed(head)
    picture, inside = warped(image, from_photo)
    faces = head.model.topology.faces
    own = rasterize(_moved(head.projected, from_photo), faces, (ROWS, COLUMNS))
    ears = head.model.region("ears")
    planes = interpolate(
        own, faces, np.column_stack([guide.hairy, guide.trusted * guide.skin, ears])
    )
    whole = rasterize(
        _moved(head.with_hair(offsets).projected, from_photo), faces, (ROWS, COLUMNS)
    ).mask
    lab = cv2.cvtColor(picture.astype(np.float32) / np.float32(255.0), cv2.COLOR_RGB2LAB)
    height = np.broadcast_to(heights_mm()[:, None], inside.shape)
    skin = _inner(own.mask & (planes[..., 1] > 0.8)) & inside
    scalp = own.mask & (planes[..., 0] > 0.6) & inside & (height > SCALP_MM)
    if min(skin.sum(), scalp.sum()) < FEWEST:
        return None
    away = cv2.distanceTransform((~whole).astype(np.uint8), cv2.DIST_L2, 5) * MM_PER_PX
    behind = (away > BEHIND_MM) & (height > BEHIND_ABOVE_MM) & inside
    of_behind = np.full(lab.shape[:2], -np.inf, np.float32)
    if behind.sum() > FEWEST:
        of_behind = _density(_colors(lab[behind], "behind"), lab)
    unlike = _from_skin(lab, skin)
    sure = scalp & (unlike > np.where(height > CROWN_MM, UNLIKE_SKIN[1], UNLIKE_SKIN[0]))
    sure &= (lab[..., 0] < WHITE) & (of_behind < LIKE_BEHIND)
    if sure.sum() < HAIRY_SCALP * scalp.sum():
        return None
    inner = _inner(sure)
    sure = inner if inner.sum() > FEWEST else sure
    other = _anything_else(lab, skin, of_behind, own.mask)
    barred = skin | (lab[..., 0] > WHITE)
    odds = _odds(lab, sure, other, barred)
    ear = (own.mask & (planes[..., 2] > 0.4)).astype(np.uint8)
    ear = cv2.dilate(ear, np.ones((5, 5), np.uint8))
    hair = _connected(odds, inside & ~skin, ear, sure)
    learnt = sure | (hair & (odds > LIKELY) & (height > LEARNT_ABOVE_MM))
    odds = _odds(lab, learnt, other, barred)
    hair = _connected(odds, inside & ~skin, ear, sure)
    return HairInPhoto(picture, inside, own.mask, hair, odds, own.depth, from_photo)


def _placed(head: PosedHead) -> Float[np.ndarray, "2 3"]:
    """Of the photo's pixels in the picture."""
    origin = head.camera.project(head.pose.apply(np.zeros((1, 3))))[0, :2]
    turned = across_of(head) * (head.mm_per_px / MM_PER_PX)
    shift = np.array([COLUMNS / 2.0, TOP_MM / MM_PER_PX]) - turned @ origin
    return np.column_stack([turned, shift])


def _moved(
    projected: Float[np.ndarray, "v 3"], affine: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "v 3"]:
    moved = projected.copy()
    moved[:, :2] = projected[:, :2] @ affine[:, :2].T + affine[:, 2]
    return moved


def warped(
    image: UInt8[np.ndarray, "h w 3"],
    from_photo: Float[np.ndarray, "2 3"],
    size: tuple[int, int] = (COLUMNS, ROWS),
) -> tuple[UInt8[np.ndarray, "r c 3"], Bool[np.ndarray, "r c"]]:
    """A part of the photo in a picture of a width and height, and where that shows the photo.

    Bars around the photo are left out.
    """
    import cv2

    width, height = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) - from_photo[:, 2]
    places = corners @ np.linalg.inv(from_photo[:, :2]).T
    left, top, right, bottom = _without_bars(image)
    low = np.clip(np.floor(places.min(axis=0)).astype(int) - 2, (left, top), None)
    high = np.clip(np.ceil(places.max(axis=0)).astype(int) + 3, None, (right, bottom))
    if (high - low < 2).any():
        return np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    part = image[low[1] : high[1], low[0] : high[0]]
    affine = from_photo.copy()
    affine[:, 2] += affine[:, :2] @ low
    whole = np.full(part.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(whole, affine, size, flags=cv2.INTER_NEAREST) > 0
    scale = float(np.linalg.norm(affine[0, :2]))
    if scale < 1.0:
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        affine[:, :2] /= scale
    return cv2.warpAffine(part, affine, size, borderMode=cv2.BORDER_REPLICATE), inside


def _without_bars(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is left of a photo without even bars at its edges."""
    bottom, right = image.shape[:2]
    left = top = 0

    def even(line: Shaped[np.ndarray, "n 3"]) -> bool:
        return bool((line.max(axis=0).astype(int) - line.min(axis=0) <= LEVEL).all())

    for _ in range(2):  # what is even between bars at the sides need not be even across them
        while top < bottom - 8 and even(image[top, left:right]):
            top += 1
        while bottom > top + 8 and even(image[bottom - 1, left:right]):
            bottom -= 1
        while left < right - 8 and even(image[top:bottom, left]):
            left += 1
        while right > left + 8 and even(image[top:bottom, right - 1]):
            right -= 1
    return left, top, right, bottom


def _inner(mask: Bool[np.ndarray, "r c"]) -> Bool[np.ndarray, "r c"]:
    import cv2

    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _from_skin(
    lab: Float[np.ndarray, "r c 3"], skin: Bool[np.ndarray, "r c"]
) -> Float[np.ndarray, "r c"]:
    """Deviations from the usual colour of skin."""
    seen = lab[skin]
    usual = np.median(seen, axis=0)
    spread = 1.4826 * np.median(np.abs(seen - usual), axis=0) + [4.0, 2.0, 2.0]
    return np.linalg.norm((lab - usual) / spread, axis=-1)


def _anything_else(
    lab: Float[np.ndarray, "r c 3"],
    skin: Bool[np.ndarray, "r c"],
    of_behind: Float[np.ndarray, "r c"],
    mesh: Bool[np.ndarray, "r c"],
) -> Float[np.ndarray, "r c"]:
    """Logarithms of the density of skin, of what is behind the head, and of anything else."""
    import cv2

    of_skin = lab[skin]
    lit = _density(_colors(of_skin, "skin"), lab)
    shaded = _density(_colors(of_skin * np.float32(SHADED), "skin"), lab) - np.float32(np.log(3.0))
    shaded[heights_mm() > SHADED_BELOW_MM] = -np.inf
    near = cv2.dilate(mesh.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    of_skin = (np.exp(lit) + np.exp(shaded)) * np.exp(np.where(near, 0.0, SKIN_BESIDE))
    return np.log(of_skin + np.exp(ANYTHING) + np.exp(of_behind)).astype(np.float32)


def _odds(
    lab: Float[np.ndarray, "r c 3"],
    sure: Bool[np.ndarray, "r c"],
    other: Float[np.ndarray, "r c"],
    barred: Bool[np.ndarray, "r c"],
) -> Float[np.ndarray, "r c"]:
    """Logarithms of the odds of hair, whose colours are those at the sure places."""
    import cv2

    odds = _density(_colors(lab[sure], "hair"), lab) - other
    odds = np.clip(odds, -CLEAR, CLEAR).astype(np.float32)
    odds[barred] = -CLEAR
    return cv2.bilateralFilter(odds, *SMOOTHING)


def _colors(seen: Float[np.ndarray, "n 3"], kind: str) -> list[_Color]:
    """A mixture: weight, middle, inverse of the covariance, logarithm of the density's factor."""
    import cv2

    count, least = KINDS[kind]
    seen = np.ascontiguousarray(seen[:: max(1, len(seen) // SAMPLES)], np.float32)
    cv2.setRNGSeed(0)
    count = min(count, len(seen))
    labels = np.empty((0, 1), np.int32)
    _, labels, middles = cv2.kmeans(seen, count, labels, (3, 10, 1.0), 1, cv2.KMEANS_PP_CENTERS)
    found: list[_Color] = []
    for k in range(count):
        own = seen[labels[:, 0] == k]
        spread = np.diag(np.square(least))
        if len(own) > 8:
            apart = own - own.mean(axis=0)
            spread = spread + apart.T @ apart / (len(own) - 1)
        factor = -0.5 * np.log(np.linalg.det(spread)) - 1.5 * np.log(2.0 * np.pi)
        found.append((len(own) / len(seen), middles[k], np.linalg.inv(spread), float(factor)))
    return found


def _density(colors: list[_Color], lab: Float[np.ndarray, "r c 3"]) -> Float[np.ndarray, "r c"]:
    """Logarithm of a mixture's density."""
    planes = np.ascontiguousarray(lab.reshape(-1, 3).T)
    parts: list[np.ndarray] = []
    for weight, middle, inverse, factor in colors:
        root = np.linalg.cholesky(inverse).T.astype(np.float32)
        apart = root @ planes - (root @ middle.astype(np.float32))[:, None]
        x, y, z = apart * apart
        parts.append(np.float32(np.log(weight + 0.02) + factor) - np.float32(0.5) * (x + y + z))
    most = np.maximum.reduce(parts)
    total = np.zeros_like(most)
    for part in parts:
        total += np.exp(part - most)
    return (most + np.log(total)).reshape(lab.shape[:2])


def _connected(
    odds: Float[np.ndarray, "r c"],
    possible: Bool[np.ndarray, "r c"],
    bridges: UInt8[np.ndarray, "r c"],
    seeds: Bool[np.ndarray, "r c"],
) -> Bool[np.ndarray, "r c"]:
    """What is likely hair, not thinner than three pixels, and connected with seeds or bridged."""
    import cv2

    likely = ((odds > 0.0) & possible).astype(np.uint8)
    hair = cv2.morphologyEx(likely, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    _, labels = cv2.connectedComponents(likely | bridges, connectivity=4)
    kept = np.unique(labels[seeds & hair])
    return hair & np.isin(labels, kept[kept > 0])
