"""The scalp's hair where hair that falls begins: its colours there run on."""

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.morphable import MorphableModel
from mlanet.render.attributes import interpolate
from mlanet.texturing.guide import TextureGuide
from mlanet.texturing.hair.curtain import HANGS_FROM_MM
from mlanet.texturing.hair.from_axis import AXIS_Z_MM, MAP_DEG, seen_from_axis
from mlanet.texturing.smooth_fields import ramp

REACH_MM = 56.0
"""How far below the upper rim of hair that falls the scalp is looked at."""

ABOVE_MM = 2.0
"""How far above it."""

CELL = 1.0, 1.25
"""Degrees of a column and millimetres of a row."""

HAIRY = 0.6, 1.0
"""Shares of hair on the scalp between which its colours begin to count."""


def scalp_around_axis(
    model: MorphableModel, vertices: Float[np.ndarray, "v 3"], texture: UInt8[np.ndarray, "s s 3"]
) -> Float[np.ndarray, "h a 4"]:
    """Colours, 0 to 255, of a head's hair by height and angle around the axis, and their weight.

    Args:
        model: the face model.
        vertices: of the head with hair.
        texture: of that head.
    """
    import cv2

    borders = HANGS_FROM_MM + ABOVE_MM, HANGS_FROM_MM - REACH_MM
    seen, drawn = seen_from_axis(model, vertices, borders, CELL)
    at = interpolate(seen, model.uv_faces[drawn], model.uv)
    hairy = TextureGuide.of_model(model).hairy[:, None]
    weight = ramp(interpolate(seen, model.topology.faces[drawn], hairy), *HAIRY)
    size = len(texture)
    x, y = at[..., 0] * size - 0.5, (1.0 - at[..., 1]) * size - 0.5
    colors = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.concatenate([colors.astype(np.float32), weight], axis=-1)


def scalp_at(
    scalp: Float[np.ndarray, "h a 4"], places: Float[np.ndarray, "r c 3"]
) -> Float[np.ndarray, "r c 4"]:
    """Those at points of the model frame; without weight outside of the map."""
    import cv2

    degrees = np.degrees(np.arctan2(places[..., 0], AXIS_Z_MM - places[..., 2]))
    x = (degrees + MAP_DEG) / CELL[0] - 0.5
    y = (HANGS_FROM_MM + ABOVE_MM - places[..., 1]) / CELL[1] - 0.5
    return cv2.remap(scalp, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)


def along_rim(scalp: Float[np.ndarray, "h a 4"]) -> Float[np.ndarray, "h a 4"]:
    """Without strands: what is near at any height, however little of it is hair."""
    import cv2

    weight = scalp[..., 3:] + 1e-4
    total = np.concatenate([scalp[..., :3] * weight, weight], axis=-1).sum(axis=0, keepdims=True)
    total = cv2.GaussianBlur(total, (0, 0), 10.0, borderType=cv2.BORDER_REPLICATE)
    total[..., :3] /= total[..., 3:]
    return np.repeat(total, len(scalp), axis=0)
