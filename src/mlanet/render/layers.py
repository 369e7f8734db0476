"""Heads as see-through layers over a picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import RenderError
from mlanet.render.antialias import antialias
from mlanet.render.attributes import interpolate
from mlanet.render.checks import checked_size
from mlanet.render.drawing import MARGIN_PX, box_in_picture
from mlanet.render.heads import PosedHead
from mlanet.render.rasterize import rasterize
from mlanet.render.renderer import Box

MAX_FINE_PX, MAX_FINENESS = 1200, 3
"""Samples form a grid up to 3 times as fine as the pixels, if it has no longer side than this."""

Paint: TypeAlias = Callable[[Float[np.ndarray, "h w c"]], Float[np.ndarray, "h w k"]]
"""From attributes at pixels (zero where there is none) to what is drawn there."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What a head adds to a picture inside a box of it.

    Attributes:
        values: colours or other quantities, already multiplied by the coverage.
        cover: share of each pixel that the layer hides, in [0, 1].
        box_px: the part of the picture; it may be empty.
    """

    values: Float[np.ndarray, "h w k"]
    cover: Float[np.ndarray, "h w"]
    box_px: Box

    def over(self, canvas: Float[np.ndarray, "b c k"], opacity: float = 1.0) -> None:
        """Lay it over floats, in place."""
        left, top, right, bottom = self.box_px
        part = canvas[top:bottom, left:right]
        part += np.float32(opacity) * (self.values - self.cover[..., None] * part)

    def over_bytes(self, canvas: UInt8[np.ndarray, "b c 3"], opacity: float = 1.0) -> None:
        """Lay colours in [0, 1] over a picture, in place."""
        left, top, right, bottom = self.box_px
        under = canvas[top:bottom, left:right].astype(np.float32)
        mixed = under + np.float32(opacity) * (self.values * 255.0 - self.cover[..., None] * under)
        canvas[top:bottom, left:right] = np.rint(np.clip(mixed, 0.0, 255.0))


def head_layer(
    head: PosedHead,
    image_size: tuple[int, int],
    attributes: Float[np.ndarray, "v c"],
    paint: Paint | None = None,
    opacity: Float[np.ndarray, "v"] | None = None,
    *,
    fine: bool = False,
) -> Layer:
    """Attributes of a head's vertices as a layer with soft outlines.

    Args:
        head: where the mesh is; triangles seen from inside are left out.
        image_size: height and width of the picture in pixels.
        attributes: drawn as they are, or by `paint`.
        paint: makes colours of attributes at pixels.
        opacity: of the layer at each vertex, in [0, 1]; without it, one.
        fine: draw with more than one sample in each pixel of small heads, so that lids and lips
            do not flicker.

    Raises:
        RenderError: a shape is wrong or a vertex is not finite.
    """
    height, width = checked_size(image_size)
    box = box_in_picture(head.projected, (height, width), MARGIN_PX)
    left, top, right, bottom = box
    topology = head.topology
    if right <= left or bottom <= top:
        channels = attributes.shape[1] if paint is None else 3
        empty = np.zeros((max(bottom - top, 0), max(right - left, 0), channels), dtype=np.float32)
        return Layer(empty, empty[..., 0], box)
    size = (bottom - top, right - left)
    samples = fineness(size) if fine else 1
    local = (head.projected - [left, top, 0.0]) * [samples, samples, 1.0]
    grid = (size[0] * samples, size[1] * samples)
    fragments = rasterize(local, topology.faces, grid, cull_backfaces=True)
    shown = attributes if opacity is None else np.column_stack([attributes, opacity])
    values = interpolate(fragments, topology.faces, shown)
    strength = fragments.mask[..., None].astype(np.float32)
    if opacity is not None:
        values, strength = values[..., :-1], values[..., -1:]
    colors = values if paint is None else paint(values)
    drawn = np.concatenate([colors * strength, strength], axis=-1)
    drawn = np.clip(antialias(drawn, fragments, local, topology.edge_opposites), 0.0, 1.0)
    drawn = averaged(drawn, size)
    return Layer(drawn[..., :-1], drawn[..., -1], box)


def canvas_of(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """A copy to draw on.

    Raises:
        RenderError: it is not an RGB picture of bytes.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise RenderError(f"image must be (h, w, 3) uint8, got {image.shape} {image.dtype}")
    return image.copy()


def fineness(size: tuple[int, int]) -> int:
    """How many samples a side of each pixel of a small box may have."""
    return int(np.clip(MAX_FINE_PX // max(size), 1, MAX_FINENESS))


def averaged(
    samples: Float[np.ndarray, "g k *c"], size: tuple[int, int]
) -> Float[np.ndarray, "h w *c"]:
    """Means over the pixels of a grid that is some whole number of times as fine."""
    import cv2

    if samples.shape[:2] == size:
        return samples
    reduced = cv2.resize(samples, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, dtype=np.float32)
