"""The photo's colours, carried onto the mesh's texture."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from mlanet.errors import RenderError
from mlanet.geometry import AMBIENT_WHITE, Camera, Mesh, MeshTopology, shading
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.attributes import viewer_normals
from mlanet.render.checks import checked_mesh
from mlanet.render.drawing import box_in_picture
from mlanet.render.heads import PosedHead
from mlanet.render.light_fit import fit_lighting
from mlanet.render.rasterize import rasterize
from mlanet.render.renderer import Box
from mlanet.render.sampling import sample_image, stretch

GRAZING = (0.25, 0.6)
"""Cosines of the angle between normal and line of sight: no trust below, full trust above."""

DEPTH_TOLERANCE_MM = 3.0
"""A point this far behind the nearest surface still counts as seen."""

OCCLUDER_MARGIN_MM = 3.0
"""How far around it a part hides what is behind it: outlines never fit to the pixel."""

HAIR_MM = 25.0
"""How far around another person's head its hair hides what is behind it."""

BORDER = 0.02
"""Width of the fade at the photo's border, of the face's size in the photo."""

FEATHER = 0.012
"""Standard deviation of the fade where the seen part ends, of the texture's size."""

CORRECTION = 0.06
"""Reach of the colour correction of the unseen part, of the texture's size."""

DARKEST, BRIGHTEST = 0.3, 1.7
"""Limits of the fitted light on the unseen part, relative to its mean."""

RELIGHT = 1.5
"""Largest change of the mirrored side's brightness by the fitted light."""

Plane = Float[np.ndarray, "s s"]


@dataclass(frozen=True, slots=True)
class Texture:
    """Colours in UV, row 0 at v = 1, and how far (0 to 1) each is the photo's own."""

    image: UInt8[np.ndarray, "s s 3"]
    visibility: Float[np.ndarray, "s s"]


def project_texture(
    image: UInt8[np.ndarray, "h w 3"],
    vertices_camera: Float[np.ndarray, "v 3"],
    mesh: Mesh,
    camera: Camera,
    atlas: UvAtlas,
    *,
    fill: Shaped[np.ndarray, "s s 3"] | None = None,
    allowed: Float[np.ndarray, "v"] | None = None,
    tinted: Float[np.ndarray, "v"] | None = None,
    topology: MeshTopology | None = None,
    symmetric: bool = False,
    before: Iterable[PosedHead] = (),
) -> Texture:
    """Sample the photo where it shows the mesh's surface, and fill the rest to match.

    The fill is lit by the light that makes it look like the photo where both are known, then
    moved towards the photo's colours near the seam, and the two are faded into each other.

    Args:
        image: the photo.
        vertices_camera: of the mesh, in the camera frame, mm.
        mesh: gives `faces`; its vertices are not used.
        camera: in pixels of the photo.
        atlas: of the mesh's texture coordinates; its size is the texture's.
        fill: albedo for the rest, `uint8` or floats in [0, 1], row 0 at v = 1; without it, the
            median colour of what is seen.
        allowed: share of the photo's colour at each vertex, 0 to 1 (0 in the mouth, say).
        tinted: 1 at vertices of skin. The colour of the light that is fitted there holds what the
            fill's skin lacks of the person's; what is not skin, such as teeth, has only its
            brightness. Without it everything is skin.
        topology: of the mesh, for callers who texture many.
        symmetric: mirroring the texture left to right mirrors the face; what is hidden on one
            side is then completed from the other, in its own light.
        before: heads of other people that the photo may show in front of this one; they and
            what is near their outlines give no colour.

    Raises:
        RenderError: an argument's shape is wrong or a vertex is not finite.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise RenderError(f"image must be (h, w, 3) uint8, got {image.shape} {image.dtype}")
    if fill is not None and fill.shape != (atlas.size, atlas.size, 3):
        raise RenderError(f"fill must be {(atlas.size, atlas.size, 3)}, got {fill.shape}")
    for name, values in (("allowed", allowed), ("tinted", tinted)):
        if values is not None and values.shape != (len(vertices_camera),):
            raise RenderError(f"{name} must be ({len(vertices_camera)},), got {values.shape}")
    with np.errstate(divide="ignore", invalid="ignore"):
        projected = camera.project(np.asarray(vertices_camera, dtype=np.float64))
    checked_mesh(projected, mesh.faces)
    topology = topology or MeshTopology(mesh.faces, len(vertices_camera))
    ones = np.ones(len(vertices_camera))
    trust, skin = (ones if values is None else values for values in (allowed, tinted))
    per_vertex = np.column_stack(
        [vertices_camera, viewer_normals(vertices_camera, topology), trust, skin]
    )
    maps = vertex_attributes_to_uv(atlas, mesh.faces, per_vertex)
    position, normal, share, tint = maps[..., :3], unit(maps[..., 3:6]), maps[..., 6], maps[..., 7]

    box = box_in_picture(projected, image.shape[:2])
    if box[0] >= box[2] or box[1] >= box[3]:
        weight = np.zeros(share.shape, dtype=np.float32)
        photo = np.zeros_like(position)
    else:
        seen = _Sight(position, camera.project(position), normal, projected, mesh, camera, box)
        weight = _weight(seen, share, image.shape[:2], before)
        offset = np.array(box[:2], dtype=np.float32)
        pixels_per_texel = stretch(projected[:, :2], mesh.faces, atlas.texels, atlas.uv_faces)
        part = image[box[1] : box[3], box[0] : box[2]]
        where = seen.projected[..., :2] - offset
        photo = sample_image(part, where, pixels_per_texel) / np.float32(255.0)
    albedo = _as_float(fill) if fill is not None else _flat_albedo(photo, weight)
    rest = _matched_fill(atlas.dilate(albedo), photo, normal, weight, tint, symmetric=symmetric)
    mixed = rest + weight[..., None] * (photo - rest)
    texture = np.rint(np.clip(mixed, 0.0, 1.0) * 255.0).astype(np.uint8)
    return Texture(texture, weight * atlas.fragments.mask)


def unit(vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Vectors of length one; zero stays zero."""
    length = np.sqrt(np.einsum("...k,...k->...", vectors, vectors))
    return vectors / np.maximum(length, 1e-12)[..., None]


@dataclass(frozen=True, slots=True)
class _Sight:
    """The surface at each texel, and the mesh that may hide it."""

    position: Float[np.ndarray, "s s 3"]
    projected: Float[np.ndarray, "s s 3"]
    normal: Float[np.ndarray, "s s 3"]
    mesh_projected: Float[np.ndarray, "v 3"]
    mesh: Mesh
    camera: Camera
    box: Box

    @property
    def cosine(self) -> Plane:
        """Of the angle between the normal and the line to the viewer."""
        towards_viewer = unit(self.position) * np.array([-1.0, 1.0, 1.0], dtype=np.float32)
        return np.einsum("...k,...k->...", self.normal, towards_viewer)


def _weight(
    sight: _Sight, share: Plane, image_size: tuple[int, int], before: Iterable[PosedHead]
) -> Plane:
    """How far each texel may take the photo's colour."""
    cosine = sight.cosine
    low, high = GRAZING
    ramp = np.clip((cosine - low) / (high - low), 0.0, 1.0)
    facing = ramp * ramp * (3.0 - 2.0 * ramp)
    x, y = sight.projected[..., 0], sight.projected[..., 1]
    height, width = image_size
    border = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y))
    left, top, right, bottom = sight.box
    fade_px = BORDER * max(right - left, bottom - top)
    inside = np.clip(border / max(fade_px, 1.0), 0.0, 1.0)
    seen = _unhidden(sight, cosine, before) & (cosine > low)
    feathered = _inner_fade(seen.astype(np.float32))
    weight = facing * inside * feathered * np.minimum(share, _blur(share, FEATHER))
    return weight.astype(np.float32)


def _unhidden(sight: _Sight, cosine: Plane, before: Iterable[PosedHead]) -> Bool[np.ndarray, "s s"]:
    """Which texels no other part of the mesh hides, by its depths in the photo, and no head."""
    import cv2

    left, top, right, bottom = sight.box
    scale = min(1.0, 2.0 * len(cosine) / max(right - left, bottom - top))
    size = (int(np.ceil((bottom - top) * scale)), int(np.ceil((right - left) * scale)))
    origin, stretched = np.array([left, top, 0.0]), np.array([scale, scale, 1.0])
    depth = rasterize((sight.mesh_projected - origin) * stretched, sight.mesh.faces, size).depth
    depth[depth == 0] = np.float32(np.finfo(np.float32).max)
    pixel_mm = float(np.median(sight.position[..., 2])) / (sight.camera.focal_length_px * scale)
    radius = int(np.clip(round(OCCLUDER_MARGIN_MM / pixel_mm), 1, 8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    nearest = np.asarray(cv2.erode(depth, disc))
    for head in before:
        nearest[_around(head, origin, stretched, size)] = 0.0
    column = np.floor((sight.projected[..., 0] - left) * scale).astype(np.int32)
    row = np.floor((sight.projected[..., 1] - top) * scale).astype(np.int32)
    in_box = (column >= 0) & (column < size[1]) & (row >= 0) & (row < size[0])
    found = nearest[np.clip(row, 0, size[0] - 1), np.clip(column, 0, size[1] - 1)]
    facing = np.maximum(cosine, GRAZING[0])
    slope = np.sqrt(np.maximum(1.0 - facing * facing, 0.0)) / facing
    tolerance = DEPTH_TOLERANCE_MM + slope * (radius + 1) * pixel_mm
    return in_box & (found > 0.0) & (sight.projected[..., 2] <= found + tolerance)


def _around(
    head: PosedHead,
    origin: Float[np.ndarray, "3"],
    stretched: Float[np.ndarray, "3"],
    size: tuple[int, int],
) -> Bool[np.ndarray, "h w"]:
    """Which pixels of a part of the photo show a head or lie within `HAIR_MM` of it."""
    import cv2

    reach = HAIR_MM / head.mm_per_px * float(stretched[0])
    margin = int(np.ceil(reach))  # what lies beside the part reaches into it
    local = (head.projected - origin) * stretched + [margin, margin, 0.0]
    wide = (size[0] + 2 * margin, size[1] + 2 * margin)
    outside = ~rasterize(local, head.model.topology.faces, wide).mask
    if outside.all():
        return np.zeros(size, dtype=bool)
    away = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(away)[margin : margin + size[0], margin : margin + size[1]] <= reach


def _matched_fill(
    albedo: Float[np.ndarray, "s s 3"],
    photo: Float[np.ndarray, "s s 3"],
    normal: Float[np.ndarray, "s s 3"],
    weight: Plane,
    tint: Plane,
    *,
    symmetric: bool,
) -> Float[np.ndarray, "s s 3"]:
    """The albedo or the mirrored photo in the photo's light, near the seam in its colours."""
    lighting = fit_lighting(albedo, photo, normal, weight * tint)
    ambient = np.maximum(lighting[0], 0.0) / np.float32(AMBIENT_WHITE)
    factor = np.clip(shading(normal, lighting), DARKEST * ambient, BRIGHTEST * ambient)
    white = _grey(factor)[..., None]
    factor = white + tint[..., None] * (factor - white)
    lit = np.clip(albedo * factor, 0.0, 1.0)
    share = weight[..., None]
    near = _blur(photo * share, CORRECTION)
    small = np.float32(0.02)
    rest = lit * (near + small) / (_blur(lit * share, CORRECTION) + small)
    if symmetric:
        # Brightness alone: colours of two sides differ by hair and background, not by light.
        grey = _grey(factor)[..., None]
        relight = np.clip(grey / np.maximum(grey[:, ::-1], 1e-3), 1.0 / RELIGHT, RELIGHT)
        mirrored = photo[:, ::-1] * relight
        here = _blur(_grey(mirrored) * weight, CORRECTION)
        change = ((_grey(near) + small) / (here + small))[..., None]
        mirrored = np.clip(mirrored * np.clip(change, 1.0 / RELIGHT, RELIGHT), 0.0, 1.0)
        sure = np.clip(2.0 * weight[:, ::-1, None] - 1.0, 0.0, 1.0)
        rest = rest + sure * (mirrored - rest)
    return rest


def _grey(colors: Float[np.ndarray, "s s 3"]) -> Plane:
    return (colors[..., 0] + colors[..., 1] + colors[..., 2]) / np.float32(3.0)


def _flat_albedo(photo: Float[np.ndarray, "s s 3"], weight: Plane) -> Float[np.ndarray, "s s 3"]:
    seen = photo[weight > 0.5]
    color = np.median(seen, axis=0) if len(seen) else np.full(3, 0.5)
    return np.broadcast_to(color.astype(np.float32), photo.shape)


def _as_float(texture: Shaped[np.ndarray, "s s 3"]) -> Float[np.ndarray, "s s 3"]:
    white = np.float32(255.0 if texture.dtype == np.uint8 else 1.0)
    return texture.astype(np.float32) / white


def _inner_fade(mask: Plane) -> Plane:
    """Zero up to the mask's border, then rising to one inside."""
    return np.clip(2.0 * _blur(mask, FEATHER) - 1.0, 0.0, 1.0)


def _blur(plane: Float[np.ndarray, "s s *c"], sigma: float) -> Float[np.ndarray, "s s *c"]:
    """Gaussian blur whose standard deviation is a share of the width, at reduced resolution."""
    import cv2

    size = plane.shape[0]
    texels = sigma * size
    small = max(round(size * min(1.0, 4.0 / texels)), 1)
    reduced = cv2.resize(plane, (small, small), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(reduced, (0, 0), sigma * small, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(blurred, (size, size), interpolation=cv2.INTER_LINEAR)
