"""Meshes drawn into pictures of any size, and laid over photos."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Shaped

from mlanet.errors import RenderError
from mlanet.geometry import Camera, Mesh, MeshTopology, Pose
from mlanet.render.checks import checked_mesh, checked_size
from mlanet.render.renderer import Box, Renderer, Rendering
from mlanet.render.rules import NEAR_DEPTH_MM
from mlanet.render.shade import CLAY, key_light

MARGIN_PX = 1
"""Pixels drawn around a mesh's box: its outline is blended with their colours."""


def render_mesh(
    mesh: Mesh,
    pose: Pose,
    camera: Camera,
    image_size: tuple[int, int],
    lighting: Float[np.ndarray, "9 3"] | None = None,
    *,
    texture: Shaped[np.ndarray, "s s 3"] | None = None,
    topology: MeshTopology | None = None,
    soft_outlines: bool = True,
) -> Rendering:
    """Draw a mesh of the model frame (mm); triangles seen from inside are left out.

    The work depends on the size of the mesh in the picture, not on that of the picture: memory
    outside the rendering's `box_px` is never touched.

    Args:
        mesh: its `colors` are the albedo; without them it is clay.
        pose: model to camera.
        camera: in pixels of the picture.
        image_size: height and width of the picture in pixels.
        lighting: harmonics in the viewer's frame. Without it, colours and clay are lit by
            `key_light` and a texture is shown as it is.
        texture: replaces the colours; `uint8` or floats in [0, 1], its first row at v = 1.
        topology: of the mesh, for callers who draw it often.
        soft_outlines: anti-alias outlines.

    Raises:
        RenderError: a shape or index is wrong, a vertex is not finite, or a texture is given
            for a mesh without `uv`.
    """
    height, width = checked_size(image_size)
    with np.errstate(divide="ignore", invalid="ignore"):
        projected = camera.project(np.asarray(pose.apply(mesh.vertices), dtype=np.float64))
    checked_mesh(projected, mesh.faces)
    image = np.zeros((height, width, 3), dtype=np.float32)
    mask = np.zeros((height, width), dtype=np.float32)
    depth = np.zeros((height, width), dtype=np.float32)
    normals = np.zeros((height, width, 3), dtype=np.float32)
    box = box_in_picture(projected, (height, width), MARGIN_PX)
    left, top, right, bottom = box
    if right > left and bottom > top:
        renderer = Renderer(
            topology or MeshTopology(mesh.faces, len(mesh.vertices)),
            (bottom - top, right - left),
            uv=mesh.uv,
            uv_faces=mesh.uv_faces,
            soft_outlines=soft_outlines,
        )
        x, y = camera.principal_point_px
        local = replace(camera, principal_point_px=(x - left, y - top))
        if texture is None:
            albedo = np.broadcast_to(CLAY, mesh.vertices.shape)
            albedo = albedo if mesh.colors is None else mesh.colors
            light = key_light() if lighting is None else lighting
            found = renderer(mesh.vertices, pose, local, light, albedo=albedo)
        else:
            white = np.float32(255.0 if texture.dtype == np.uint8 else 1.0)
            colors = texture.astype(np.float32) / white
            found = renderer(mesh.vertices, pose, local, lighting, texture=colors)
        part = slice(top, bottom), slice(left, right)
        np.clip(found.image, 0.0, 1.0, out=image[part])
        np.clip(found.mask, 0.0, 1.0, out=mask[part])
        depth[part] = found.depth
        normals[part] = found.normals
    return Rendering(image, mask, depth, normals, box)


def composite(
    rendering: Rendering,
    background: Shaped[np.ndarray, "h w 3"],
    opacity: float | Float[np.ndarray, "h w"] = 1.0,
) -> Shaped[np.ndarray, "h w 3"]:
    """A copy of the background (`uint8`, or floats in [0, 1]) with the mesh drawn over it.

    Args:
        rendering: the mesh, drawn without a background.
        background: a picture of the same size.
        opacity: of the mesh, in [0, 1]: one for all, or one for each pixel.

    Raises:
        RenderError: the background is not of the rendering's size.
    """
    if background.shape != rendering.image.shape:
        raise RenderError(f"background must be {rendering.image.shape}, got {background.shape}")
    height, width = background.shape[:2]
    left, top, right, bottom = rendering.box_px or (0, 0, width, height)
    part = slice(top, bottom), slice(left, right)
    white = np.float32(255.0 if background.dtype == np.uint8 else 1.0)
    strength = opacity[part][..., None] if isinstance(opacity, np.ndarray) else np.float32(opacity)
    under = background[part].astype(np.float32)
    alpha = rendering.mask[part][..., None]
    over = under + strength * (rendering.image[part] * white - alpha * under)
    result = background.copy()
    result[part] = np.rint(over) if background.dtype == np.uint8 else over
    return result


def box_in_picture(
    projected: Float[np.ndarray, "v 3"], image_size: tuple[int, int], margin: int = 0
) -> Box:
    """The smallest box of whole pixels around the vertices before the camera, clipped."""
    height, width = image_size
    seen = projected[:, 2] > NEAR_DEPTH_MM
    if not seen.any():
        return 0, 0, 0, 0
    (left, right), (top, bottom) = (
        np.clip([np.floor(places.min()) - margin, np.ceil(places.max()) + margin], 0, limit)
        for places, limit in ((projected[seen, 0], width), (projected[seen, 1], height))
    )
    return int(left), int(top), int(right), int(bottom)
