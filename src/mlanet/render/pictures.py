"""Kinds of pictures of heads over photos.

Each function takes a picture and the heads in it and returns a new picture; what it draws is
opaque, with soft outlines, nearer heads over farther ones, and everything else stays as it was.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import RenderError
from mlanet.image import draw_landmarks as draw_landmark_lines
from mlanet.morphable import FACE_REGIONS, MorphableModel
from mlanet.render.heads import PosedHead, far_to_near
from mlanet.render.layers import Paint, canvas_of, head_layer
from mlanet.render.parts import draw_parts
from mlanet.render.pose_box import draw_pose
from mlanet.render.shade import CLAY, key_light, shade

OVERLAY_OPACITY = 0.72

DARKEST_DEPTH = 0.2
"""Brightness of the farthest visible point of a head: it differs from a black background."""

Picture: TypeAlias = UInt8[np.ndarray, "h w 3"]


def draw_overlay(
    image: UInt8[np.ndarray, "h w 3"],
    heads: Sequence[PosedHead],
    *,
    opacity: float = OVERLAY_OPACITY,
    landmarks: bool = True,
) -> UInt8[np.ndarray, "h w 3"]:
    """See-through clay on the face region, whose edge is soft, and the 68 landmarks."""
    canvas = canvas_of(image)
    for head in far_to_near(heads):
        region = head.model.region(*FACE_REGIONS)
        layer = head_layer(head, image.shape[:2], _clay(head), opacity=region)
        layer.over_bytes(canvas, opacity)
        if landmarks:
            canvas = draw_landmark_lines(canvas, head.landmarks)
    return canvas


def draw_shape(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """The shape alone: grey clay under one neutral light (`key_light`)."""
    return _draw(image, heads, _clay)


def draw_depth(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """Depth as grey: white is each head's nearest visible point, dark grey its farthest.

    Linear in the depth along the camera's axis. Every head has its own scale, since distances
    between heads are not known.
    """
    return _draw(image, heads, lambda head: head.points[:, 2:], paint=_grey_of_depth)


def draw_normal(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """Normals n of length one in the viewer's frame as the colour (n + 1) / 2.

    Red grows to the right, green upwards, blue towards the viewer: (0.5, 0.5, 1) faces the
    camera.
    """
    return _draw(image, heads, lambda head: head.normals, paint=_color_of_normal)


def draw_uv(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """Texture coordinates: u is red and v green, from 0 to 1; blue is 0.

    Raises:
        RenderError: the face model has none.
    """

    def color(head: PosedHead) -> Float[np.ndarray, "v 3"]:
        if not len(head.model.uv):
            raise RenderError(f"the face model {head.model.name} has no texture coordinates")
        model = head.model
        colors = np.zeros((model.topology.num_vertices, 3), np.float32)
        colors[model.topology.faces, :2] = model.uv[model.uv_faces]  # along a seam, of either side
        return colors

    return _draw(image, heads, color)


def draw_pncc(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """Projected normalised coordinate code: where on the mean shape each pixel lies.

    x, y and z of the model's mean shape, each scaled to [0, 1] over the mesh, are red, green and
    blue: a point of the face has one colour in every pose, shape and expression. (Zhu et al.,
    "Face Alignment Across Large Poses: A 3D Solution", 2016, section 3.2.)
    """
    return _draw(image, heads, lambda head: normalized_coordinates(head.model))


def draw_landmarks(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """The 68 landmarks; those that the face itself hides are hollow, and their lines paler."""
    canvas = canvas_of(image)
    for head in far_to_near(heads):
        canvas = draw_landmark_lines(canvas, head.landmarks, visible=head.visible_landmarks())
    return canvas


PICTURES: dict[str, Callable[[Picture, Sequence[PosedHead]], Picture]] = {
    "overlay": draw_overlay,
    "shape": draw_shape,
    "depth": draw_depth,
    "normal": draw_normal,
    "uv": draw_uv,
    "pncc": draw_pncc,
    "parts": draw_parts,
    "parts-whole": partial(draw_parts, whole=True),
    "pose": draw_pose,
    "landmarks": draw_landmarks,
}
"""Every kind of picture by name."""

OF_SURFACE = ("shape", "depth", "normal")
"""Kinds that show what a head looks like from outside, hair included, and need no face model."""


def draw_picture(
    kind: str, image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture of a kind named in `PICTURES`.

    Raises:
        ValueError: there is no such kind; the message lists them.
        RenderError: the image is not (h, w, 3) uint8, or a vertex is not finite.
    """
    if kind not in PICTURES:
        raise ValueError(f"no picture {kind!r}; there are {', '.join(PICTURES)}")
    return PICTURES[kind](image, heads)


@lru_cache(maxsize=4)
def normalized_coordinates(model: MorphableModel) -> Float[np.ndarray, "v 3"]:
    """The mean shape's x, y and z, each scaled to [0, 1] over the subdivided mesh."""
    mean = model.subdivide(model.shape.mean)
    low, high = mean.min(axis=0), mean.max(axis=0)
    return (mean - low) / (high - low)


def _draw(
    image: UInt8[np.ndarray, "h w 3"],
    heads: Sequence[PosedHead],
    attributes: Callable[[PosedHead], Float[np.ndarray, "v c"]],
    paint: Paint | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    canvas = canvas_of(image)
    for head in far_to_near(heads):
        head_layer(head, image.shape[:2], attributes(head), paint, fine=True).over_bytes(canvas)
    return canvas


def _clay(head: PosedHead) -> Float[np.ndarray, "v 3"]:
    return shade(np.array(CLAY), head.normals, key_light())


def _grey_of_depth(
    depth: Float[np.ndarray, "h w 1"],
) -> Float[np.ndarray, "h w 3"]:
    seen = depth[depth > 0]
    if not len(seen):
        return np.zeros((*depth.shape[:2], 3), dtype=np.float32)
    near, far = float(seen.min()), float(seen.max())
    share = (far - depth) / max(far - near, 1e-6)
    return np.repeat(DARKEST_DEPTH + (1.0 - DARKEST_DEPTH) * share, 3, axis=-1)


def _color_of_normal(normals: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    length = np.sqrt(np.einsum("hwk,hwk->hw", normals, normals))
    return 0.5 + 0.5 * normals / np.maximum(length, 1e-12)[..., None]
