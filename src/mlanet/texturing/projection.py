"""The photo's colours, carried onto the mesh's texture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, Int8, UInt8

from mlanet.errors import RenderError
from mlanet.geometry import Camera, Mesh, MeshTopology
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.attributes import viewer_normals
from mlanet.render.checks import checked_mesh
from mlanet.render.drawing import box_in_picture
from mlanet.render.heads import PosedHead
from mlanet.render.sampling import stretch
from mlanet.texturing.completion import Completion, complete
from mlanet.texturing.eyes import complete_eyes
from mlanet.texturing.guide import TextureGuide
from mlanet.texturing.merging import PhotoInUv, merged_texels
from mlanet.texturing.photo_texels import PhotoTexels, Sight
from mlanet.texturing.surface_planes import SurfacePlanes

SCALE_SAMPLES = 5_000
"""Triangles that tell how many pixels of the photo a texel spans."""


@dataclass(frozen=True, slots=True)
class Texture:
    """Colours in UV, row 0 at v = 1.

    Attributes:
        image: as the photo is lit.
        visibility: how far, 0 to 1, each texel is the photo's own.
        shade: brightness of the photo's light on the surface over its mean on the seen skin, at a
            coarser size.
    """

    image: UInt8[np.ndarray, "s s 3"]
    visibility: Float[np.ndarray, "s s"]
    shade: Float[np.ndarray, "t t"]

    @property
    def delit(self) -> UInt8[np.ndarray, "s s 3"]:
        """The image with the fitted light's brightness divided out: what a renderer lights anew."""
        import cv2

        size = self.image.shape[1::-1]
        shade = cv2.resize(self.shade, size, interpolation=cv2.INTER_LINEAR)
        return np.rint(np.minimum(self.image / np.maximum(shade, 0.05)[..., None], 255.0)).astype(
            np.uint8
        )


@dataclass(frozen=True, slots=True, eq=False)
class MeshInPhoto:
    """A photo, and where it shows a mesh.

    Attributes:
        image: the photo.
        vertices_camera: of the mesh, in the camera frame, mm.
        camera: in pixels of the photo.
        guide: what the surface is; without it everything is skin.
        before: heads of other people that the photo may show in front of this one; they and
            what is near their outlines give no colour.
        allowed: share of the photo's colour at vertices, besides the guide's; without it, all.
    """

    image: UInt8[np.ndarray, "h w 3"]
    vertices_camera: Float[np.ndarray, "v 3"]
    camera: Camera
    guide: TextureGuide | None = None
    before: Iterable[PosedHead] = ()
    allowed: Float[np.ndarray, "v"] | None = None


def project_photos(
    photos: Sequence[MeshInPhoto],
    mesh: Mesh,
    atlas: UvAtlas,
    *,
    fill: Float[np.ndarray, "v 3"] | None = None,
    topology: MeshTopology | None = None,
    symmetric: bool = False,
    blank: tuple[int, int, int] | None = None,
    size: int | None = None,
    strands: Int8[np.ndarray, "s s"] | None = None,
) -> Texture:
    """Sample photos where they show the mesh's surface, and complete the rest to match.

    Of several photos, the colours of the others are made those of the first (`merged_texels`). The
    rest is the mirrored photo where that is seen, else `fill` in the light that makes it look
    like the photo; both are moved smoothly to the photo's colours along the border. What has
    hair's colour where hair may be counts as hair, and colours the scalp; what has neither its
    colour nor skin's, away from the middle of the face, is foreign and replaced.

    Args:
        photos: of one person, at least one; the first one's light is the texture's.
        mesh: gives `faces`; its vertices are not used.
        atlas: of the mesh's texture coordinates.
        fill: albedo of the vertices for the rest, in [0, 1]; without it, the median colour of
            what is seen.
        topology: of the mesh, for callers who texture many.
        symmetric: mirroring the texture left to right mirrors the face.
        blank: colour, 0 to 255, that hidden parts get instead of being completed.
        size: of the texture; without it, the atlas's. A larger one has the photo's own pixels, too,
            but borders of what is hidden as the atlas tells them.
        strands: variation of hidden hair at the atlas's texels, ±127 for three standard deviations.

    Raises:
        RenderError: an argument's shape is wrong or a vertex is not finite.
    """
    import cv2

    from mlanet.texturing.texel_loops import copy_rows

    topology = topology or MeshTopology(mesh.faces, len(photos[0].vertices_camera))
    seen = [_seen(photo, mesh, atlas, fill, topology) for photo in photos]
    larger = size is not None and size > atlas.size
    fine = [each.enlarged(atlas, size) if larger else each.fine for each in seen]
    whole, coarse = fine[0], seen[0].coarse
    guide = photos[0].guide or TextureGuide.plain(topology.num_vertices)
    if len(photos) > 1:
        whole, coarse = merged_texels(
            [
                _in_uv(own, each.coarse, each.completed(symmetric))
                for own, each in zip(fine, seen, strict=True)
            ],
            seen[0].surface,
            guide.eyes,
        )
    surface = seen[0].surface
    found = complete(coarse.colors, coarse.weight, coarse.seen, surface, symmetric=symmetric)
    if larger:
        assert size is not None
        spans = np.tile(np.array([0, size], np.int32), (size, 1))
        empty = atlas.empty_enlarged(size)
        if strands is not None:
            wide = cv2.resize(strands.astype(np.int16), (size, size))  # of int8 OpenCV knows none
            strands = wide.astype(np.int8)
        whole.weight.reshape(-1)[empty[0]] = 0
    else:
        spans, empty = atlas.spans, atlas.empty
    texture = _composed(whole, found, spans, guide, blank, strands)
    copy_rows(texture.image.reshape(-1, 3), *empty)
    return texture


def project_texture(
    image: UInt8[np.ndarray, "h w 3"],
    vertices_camera: Float[np.ndarray, "v 3"],
    mesh: Mesh,
    camera: Camera,
    atlas: UvAtlas,
    *,
    fill: Float[np.ndarray, "v 3"] | None = None,
    guide: TextureGuide | None = None,
    topology: MeshTopology | None = None,
    symmetric: bool = False,
    before: Iterable[PosedHead] = (),
    blank: tuple[int, int, int] | None = None,
    size: int | None = None,
    strands: Int8[np.ndarray, "s s"] | None = None,
) -> Texture:
    """`project_photos` of one photo: its arguments are those of `MeshInPhoto` and of that.

    Raises:
        RenderError: an argument's shape is wrong or a vertex is not finite.
    """
    return project_photos(
        [MeshInPhoto(image, vertices_camera, camera, guide, before)],
        mesh,
        atlas,
        fill=fill,
        topology=topology,
        symmetric=symmetric,
        blank=blank,
        size=size,
        strands=strands,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _SeenMesh:
    """A mesh before a photo, in UV: at the atlas's size and at the coarse one."""

    sight: Sight
    fine: PhotoTexels
    coarse: PhotoTexels
    surface: SurfacePlanes

    def enlarged(self, atlas: UvAtlas, size: int | None) -> PhotoTexels:
        assert size is not None
        return self.sight.enlarged(atlas, self.fine, size)

    def completed(self, symmetric: bool) -> Completion:
        coarse = self.coarse
        return complete(
            coarse.colors, coarse.weight, coarse.seen, self.surface, symmetric=symmetric
        )


def _in_uv(fine: PhotoTexels, coarse: PhotoTexels, found: Completion) -> PhotoInUv:
    return PhotoInUv(fine, coarse, np.ascontiguousarray(found.fields[..., 4]), found.shade)


def _seen(
    photo: MeshInPhoto,
    mesh: Mesh,
    atlas: UvAtlas,
    fill: Float[np.ndarray, "v 3"] | None,
    topology: MeshTopology,
) -> _SeenMesh:
    image, vertices_camera = photo.image, photo.vertices_camera
    count = len(vertices_camera)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise RenderError(f"image must be (h, w, 3) uint8, got {image.shape} {image.dtype}")
    if fill is not None and fill.shape != (count, 3):
        raise RenderError(f"fill must be {(count, 3)}, got {fill.shape}")
    guide = photo.guide or TextureGuide.plain(count)
    if guide.allowed.shape != (count,):
        raise RenderError(f"guide must be of {count} vertices, got {len(guide.allowed)}")
    with np.errstate(divide="ignore", invalid="ignore"):
        projected = photo.camera.project(np.asarray(vertices_camera, dtype=np.float64))
    checked_mesh(projected, mesh.faces)
    normals = viewer_normals(vertices_camera, topology)
    cosine = _cosine(normals, vertices_camera)
    allowed = guide.allowed if photo.allowed is None else guide.allowed * photo.allowed
    points = np.column_stack([projected, cosine, allowed])
    box = box_in_picture(projected, image.shape[:2])
    some = slice(None, None, 1 + len(mesh.faces) // SCALE_SAMPLES)
    places = projected[:, :2], mesh.faces[some], atlas.texels, atlas.uv_faces[some]
    across = atlas.size * stretch(*places)
    sight = Sight(image, points, guide.inner, mesh, photo.camera, box, across, photo.before)
    fine = sight.texels(atlas)
    coarse = fine if atlas.coarse is atlas else sight.texels(atlas.coarse)
    return _SeenMesh(
        sight,
        fine,
        coarse,
        _surface(atlas.coarse, mesh, normals, cosine, coarse, fill, guide, topology),
    )


def _cosine(
    normals: Float[np.ndarray, "v 3"], points: Float[np.ndarray, "v 3"]
) -> Float[np.ndarray, "v"]:
    """Of normals (viewer's frame) with lines of sight (camera frame): their y and z differ."""
    along = np.einsum("vk,vk->v", normals, points) - 2.0 * normals[:, 0] * points[:, 0]
    return along / np.maximum(np.sqrt(np.einsum("vk,vk->v", points, points)), 1e-12)


def unit(vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Vectors of length one; zero stays zero."""
    length = np.sqrt(np.einsum("...k,...k->...", vectors, vectors))
    return vectors / np.maximum(length, 1e-12)[..., None]


def _surface(
    atlas: UvAtlas,
    mesh: Mesh,
    normals: Float[np.ndarray, "v 3"],
    cosine: Float[np.ndarray, "v"],
    seen: PhotoTexels,
    fill: Float[np.ndarray, "v 3"] | None,
    guide: TextureGuide,
    topology: MeshTopology,
) -> SurfacePlanes:
    albedo = np.zeros_like(normals) if fill is None else fill
    columns = np.empty((len(normals), 7), np.float32)
    columns[:, :3], columns[:, 3:6], columns[:, 6] = albedo, normals, cosine
    planes = vertex_attributes_to_uv(atlas, mesh.faces, columns)
    colors = np.ascontiguousarray(planes[..., :3])
    if fill is None:
        known = seen.colors[seen.weight > 127]
        middle = np.median(known, axis=0) / 255.0 if len(known) else np.full(3, 0.5)
        colors[:] = middle
    cosines = np.ascontiguousarray(planes[..., 6])
    return SurfacePlanes(colors, unit(planes[..., 3:6]), cosines, *_shares(atlas, guide, topology))


@lru_cache(maxsize=8)
def _shares(
    atlas: UvAtlas, guide: TextureGuide, topology: MeshTopology
) -> tuple[Float[np.ndarray, "t t"], ...]:
    """What `SurfacePlanes` takes from a guide: the same for all heads of a model."""
    shares = (
        guide.skin,
        guide.trusted,
        guide.hairy,
        guide.may_be_hairy,
        guide.neck,
        guide.sharp,
        guide.back,
        guide.teeth,
        guide.tongue,
        guide.lips,
        guide.lit,
        guide.crown,
        guide.face,
    )
    planes = vertex_attributes_to_uv(atlas, topology.faces, np.column_stack(shares))
    return tuple(np.ascontiguousarray(planes[..., k]) for k in range(len(shares)))


def _composed(
    photo: PhotoTexels,
    completion: Completion,
    spans: Int[np.ndarray, "s 2"],
    guide: TextureGuide,
    blank: tuple[int, int, int] | None,
    strands: Int8[np.ndarray, "s s"] | None,
) -> Texture:
    from mlanet.texturing.texel_loops import compose

    size = len(photo.weight)
    image = photo.colors.copy()
    visibility = np.zeros((size, size), dtype=np.float32)
    planes = completion.fields
    if blank is not None:
        planes = planes.copy()
        planes[..., :3], planes[..., 3], planes[..., 5:] = blank, 0.0, 0.0
    compose(
        spans,
        photo.colors,
        photo.weight,
        planes,
        np.zeros((0, 0), np.int8) if strands is None or blank is not None else strands,
        np.array(completion.contrast, np.float32),
        image,
        visibility,
    )
    if guide.eyes and blank is None:
        complete_eyes(image, photo.colors, visibility, guide.eyes)
    return Texture(image, visibility, completion.shade)
