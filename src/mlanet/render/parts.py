"""Parts of the face in a picture: masks and colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.geometry import MeshTopology, points_on_surface
from mlanet.morphable import MorphableModel
from mlanet.render.attributes import interpolate
from mlanet.render.checks import checked_size
from mlanet.render.drawing import box_in_picture
from mlanet.render.heads import PosedHead, far_to_near
from mlanet.render.layers import Layer, averaged, canvas_of, fineness, head_layer
from mlanet.render.rasterize import rasterize
from mlanet.render.renderer import Box

PART_COLORS: dict[str, tuple[int, int, int]] = {
    "skin": (136, 204, 238),
    "neck": (221, 204, 119),
    "scalp": (153, 153, 51),
    "ears": (136, 34, 85),
    "nose": (17, 119, 51),
    "brows": (170, 68, 153),
    "eyes": (51, 34, 136),
    "mouth": (68, 170, 153),
    "lips": (204, 102, 119),
}
"""Parts in the order of painting, in Paul Tol's "muted" colours (Technical Note SRON/EPS/TN/09-002,
2021), which readers with any colour vision tell apart."""

SURFACES = ("skin", "neck", "scalp", "ears")
"""Parts that divide the whole mesh among them; the others lie upon these."""

GHOSTS = ("ears", "nose", "brows", "eyes", "mouth", "lips")
"""Parts that are shown where the face hides them; behind every face there is neck and scalp."""

LIDS = np.array([[36, 37, 41], [37, 40, 41], [37, 38, 40], [38, 39, 40]], dtype=np.int32)
EYE_OPENINGS = np.concatenate([LIDS, LIDS + 6])
"""Triangles of the landmarks around the eyes, right and left: what an eye shows of its ball."""

HIDDEN_OPACITY = 0.55
"""Of parts that the face itself hides, in a picture of whole parts."""

SMOOTHING_STEPS = 12
"""Averaging over neighbours that rounds the ragged borders between `SURFACES`."""

EAR_PROTRUSION_MM = 7.0
"""Ears are what sticks out farther than this beyond the face's half width, and what it frames."""

EAR_MARGIN_MM = 3.0
RAMP_MM = 4.0
"""Width of the border of a part that is an outline."""

BRIDGE_HALF_WIDTH_MM = 8.0
ALA_OUTSIDE_MM = 7.0
NOSE_BELOW_MM = 2.0
"""How far the nose reaches beyond its landmarks: 27 (bridge), 31 and 35 (nostrils), 33 (base)."""


@dataclass(frozen=True, slots=True)
class PartMasks:
    """Shares of pixels, in [0, 1], inside a box of a picture.

    Attributes:
        names: of the parts, the keys of `PART_COLORS`.
        visible: what the camera sees of each part. They add up to the head's share of the pixel.
        whole: the silhouette of each part as if nothing else of the head were there. They overlap.
        box_px: left, top, right, bottom of the box.
    """

    names: tuple[str, ...]
    visible: Float[np.ndarray, "p h w"]
    whole: Float[np.ndarray, "p h w"]
    box_px: Box


def face_mask(
    heads: Sequence[PosedHead], image_size: tuple[int, int], *regions: str
) -> Float[np.ndarray, "h w"]:
    """Share of each pixel, in [0, 1], that shows named regions of the face model.

    Soft where a region's edge is soft, and at outlines. What the same head or a nearer one hides
    is left out.

    Raises:
        ValueError: there is no such region; the message lists them.
    """
    mask = np.zeros((*checked_size(image_size), 1), dtype=np.float32)
    for head in far_to_near(heads):
        head_layer(head, image_size, head.model.region(*regions)[:, None]).over(mask)
    return mask[..., 0]


def part_masks(head: PosedHead, image_size: tuple[int, int]) -> PartMasks:
    """Where a picture shows the parts of a head, and where it would if the head hid nothing.

    A part's border is where its weight, interpolated over the mesh, exceeds a half: it crosses
    triangles. Whole parts include what faces away from the camera; of eyeballs what lies between
    the lids. In the manner of the visible
    and whole parts of Wang et al., "3D Face Reconstruction with the Geometric Guidance of Facial
    Part Segmentation", 2024.
    """
    height, width = checked_size(image_size)
    names = tuple(PART_COLORS)
    box = box_in_picture(head.projected, (height, width))
    left, top, right, bottom = box
    size = (max(bottom - top, 0), max(right - left, 0))
    if 0 in size:
        nothing = np.zeros((len(names), *size), dtype=np.float32)
        return PartMasks(names, nothing, nothing, box)
    fine = fineness(size)
    points = (head.projected - [left, top, 0.0]) * [fine, fine, 1.0]
    grid = (size[0] * fine, size[1] * fine)
    faces, inside = head.model.topology.faces, _inside(head.model)
    label = _labels(points, faces, inside, grid)
    visible = np.empty((len(names), *size), dtype=np.float32)
    whole = np.empty_like(visible)
    for k, name in enumerate(names):
        seen = label == k
        if name == "eyes" and len(head.model.eye_poles):
            marks = (head.landmarks - [left, top, 0.0]) * [fine, fine, 1.0]
            present = rasterize(marks, EYE_OPENINGS, grid).mask
        else:
            own = faces[(inside[faces, k] > 0).any(axis=1)]
            fragments = rasterize(points, own, grid)
            present = interpolate(fragments, own, inside[:, k : k + 1])[..., 0] > 0
        visible[k] = averaged(seen.astype(np.float32), size)
        whole[k] = averaged((seen | present).astype(np.float32), size)
    return PartMasks(names, visible, whole, box)


def draw_parts(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead], *, whole: bool = False
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with the parts of each head in the colours of `PART_COLORS`.

    With `whole`, the parts named in `GHOSTS` shine through where the face itself hides them: the
    far eye in profile, the ear behind the cheek.
    """
    canvas = canvas_of(image)
    for head in far_to_near(heads):
        masks = part_masks(head, image.shape[:2])
        colors = np.array([PART_COLORS[name] for name in masks.names], dtype=np.float32) / 255.0
        cover = masks.visible.sum(axis=0)
        drawn = np.einsum("khw,kc->hwc", masks.visible, colors)
        if whole:
            for k in map(masks.names.index, GHOSTS):
                alpha = HIDDEN_OPACITY * np.maximum(masks.whole[k] - masks.visible[k], 0.0)
                drawn += alpha[..., None] * (colors[k] - drawn)
                cover = cover + alpha * (1.0 - cover)
        Layer(drawn, cover, masks.box_px).over_bytes(canvas)
    return canvas


def _labels(
    points: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    inside: Float[np.ndarray, "v p"],
    grid: tuple[int, int],
) -> Int[np.ndarray, "h w"]:
    """The visible part at each point of a grid; -1 where there is none."""
    fragments = rasterize(points, faces, grid, cull_backfaces=True)
    values = interpolate(fragments, faces, inside)
    count = len(SURFACES)
    label = values[..., :count].argmax(axis=-1)
    for k in range(count, values.shape[-1]):
        label[values[..., k] > 0] = k
    label[~fragments.mask] = -1
    return label


@lru_cache(maxsize=4)
def _inside(model: MorphableModel) -> Float[np.ndarray, "v p"]:
    """How far inside each part the vertices are: above zero inside, below outside."""
    vertices = model.subdivide(model.shape.mean)
    weights = {name: _region(model, name) for name in PART_COLORS}
    # The regions of these names are other things: a reddish tip, the sides of the head.
    weights["nose"] = _nose(model, vertices)
    weights["ears"] = ear_weights(model, vertices)
    weights["skin"] = 1.0 - np.maximum.reduce([weights[name] for name in SURFACES[1:]])
    surfaces = np.stack([weights[name] for name in SURFACES], axis=1)
    surfaces = _smoothed(surfaces, model.topology)
    ordered = np.sort(surfaces, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    upon = [weights[name] - 0.5 for name in PART_COLORS if name not in SURFACES]
    inside = [surfaces - np.where(surfaces == best, second, best), np.stack(upon, axis=1)]
    return np.concatenate(inside, axis=1).astype(np.float32)


def _region(model: MorphableModel, name: str) -> Float[np.ndarray, "v"]:
    known = name in model.regions
    return model.region(name) if known else np.zeros(model.topology.num_vertices, dtype=np.float32)


def _nose(model: MorphableModel, vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v"]:
    """1 inside the nose and 0 outside: a shape around its landmarks, from the front."""
    marks = points_on_surface(
        model.shape.mean, model.base_faces, model.landmark_faces, model.landmark_barycentric
    )
    bridge, right, middle, left = (marks[k, :2] for k in (27, 31, 33, 35))
    bottom = middle[1] - NOSE_BELOW_MM
    outline = [
        [bridge[0] - BRIDGE_HALF_WIDTH_MM, bridge[1]],
        [right[0] - ALA_OUTSIDE_MM, right[1] + ALA_OUTSIDE_MM],
        [right[0] - ALA_OUTSIDE_MM, bottom],
        [left[0] + ALA_OUTSIDE_MM, bottom],
        [left[0] + ALA_OUTSIDE_MM, left[1] + ALA_OUTSIDE_MM],
        [bridge[0] + BRIDGE_HALF_WIDTH_MM, bridge[1]],
    ]
    return _within(np.array(outline), vertices[:, :2], margin_mm=0.0)


def ear_weights(
    model: MorphableModel, vertices: Float[np.ndarray, "v 3"]
) -> Float[np.ndarray, "v"]:
    """1 inside the ears and 0 outside: what sticks out, and what it frames, from the side."""
    region, face = _region(model, "ears"), _region(model, "face")
    across = np.abs(vertices[:, 0])
    if not (face > 0.5).any():
        return region
    half_width = float(across[face > 0.5].max())
    rim = vertices[(region > 0.5) & (across > half_width + EAR_PROTRUSION_MM), 1:]
    if len(rim) < 3:
        return region
    import cv2

    points = rim[:, ::-1]
    hull = cv2.convexHull(points.astype(np.float32), clockwise=False, returnPoints=False)
    outline = points[np.asarray(hull, dtype=np.intp)[:, 0]]
    return region * _within(outline, vertices[:, :0:-1], margin_mm=EAR_MARGIN_MM)


def _within(
    outline: Float[np.ndarray, "k 2"], points: Float[np.ndarray, "v 2"], margin_mm: float
) -> Float[np.ndarray, "v"]:
    """1 inside a convex, counter-clockwise outline that is grown by a margin, 0 outside."""
    along = np.roll(outline, -1, axis=0) - outline
    inwards = np.stack([-along[:, 1], along[:, 0]], axis=1)
    inwards /= np.linalg.norm(inwards, axis=1, keepdims=True)
    distance = np.einsum("vkc,kc->vk", points[:, None] - outline, inwards).min(axis=1)
    return np.clip(0.5 + (distance + margin_mm) / RAMP_MM, 0.0, 1.0)


def _smoothed(values: Float[np.ndarray, "v c"], topology: MeshTopology) -> Float[np.ndarray, "v c"]:
    start, end = topology.edges.T
    count = np.bincount(topology.edges.reshape(-1), minlength=topology.num_vertices)
    for _ in range(SMOOTHING_STEPS):
        total = np.zeros_like(values)
        np.add.at(total, start, values[end])
        np.add.at(total, end, values[start])
        values = 0.5 * (values + total / np.maximum(count, 1)[:, None])
    return values
