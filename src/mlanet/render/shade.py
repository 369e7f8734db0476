"""From fragments to colours: interpolation, light, whole meshes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from mlanet.errors import RenderError
from mlanet.geometry import (
    AMBIENT_WHITE,
    Camera,
    Mesh,
    MeshTopology,
    Pose,
    harmonics_basis,
    shading,
    vertex_normals,
    viewer_from_camera,
)
from mlanet.render.fragments import Fragments
from mlanet.render.rasterize import NEAR_DEPTH_MM, checked_mesh, checked_size, rasterize
from mlanet.render.sampling import sample_image, stretch, texels_from_uv

CLAY = (0.88, 0.86, 0.84)
"""The albedo, sRGB, of a mesh without colours: a warm light grey."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A drawn mesh in the frame of the whole picture.

    `image` is sRGB in [0, 1] and not multiplied by `coverage`, the share of each pixel that the
    mesh covers; `depth` is the nearest in mm. All are zero where nothing is drawn, in
    particular outside `box_px`, whose memory is never touched.
    """

    image: Float[np.ndarray, "h w 3"]
    coverage: Float[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    box_px: Box

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """Pixels that the mesh covers at least half."""
        return self.coverage >= 0.5


def interpolate(
    fragments: Fragments, faces: Int[np.ndarray, "f 3"], attributes: Float[np.ndarray, "v c"]
) -> Float[np.ndarray, "h w c"]:
    """Attributes of vertices at each pixel, float32; zero where nothing is seen.

    `faces` may be other corners of the rasterised triangles, such as `Mesh.uv_faces`.

    Raises:
        RenderError: `faces` and `attributes` do not fit each other or the fragments.
    """
    corners = np.ascontiguousarray(faces, dtype=np.int32)
    values = np.ascontiguousarray(attributes, dtype=np.float32)
    if values.ndim != 2 or corners.ndim != 2 or corners.shape[1] != 3:
        raise RenderError(
            f"attributes must be (v, c) and faces (f, 3), got {values.shape} and {corners.shape}"
        )
    if corners.size and (corners.min() < 0 or corners.max() >= len(values)):
        raise RenderError(f"faces must index {len(values)} attributes, got {corners.max()}")
    if fragments.face_index.max(initial=-1) >= len(corners):
        raise RenderError(f"the fragments see more triangles than the {len(corners)} of faces")
    pixels = np.zeros((*fragments.face_index.shape, values.shape[1]), dtype=np.float32)
    if len(corners):
        from mlanet.render import _numba

        _numba.interpolate_corners(
            fragments.face_index, fragments.barycentric, corners, values, pixels
        )
    return pixels


def viewer_normals(
    vertices_camera: Float[np.ndarray, "v 3"], topology: MeshTopology
) -> Float[np.ndarray, "v 3"]:
    """Unit vertex normals in the viewer's frame of camera-frame vertices (mm)."""
    normals = vertex_normals(vertices_camera, topology.faces, topology.faces_of_vertex)
    return viewer_from_camera(normals.T).T


def shade_vertices(
    albedo: Float[np.ndarray, "v 3"],
    vertices_camera: Float[np.ndarray, "v 3"],
    topology: MeshTopology,
    lighting: Float[np.ndarray, "9 3"],
) -> Float[np.ndarray, "v 3"]:
    """Lit colours, sRGB but not clipped, of camera-frame vertices (mm)."""
    return albedo * shading(viewer_normals(vertices_camera, topology), lighting)


def headlight() -> Float[np.ndarray, "9 3"]:
    """A neutral light from above the viewer's right shoulder over a soft ambient one.

    A surface that faces the light shows its albedo unchanged.
    """
    direction = np.array([[0.30, 0.45, 0.84]])
    ambient = 0.38
    lobe = harmonics_basis(direction / np.linalg.norm(direction))[0]
    # shading() of a unit light at a surface that faces it: (1 + 2 + 5/4) / 4π.
    lighting = (1.0 - ambient) * lobe * (4.0 * np.pi / 4.25)
    lighting[0] += ambient * AMBIENT_WHITE
    return np.repeat(lighting[:, None], 3, axis=1).astype(np.float32)


def render_mesh(
    mesh: Mesh,
    pose: Pose,
    camera: Camera,
    image_size: tuple[int, int],
    lighting: Float[np.ndarray, "9 3"] | None = None,
    *,
    texture: Shaped[np.ndarray, "s s 3"] | None = None,
    topology: MeshTopology | None = None,
    antialias: bool = True,
) -> Rendering:
    """Draw a mesh of the model frame (mm); triangles seen from inside are left out.

    The work depends on the size of the mesh in the picture, not on that of the picture.

    Args:
        mesh: its `colors` are the albedo; without them it is clay.
        pose: model to camera.
        camera: in pixels of the picture.
        image_size: height and width of the picture in pixels.
        lighting: harmonics in the viewer's frame. Without it, colours and clay are lit by
            `headlight` and a texture is shown as it is.
        texture: replaces the colours; `uint8` or floats in [0, 1], its first row at v = 1.
        topology: of the mesh, for callers who draw it often.
        antialias: average two by two samples for each pixel.

    Raises:
        RenderError: a shape or index is wrong, a vertex is not finite, or a texture is given
            for a mesh without `uv`.
    """
    height, width = checked_size(image_size)
    vertices_camera = np.asarray(pose.apply(mesh.vertices), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        projected = camera.project(vertices_camera)
    checked_mesh(projected, mesh.faces)
    image = np.zeros((height, width, 3), dtype=np.float32)
    coverage = np.zeros((height, width), dtype=np.float32)
    depth = np.zeros((height, width), dtype=np.float32)
    box = box_in_picture(projected, (height, width))
    left, top, right, bottom = box
    if right > left and bottom > top:
        scale = 2 if antialias else 1
        local = (projected - [left, top, 0.0]) * [scale, scale, 1.0]
        size = ((bottom - top) * scale, (right - left) * scale)
        fragments = rasterize(local, mesh.faces, size, cull_backfaces=True)
        topology = topology or MeshTopology(mesh.faces, len(mesh.vertices))
        colors = _pixel_colors(
            mesh, vertices_camera, topology, lighting, texture, local[:, :2], fragments
        )
        part = slice(top, bottom), slice(left, right)
        image[part], coverage[part], depth[part] = _resolve(colors, fragments, scale)
    return Rendering(image, coverage, depth, box)


def composite(
    rendering: Rendering,
    background: Shaped[np.ndarray, "h w 3"],
    opacity: float | Float[np.ndarray, "h w"] = 1.0,
) -> Shaped[np.ndarray, "h w 3"]:
    """A copy of the background (`uint8`, or floats in [0, 1]) with the mesh drawn over it.

    Args:
        rendering: the mesh.
        background: a picture of the same size.
        opacity: of the mesh, in [0, 1]: one for all, or one for each pixel.

    Raises:
        RenderError: the background is not of the rendering's size.
    """
    if background.shape != rendering.image.shape:
        raise RenderError(f"background must be {rendering.image.shape}, got {background.shape}")
    left, top, right, bottom = rendering.box_px
    part = slice(top, bottom), slice(left, right)
    white = 255.0 if background.dtype == np.uint8 else 1.0
    strength = opacity[part] if isinstance(opacity, np.ndarray) else np.float32(opacity)
    alpha = (rendering.coverage[part] * strength)[..., None]
    under = background[part].astype(np.float32)
    over = under + alpha * (rendering.image[part] * np.float32(white) - under)
    result = background.copy()
    result[part] = np.rint(over) if background.dtype == np.uint8 else over
    return result


def box_in_picture(projected: Float[np.ndarray, "v 3"], image_size: tuple[int, int]) -> Box:
    """The smallest box of whole pixels around the vertices before the camera, clipped."""
    height, width = image_size
    seen = projected[projected[:, 2] > NEAR_DEPTH_MM, :2]
    if not len(seen):
        return 0, 0, 0, 0
    limit = np.array([width, height])
    left, top = np.clip(np.floor(seen.min(0)), 0, limit).astype(int).tolist()
    right, bottom = np.clip(np.ceil(seen.max(0)), 0, limit).astype(int).tolist()
    return left, top, right, bottom


def _pixel_colors(
    mesh: Mesh,
    vertices_camera: Float[np.ndarray, "v 3"],
    topology: MeshTopology,
    lighting: Float[np.ndarray, "9 3"] | None,
    texture: Shaped[np.ndarray, "s s 3"] | None,
    positions_px: Float[np.ndarray, "v 2"],
    fragments: Fragments,
) -> Float[np.ndarray, "h w 3"]:
    """Lit colours clipped to [0, 1]; zero where nothing is seen."""
    if texture is None:
        albedo = np.broadcast_to(CLAY, mesh.vertices.shape) if mesh.colors is None else mesh.colors
        light = headlight() if lighting is None else lighting
        lit = shade_vertices(albedo, vertices_camera, topology, light)
        return interpolate(fragments, mesh.faces, np.clip(lit, 0.0, 1.0))
    if mesh.uv is None or mesh.uv_faces is None:
        raise RenderError("texture needs a mesh with uv and uv_faces")
    texels = texels_from_uv(mesh.uv, texture.shape[:2])
    # Seen from outside a triangle is counter-clockwise in the picture and in UV.
    texels_per_pixel = stretch(texels, mesh.uv_faces, positions_px, mesh.faces)
    where = interpolate(fragments, mesh.uv_faces, texels)
    colors = sample_image(texture, where, texels_per_pixel)
    if texture.dtype == np.uint8:
        colors /= 255.0
    if lighting is not None:
        white = np.ones_like(vertices_camera)
        factor = shade_vertices(white, vertices_camera, topology, lighting)
        colors *= interpolate(fragments, mesh.faces, factor)
    return np.clip(colors, 0.0, 1.0) * fragments.mask[..., None]


def _resolve(
    colors: Float[np.ndarray, "p q 3"], fragments: Fragments, scale: int
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Mean colour of the samples that hit, share of them, and the nearest depth."""
    if scale == 1:
        return colors, fragments.mask.astype(np.float32), fragments.depth
    hit = fragments.mask.astype(np.float32)
    far = np.where(fragments.mask, fragments.depth, np.float32(np.inf))
    count = _sum_of_four(hit)
    nearest = np.minimum(
        np.minimum(far[::2, ::2], far[::2, 1::2]), np.minimum(far[1::2, ::2], far[1::2, 1::2])
    )
    image = _sum_of_four(colors) / np.maximum(count, 1.0)[..., None]
    return image, count / 4.0, np.where(count > 0, nearest, np.float32(0.0))


def _sum_of_four(samples: Float[np.ndarray, "p q *c"]) -> Float[np.ndarray, "h w *c"]:
    return samples[::2, ::2] + samples[::2, 1::2] + samples[1::2, ::2] + samples[1::2, 1::2]
