"""Strands of hair in the texture: fine variation for the hair that the photo does not show.

Hair is drawn as it grows, away from the crown: noise that is fine across and long along the
meridians around an axis through it. The same for everybody; how strong it is tells the photo.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int8

from mlanet.morphable import MorphableModel
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv

CENTRE_MM = (0.0, 35.0, 5.0)
"""Middle of the scalp's ball in the model frame."""

CROWN = (0.12, 0.86, -0.5)
"""Direction from there in which the crown lies; a little to one side, as on most heads."""

OCTAVES = ((36, 3, 0.45), (130, 5, 0.75), (360, 7, 0.8), (900, 10, 0.7))
"""Locks and strands: cells around the crown, cells from it down to the neck, and amplitude."""

WAVES = (14, 5, 0.05)
"""Cells of the same kind, and the turns in radians by which strands leave the meridians."""

NOISE_SIDES = 2048, 256
"""Size of the noise's picture, around and down."""


def strand_plane(model: MorphableModel, atlas: UvAtlas) -> Int8[np.ndarray, "s s"]:
    """The variation at an atlas's texels, ±127 for three standard deviations."""
    import cv2

    mean = model.subdivide(model.shape.mean)
    places = vertex_attributes_to_uv(atlas, model.topology.faces, mean - np.array(CENTRE_MM))
    crown = np.array(CROWN) / np.linalg.norm(CROWN)
    right = np.cross(crown, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, crown), crown]).astype(np.float32)
    x, y, z = np.moveaxis(places @ axes.T, -1, 0)
    around = np.arctan2(y, x) / (2.0 * np.pi) + 0.5
    down = np.arctan2(np.hypot(x, y), z) / np.pi
    width, height = NOISE_SIDES
    noise = _noise(atlas.size)
    # from one cell to the next, so that the picture closes around the crown
    u, v = around * width, down * (height - 1)
    found = cv2.remap(noise, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.clip(np.rint(found * (127.0 / 3.0)), -127, 127).astype(np.int8)


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
