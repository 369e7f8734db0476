"""Meshes to pictures: one pipeline for NumPy and for tensors with gradients."""

from dataclasses import dataclass

from array_api_compat import device
from jaxtyping import Float, Int

from mlanet.coefficients import Array, array_namespace
from mlanet.errors import RenderError
from mlanet.geometry import Camera, MeshTopology, Pose
from mlanet.render.antialias import antialias
from mlanet.render.attributes import interpolate, viewer_normals
from mlanet.render.checks import Backend
from mlanet.render.fragments import Fragments
from mlanet.render.inputs import as_one_batch, check_input, check_uv
from mlanet.render.lookup import sample_texture, texel_distance
from mlanet.render.rasterize import rasterize
from mlanet.render.sampling import texels_from_uv
from mlanet.render.shade import shade
from mlanet.render.weights import without_gradient

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A drawn mesh in the frame of the whole picture; one picture, or a batch.

    Attributes:
        image: sRGB over the background; without a background, over black: then it is multiplied
            by the mask. Clipped to [0, 1] only by `render_mesh`.
        mask: share of each pixel that the mesh covers, in [0, 1].
        depth: at the pixel's centre, mm along the camera's axis; zero where nothing is hit.
        normals: in the viewer's frame at the pixel's centre, not normalised again after
            interpolation; zero where nothing is hit. None if they were not asked for.
        box_px: nothing is drawn outside this part of the picture. None is everywhere.
    """

    image: Float[Array, "*b h w 3"]
    mask: Float[Array, "*b h w"]
    depth: Float[Array, "*b h w"]
    normals: Float[Array, "*b h w 3"] | None = None
    box_px: Box | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Renderer:
    """Draws meshes of one topology; differentiable where it is given tensors.

    Attributes:
        topology: triangles of the mesh, counter-clockwise seen from outside.
        image_size: height and width of the pictures in pixels.
        uv: texture coordinates, for textures.
        uv_faces: their corners for each triangle; without them, one coordinate for each vertex.
        cull_backfaces: leave out triangles seen from inside.
        soft_outlines: blend outlines by `antialias`; without it there are no gradients of
            visibility.
        normals: draw the normals, too.
        backend: of every step, as in `rasterize`.
    """

    topology: MeshTopology
    image_size: tuple[int, int]
    uv: Float[Array, "t 2"] | None = None
    uv_faces: Int[Array, "f 3"] | None = None
    cull_backfaces: bool = True
    soft_outlines: bool = True
    normals: bool = True
    backend: Backend | None = None

    def __call__(
        self,
        vertices: Float[Array, "*b v 3"],
        pose: Pose,
        camera: Camera,
        lighting: Float[Array, "*b 9 3"] | None = None,
        *,
        albedo: Float[Array, "*b v 3"] | None = None,
        texture: Float[Array, "*b t s 3"] | None = None,
        background: Float[Array, "*b h w 3"] | None = None,
    ) -> Rendering:
        """Draw vertices of the model frame.

        Light is evaluated at the vertices and interpolated, colour is albedo times light.

        Args:
            vertices: mm; one head, or a batch.
            pose: model to camera, one for each head.
            camera: in pixels of the picture.
            lighting: harmonics in the viewer's frame; without it, albedo is shown as it is.
            albedo: sRGB at the vertices, in [0, 1].
            texture: replaces the albedo; floats in [0, 1], its first row at v = 1.
            background: sRGB behind the mesh; without it, black.

        Raises:
            RenderError: a shape or index is wrong, a vertex is not finite, neither or both of
                albedo and texture are given, or the texture has no coordinates.
        """
        if (albedo is None) == (texture is None):
            raise RenderError("albedo or texture must be given, and not both")
        points = self._checked_points(vertices, pose)
        for value, name, shape in (
            (lighting, "lighting", (9, 3)),
            (albedo, "albedo", (self.topology.num_vertices, 3)),
            (texture, "texture", ("t", "s", 3)),
            (background, "background", (*self.image_size, 3)),
        ):
            check_input(value, name, shape, points)
        if texture is not None:
            faces = self.topology.faces
            check_uv(self.uv, self.uv_faces, len(faces), self.topology.num_vertices)
        projected = camera.project(points)
        fragments = rasterize(
            projected,
            self.topology.faces,
            self.image_size,
            cull_backfaces=self.cull_backfaces,
            backend=self.backend,
        )
        xp = array_namespace(projected)
        outward = viewer_normals(points, self.topology, backend=self.backend)
        one = xp.ones_like(outward[..., :1])
        white = xp.ones_like(outward) if albedo is None else as_one_batch(points, albedo)
        shown = white if lighting is None else shade(white, outward, lighting, backend=self.backend)
        # The mask is drawn like a colour: one pass blends the outlines of both.
        picture = interpolate(
            fragments,
            self.topology.faces,
            xp.concat([shown, one], axis=-1),
            backend=self.backend,
        )
        if texture is not None:
            found = self._textured(texture, fragments, projected)
            picture = picture * xp.concat([found, xp.ones_like(found[..., :1])], axis=-1)
        if background is not None:
            behind = xp.concat([background, xp.zeros_like(background[..., :1])], axis=-1)
            picture = xp.where(fragments.mask[..., None], picture, behind)
        if self.soft_outlines:
            edges = self.topology.edge_opposites
            picture = antialias(picture, fragments, projected, edges, backend=self.backend)
        normals = None
        if self.normals:
            normals = interpolate(fragments, self.topology.faces, outward, backend=self.backend)
        return Rendering(picture[..., :3], picture[..., 3], fragments.depth, normals)

    def _textured(
        self, texture: Float[Array, "*b t s 3"], fragments: Fragments, projected: Array
    ) -> Float[Array, "*b h w 3"]:
        xp, place = array_namespace(projected), device(projected)
        corners = self.topology.faces if self.uv_faces is None else self.uv_faces
        uv = xp.asarray(self.uv, dtype=projected.dtype, device=place)
        uv_faces = xp.asarray(corners, device=place)
        distance = texel_distance(
            fragments,
            without_gradient(projected)[..., :2],
            xp.asarray(self.topology.faces, device=place),
            texels_from_uv(uv, texture.shape[-3:-1]),
            uv_faces,
        )
        place_uv = interpolate(fragments, uv_faces, uv, backend=self.backend)
        return sample_texture(texture, place_uv, distance)

    def _checked_points(
        self, vertices: Float[Array, "*b v 3"], pose: Pose
    ) -> Float[Array, "*b v 3"]:
        """Vertices in the camera frame.

        Raises:
            RenderError: they are not the topology's, or the pose does not fit them.
        """
        shape, count = tuple(vertices.shape), self.topology.num_vertices
        if len(shape) not in (2, 3) or shape[-2:] != (count, 3):
            raise RenderError(f"vertices must be ({count}, 3) or (b, {count}, 3), got {shape}")
        try:
            return pose.apply(vertices)
        except (RuntimeError, TypeError, ValueError) as error:
            found = tuple(pose.rotation.shape), tuple(pose.translation.shape)
            raise RenderError(f"pose must fit the vertices {shape}, got {found}") from error
