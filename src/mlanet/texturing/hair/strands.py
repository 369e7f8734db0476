"""Fine variation of the hair and the skin that the photo does not show.

Hair is drawn as it grows, away from the crown: noise that is fine across and long along the
meridians around an axis through it. Skin is mottled alike in all directions. Both are the same for
everybody; how strong they are tells the photo.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int8

from mlanet.morphable import MorphableModel
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.texturing.guide import TextureGuide

CENTRE_MM = (0.0, 35.0, 5.0)
"""Middle of the scalp's ball in the model frame."""

CROWN = (0.12, 0.86, -0.5)
"""Direction from there in which the crown lies; a little to one side, as on most heads."""

OCTAVES = ((36, 3, 0.45), (130, 5, 0.75), (360, 7, 0.8), (900, 10, 0.7))
"""Locks and strands: cells around the crown, cells from it down to the neck, and amplitude."""

WAVES = (14, 5, 0.05)
"""Cells of the same kind, and the turns in radians by which strands leave the meridians."""

MOTTLES = ((3.0, 0.8), (1.4, 0.6))
"""Spots of skin: their distance in mm and amplitude."""

MOTTLED_MM = 420.0
"""Length after which spots repeat."""

NOISE_SIDES = 2048, 256
"""Size of the noise's picture, around and down."""


def strand_plane(model: MorphableModel, atlas: UvAtlas) -> Int8[np.ndarray, "s s"]:
    """The variation at an atlas's texels, ±127 for three standard deviations."""
    import cv2

    mean = model.subdivide(model.shape.mean)
    hair = TextureGuide.of_model(model).may_be_hairy
    columns = np.column_stack([mean - np.array(CENTRE_MM), hair])
    planes = vertex_attributes_to_uv(atlas, model.topology.faces, columns)
    places, hairy = planes[..., :3], planes[..., 3]
    around, down = from_crown(places)
    width, height = NOISE_SIDES
    noise = _noise(atlas.size)
    # from one cell to the next, so that the picture closes around the crown
    u, v = around * width, down * (height - 1)
    found = cv2.remap(noise, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    found = hairy * found + (1.0 - hairy) * _mottled(places)
    return np.clip(np.rint(found * (127.0 / 3.0)), -127, 127).astype(np.int8)


def from_crown(
    places: Float[np.ndarray, "*k 3"],
) -> tuple[Float[np.ndarray, "*k"], Float[np.ndarray, "*k"]]:
    """Turns around the axis through the crown, 0 to 1, and half turns from it; of the ball."""
    crown = np.array(CROWN) / np.linalg.norm(CROWN)
    right = np.cross(crown, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, crown), crown]).astype(np.float32)
    x, y, z = np.moveaxis(places @ axes.T, -1, 0)
    return np.arctan2(y, x) / (2.0 * np.pi) + 0.5, np.arctan2(np.hypot(x, y), z) / np.pi


def locks_at(
    places: Float[np.ndarray, "k 3"], kinds: tuple[tuple[int, int, float], ...], seed: int
) -> Float[np.ndarray, "k"]:
    """Noise of locks that run from the crown, at places of the ball.

    Args:
        places: relative to its middle, mm.
        kinds: cells around and from the crown to the neck, and the deviation.
        seed: of the noise.
    """
    import cv2

    rng = np.random.default_rng(seed)
    around, down = from_crown(places)
    total = np.zeros(len(places))
    for cells, along, amplitude in kinds:
        values = rng.normal(size=(along + 1, cells)).astype(np.float32)
        x, y = (cells * around).astype(np.float32), (along * down).astype(np.float32)
        found = cv2.remap(
            np.pad(values, ((0, 0), (1, 2)), mode="wrap"),
            x[:, None] + 1.0,
            y[:, None],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        total += amplitude * found[:, 0]
    return total


def _mottled(places: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, "s s"]:
    """Unit variance, at points in mm of a head, as if it were a cylinder."""
    import cv2

    rng = np.random.default_rng(2)
    x, y, z = np.moveaxis(places, -1, 0)
    side = 512
    total = np.zeros((side, side), np.float32)
    for apart, amplitude in MOTTLES:
        cells = rng.normal(size=[round(MOTTLED_MM / apart)] * 2).astype(np.float32)
        total += amplitude * cv2.resize(cells, (side, side), interpolation=cv2.INTER_CUBIC)
    around = 80.0 * np.arctan2(x, z) * (side / MOTTLED_MM)
    down = (y + 0.8 * np.hypot(x, z)) * (side / MOTTLED_MM)
    return cv2.remap(
        total / total.std(), around, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )


@lru_cache(maxsize=4)
def _noise(texture_size: int) -> Float[np.ndarray, "h w"]:
    """Unit variance, periodic across, by angle around the crown and angle from it.

    Cells that a texture of this size cannot show are left out.
    """
    import cv2

    rng = np.random.default_rng(1)
    width, height = NOISE_SIDES

    def cells(around: int, down: int) -> Float[np.ndarray, "h w"]:
        values = rng.normal(size=(down, around)).astype(np.float32)
        margin = 4
        padded = np.concatenate([values[:, -margin:], values, values[:, :margin]], axis=1)
        edge = round(margin * width / around)
        size = width + 2 * edge
        return cv2.resize(padded, (size, height), interpolation=cv2.INTER_CUBIC)[:, edge:][
            :, :width
        ]

    octaves = [octave for octave in OCTAVES if octave[0] < texture_size] or OCTAVES[:1]
    total = sum(amplitude * cells(around, down) for around, down, amplitude in octaves)
    across, along, turn = WAVES
    columns = np.arange(width) + cells(across, along) * (turn * width / (2.0 * np.pi))
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    waved = cv2.remap(
        np.asarray(total, dtype=np.float32),
        columns.astype(np.float32),
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    return waved / waved.std()
