"""The colours of hair that falls: the photo's where it shows it, elsewhere strands in its tone."""

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.render.heads import PosedHead
from mlanet.texturing.hair.curtain import HANGS_FROM_MM, INNER_SHARE, INSET, Curtain
from mlanet.texturing.hair.curtain_strands import HEIGHT, WIDTH, covered, locks_and_strands
from mlanet.texturing.hair.in_photo import MM_PER_PX, HairInPhoto, warped
from mlanet.texturing.hair.rim import along_rim, scalp_at
from mlanet.texturing.smooth_fields import extended, ramp, repeated

Maps = tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]
"""Columns and rows of a curtain's grid."""

MM_PER_TEXEL = 1.2
"""Of the photo that is looked at."""

TONE = 64
"""Side of the plane of tones."""

FACING = 0.2, 0.5
"""Cosines to the camera between which the photo begins to count."""

SURELY = 0.3, 2.0
"""Odds of hair between which it does."""

HIDDEN_MM = 4.0
"""How far behind the head's mesh hair is hidden."""

AS_SCALP = 0.3
"""Share of the height over which hidden tones begin as the scalp's."""

ROOTS_MM = 50.0, 16.0
"""How far below the upper rim the scalp's own strands run on, in hidden hair and in the photo's."""

UNEVEN = 0.16
"""Deviation of that from strand to strand."""

MIRRORED = 0.3
"""Weight of what the photo shows of the other side, where it does not show this one."""

GROOVE = 0.055
"""By how much hidden hair is brighter where locks stand out by a millimetre."""

CONTRAST = 0.05, 0.2
"""Limits of the deviation of hidden hair over its brightness."""

SHADE = 0.42
"""Brightness of the inner side over the outer one's."""


def curtain_texture(
    image: UInt8[np.ndarray, "h w 3"],
    head: PosedHead,
    found: HairInPhoto,
    curtain: Curtain,
    scalp: Float[np.ndarray, "m a 4"],
) -> UInt8[np.ndarray, "t s 4"]:
    """The texture of a curtain, with how far it is covered; its first row is v = 1.

    Args:
        image: the photo.
        head: where it shows the head.
        found: where it shows hair.
        curtain: the surface.
        scalp: `scalp_around_axis` of the head.
    """
    import cv2

    high = round(HEIGHT * (1.0 - INNER_SHARE))
    size = WIDTH, high
    maps = curtain.grid_places(size)
    seen, weight = _photographed(image, found, _in_picture(curtain, head, found), maps)
    reach = ROOTS_MM[0] / float(HANGS_FROM_MM - curtain.outer[-1, :, 1].max())
    rows = min(round((1.1 * reach + INSET) * high), high)
    places = _on_grid(curtain.outer, (maps[0][:rows], maps[1][:rows]))
    tone = _tone(seen, weight, scalp_at(along_rim(scalp), places[:1])[0, :, :3], size)
    strands = 1.0 + _contrast(seen, weight) * locks_and_strands(high)
    strands *= 1.0 + GROOVE * np.clip(_on_grid(curtain.locks, maps), -3.0, 3.0)
    made = tone * repeated(strands, 3)
    share = cv2.GaussianBlur(cv2.erode(weight, np.ones((3, 3), np.uint8)), (0, 0), 2.0)
    outer = made + repeated(share, 3) * (seen - made)
    _root(outer, share, places, scalp)
    inner = cv2.resize(made, (WIDTH, HEIGHT - high), interpolation=cv2.INTER_AREA) * SHADE
    colors = np.clip(np.rint(np.concatenate([outer, inner])), 0, 255).astype(np.uint8)
    edge, hem = cv2.split(_on_grid(curtain.within, maps))
    cover = covered(edge, hem, float(curtain.within[0, :, 1].mean()))
    behind = cv2.resize(cv2.erode(cover, np.ones((1, 9), np.uint8)), (WIDTH, HEIGHT - high))
    return np.dstack([colors, np.concatenate([cover, behind])])


def _on_grid(values: Float[np.ndarray, "r c *k"], maps: Maps) -> Float[np.ndarray, "h w *k"]:
    import cv2

    values = np.ascontiguousarray(values, np.float32)
    return cv2.remap(values, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _root(
    colors: Float[np.ndarray, "h w 3"],
    share: Float[np.ndarray, "h w"],
    places: Float[np.ndarray, "t w 3"],
    scalp: Float[np.ndarray, "m a 4"],
) -> None:
    """Let colours begin as the scalp's.

    `share` is the photo's, `places` are those of the first rows.
    """
    below = HANGS_FROM_MM - places[..., 1]
    rows = len(places)
    own = scalp_at(scalp, places)
    reach = ROOTS_MM[0] + (ROOTS_MM[1] - ROOTS_MM[0]) * share[:rows]
    reach *= np.clip(1.0 + UNEVEN * (locks_and_strands(len(colors))[0] - 2.0), 0.4, 1.0)
    weight = repeated(ramp(below, reach, 0.1 * reach) * own[..., 3], 3)
    colors[:rows] += weight * (own[..., :3] - colors[:rows])


def _in_picture(
    curtain: Curtain, head: PosedHead, found: HairInPhoto
) -> Float[np.ndarray, "r c 4"]:
    """Columns and rows in the picture of the surroundings, depths, and cosines to the camera."""
    rows, columns = curtain.outer.shape[:2]
    places = head.pose.apply(curtain.outer.reshape(-1, 3))
    projected = head.camera.project(places)
    normals = curtain.normals[: rows * columns] @ head.pose.rotation.T
    cosine = -(normals * places).sum(axis=1) / np.linalg.norm(places, axis=1)
    at = projected[:, :2] @ found.from_photo[:, :2].T + found.from_photo[:, 2]
    return np.column_stack([at, projected[:, 2], cosine]).reshape(rows, columns, 4)


def _photographed(
    image: UInt8[np.ndarray, "h w 3"],
    found: HairInPhoto,
    grid: Float[np.ndarray, "r c 4"],
    maps: Maps,
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w"]]:
    """The photo's colours at texels, and how far they are hair's."""
    import cv2

    finer = MM_PER_PX / MM_PER_TEXEL
    rows, columns = found.hair.shape
    picture, _ = warped(
        image, found.from_photo * finer, (round(columns * finer), round(rows * finer))
    )
    x, y, depth, facing = cv2.split(_on_grid(grid, maps))
    seen = cv2.remap(
        picture, x * finer, y * finer, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    certain = ramp(found.odds, *SURELY) * found.hair * found.inside
    share = cv2.remap(certain.astype(np.float32), x - 0.5, y - 0.5, cv2.INTER_LINEAR)
    behind = cv2.remap(found.depth_mm, x - 0.5, y - 0.5, cv2.INTER_NEAREST)
    visible = (behind == 0.0) | (depth < behind + HIDDEN_MM)
    weight = share * ramp(facing, *FACING) * visible
    return seen.astype(np.float32), weight.astype(np.float32)


def _tone(
    seen: Float[np.ndarray, "h w 3"],
    weight: Float[np.ndarray, "h w"],
    scalp: Float[np.ndarray, "c 3"],
    size: tuple[int, int],
) -> Float[np.ndarray, "h w 3"]:
    """Colours without strands, smoothly continued from the photo's and the scalp's."""
    import cv2

    small = (TONE, TONE)
    known = cv2.resize(weight, small, interpolation=cv2.INTER_AREA)
    colors = cv2.resize(seen * repeated(weight, 3), small, interpolation=cv2.INTER_AREA)
    rim = np.ascontiguousarray(np.repeat(scalp[None].astype(np.float32), 2, axis=0))
    rim = cv2.resize(rim, small, interpolation=cv2.INTER_LINEAR)
    other = MIRRORED * known[:, ::-1] * (1.0 - known)
    share = ramp(np.linspace(0.0, 1.0, TONE), AS_SCALP, 0.0)[:, None] * (1.0 - known - other)
    total = (known + other + share).astype(np.float32)
    mirrored = colors[:, ::-1] * (MIRRORED * (1.0 - known))[..., None]
    colors = colors + mirrored + share[..., None] * rim
    colors /= np.maximum(total, 1e-6)[..., None]
    tone = extended(colors.astype(np.float32), np.minimum(total, 1.0))
    tone = cv2.GaussianBlur(tone, (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(tone, size, interpolation=cv2.INTER_LINEAR)


def _contrast(seen: Float[np.ndarray, "h w 3"], weight: Float[np.ndarray, "h w"]) -> float:
    """Deviation of fine detail where the photo shows hair, over its brightness."""
    import cv2

    light = cv2.transform(seen, np.full((1, 3), 1.0 / 3.0))
    smooth = cv2.GaussianBlur(light, (0, 0), 6.0)
    sure = weight > 0.8
    if sure.sum() < 200:
        return 0.5 * sum(CONTRAST)
    ratio = light[sure] / np.maximum(smooth[sure], 4.0) - 1.0
    return float(np.clip(1.2 * np.std(np.clip(ratio, -0.6, 0.6)), *CONTRAST))
