"""The result: one person's face in one photo. Draws and saves itself."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.coefficients import Coefficients, RotationKind
from mlanet.detection import Detection
from mlanet.errors import RenderError
from mlanet.geometry import Camera, Mesh, Pose, decode_lighting, decode_pose, landmarks_in_pixels
from mlanet.image import Crop
from mlanet.lazy import LazyModule
from mlanet.morphable import FACE_REGIONS, MorphableModel
from mlanet.pickling import PickledFields

if TYPE_CHECKING:
    from mlanet import export, texturing, viewing
    from mlanet import render as rendering
    from mlanet.morphable import Transfer
else:  # what draws and writes is imported when something is drawn or written
    export, rendering, texturing, viewing = map(
        LazyModule, ("mlanet.export", "mlanet.render", "mlanet.texturing", "mlanet.viewing")
    )

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction(PickledFields):
    """A 3D face and the camera that sees it, in the photo's own pixels.

    What follows from the coefficients is computed when first asked for. Pickles do not hold it.

    Attributes:
        image: the photo, RGB.
        detection: how the face was found; None where the crop was given.
        crop: what the network saw; of a person who lies or hangs, it saw it turned upright.
        coefficients: what the network said, one vector of each kind.
        rotation_kind: how `coefficients.rotation` is to be read.
        model: the face model that the coefficients drive.
        before: heads of other people that the photo may show in front of this one.
        confidence: calibrated probability that the mean error of the 68 landmarks lies within 5 %
            of the face's size (`mlanet.network.confidence`); None if the network does not say.
        landmark_confidence: of each landmark, that its own does.
        texture_source: makes the texture of this photo and others of the person, and tells the
            hair (`mlanet.person.join_person`).
    """

    image: UInt8[np.ndarray, "h w 3"]
    detection: Detection | None
    crop: Crop
    coefficients: Coefficients
    rotation_kind: RotationKind
    model: MorphableModel
    before: "tuple[rendering.UnbuiltHead, ...]" = ()
    confidence: float | None = None
    landmark_confidence: Float[np.ndarray, "68"] | None = None
    texture_source: "texturing.TextureSource | None" = None

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        pitch, yaw, roll = self.euler_deg
        found = ""
        if self.detection is not None:
            box = ", ".join(f"{value:.0f}" for value in self.detection.box_px)
            found = f"box_px=({box}), score={self.detection.score:.2f}, "
        return (
            f"Reconstruction({found}pitch={pitch:.1f}°, yaw={yaw:.1f}°, roll={roll:.1f}°, "
            f"image={width}x{height}, model={self.model.name!r})"
        )

    @cached_property
    def pose(self) -> Pose:
        """Model to camera, mm."""
        coefficients = self.coefficients
        return decode_pose(coefficients.rotation, coefficients.translation, self.rotation_kind)

    @cached_property
    def camera(self) -> Camera:
        """The camera in pixels of the photo."""
        return Camera.of_crop(self.crop.size).before(self.crop.crop_from_image)

    @property
    def euler_deg(self) -> Float[np.ndarray, "3"]:
        """(pitch, yaw, roll) in degrees; signs in docs/reference/conventions.md."""
        return np.asarray(self.pose.euler_deg)

    @property
    def placement(self) -> "export.PhotoPlacement":
        """How the photo shows the head, for files."""
        size_px = self.image.shape[1], self.image.shape[0]
        return export.PhotoPlacement(self.camera, self.pose, self.landmarks_px, size_px)

    @property
    def landmarks_px(self) -> Float[np.ndarray, "68 3"]:
        """The 68 landmarks: x, y in pixels of the photo, z in the same scale, near is large."""
        points = self.model.landmarks(self.coefficients.identity, self.coefficients.expression)
        return landmarks_in_pixels(self.camera, self.pose, points.astype(np.float64))

    @cached_property
    def vertices(self) -> Float[np.ndarray, "w 3"]:
        """The mesh's vertices in the model frame, mm, without its colours."""
        return self.model.vertices(self.coefficients.identity, self.coefficients.expression)

    @cached_property
    def mesh(self) -> Mesh:
        """The head's front in the model frame, mm, with the model's albedo and UV."""
        model = self.model
        colors = model.albedo(self.coefficients.albedo) if model.has_albedo else None
        return model.mesh_of(self.vertices, colors)

    @cached_property
    def head(self) -> "rendering.PosedHead":
        """The mesh where the photo shows it: what pictures are drawn from."""
        return rendering.PosedHead(self.model, self.vertices, self.pose, self.camera)

    @cached_property
    def hair(self) -> Float[np.ndarray, "w 3"]:
        """How far hair stands off the mesh's vertices (`mlanet.texturing.hair_offsets`), mm."""
        if self.texture_source is not None:
            return self.texture_source.hair
        return texturing.hair_offsets(self.image, self.head, self.figure)

    @cached_property
    def figure(self) -> "texturing.HeadFigure | None":
        """Which part of the photo around the head belongs to the person."""
        return texturing.HeadFigure.of_photo(self.image, self.head)

    @cached_property
    def long_hair(self) -> "texturing.LongHair | None":
        """Hair that falls (`mlanet.texturing.long_hair`); raises what `texture` does."""
        if self.texture_source is not None:
            return self.texture_source.long_hair
        return texturing.long_hair(self.image, self.head, self.hair, self.texture.image)

    @cached_property
    def dressed(self) -> "texturing.TexturedMesh":
        """The textured mesh and its hair as one, the model's vertices first; as `texture`."""
        mesh = replace(self.mesh, vertices=self.mesh.vertices + self.hair)
        return texturing.TexturedMesh(mesh, self.texture.image).with_hair(self.long_hair)

    @property
    def unbuilt(self) -> "rendering.UnbuiltHead":
        """The head without its mesh."""
        shape = self.coefficients.identity, self.coefficients.expression
        return rendering.UnbuiltHead(self.model, *shape, self.pose, self.camera)

    @cached_property
    def lighting(self) -> Float[np.ndarray, "9 3"]:
        """Spherical-harmonics radiance in the viewer's frame (docs/reference/conventions.md)."""
        return decode_lighting(self.coefficients.lighting)

    @property
    def expression(self) -> dict[str, float]:
        """Expression coefficients by name; ARKit's 52 with the embedded model."""
        names = self.model.expression_names
        return dict(zip(names, map(float, self.coefficients.expression), strict=True))

    @property
    def has_texture(self) -> bool:
        """Whether the face model has texture coordinates, and colours for what is hidden."""
        return len(self.model.uv) > 0 and self.model.has_albedo

    @cached_property
    def texture(self) -> "texturing.Texture":
        """The photo's colours in UV, as `texture_of` makes them at the photo's own detail.

        It raises what that does.
        """
        return self.texture_of()

    def texture_of(
        self, size: int | None = None, *, blank: tuple[int, int, int] | None = None
    ) -> "texturing.Texture":
        """The photo's colours in UV, completed where the photo does not show the head.

        Args:
            size: in texels, 64 to 4096; without it 256, 512 or 1024, the smallest that does not
                lose the photo's detail.
            blank: colour, 0 to 255, that hidden parts get instead of being completed.

        Raises:
            RenderError: the face model has no texture coordinates or no albedo.
            ValueError: the size is out of range.
        """
        if not self.has_texture:
            lacking = "texture coordinates" if self.model.has_albedo else "albedo"
            raise RenderError(f"the face model {self.model.name} has no {lacking}")
        if self.texture_source is not None:
            return self.texture_source(size, blank)
        colors = self.mesh.colors
        assert colors is not None
        head = self.head.with_hair(self.hair)
        before = (other.build() for other in self.before)
        photo = texturing.HeadInPhoto(self.image, head, before, self.figure)
        return texturing.head_texture([photo], colors, size or self.own_texture_size, blank=blank)

    @cached_property
    def detail(self) -> UInt8[np.ndarray, "k k 3"]:
        """`mlanet.texturing.detail_normals` of this photo; raises what `texture` does."""
        own = self if self.texture_source is None else replace(self, texture_source=None)
        colors = self.model.albedo(self.coefficients.albedo)
        return texturing.detail_normals(own.texture, self.head, colors)

    @property
    def own_texture_size(self) -> int:
        """The smallest texture that does not lose the photo's detail, in texels across."""
        return texturing.texture_size(float(self.crop.size / self.crop.crop_from_image[0, 0]))

    def render(
        self,
        background: UInt8[np.ndarray, "h w 3"] | None = None,
        *,
        opacity: float | None = None,
        landmarks: bool = True,
    ) -> UInt8[np.ndarray, "h w 3"]:
        """The face region as clay over the photo (or another picture of its size)."""
        under = self.image if background is None else background
        share = rendering.OVERLAY_OPACITY if opacity is None else opacity
        return rendering.draw_overlay(under, [self.head], opacity=share, landmarks=landmarks)

    def draw(
        self, kind: str, background: UInt8[np.ndarray, "h w 3"] | None = None, *, hair: bool = True
    ) -> UInt8[np.ndarray, "h w 3"]:
        """`draw_faces` of this one (docs/reference/output.md)."""
        head = self.head
        if hair and self.has_texture and kind in rendering.OF_SURFACE:
            mesh = self.dressed.mesh
            head = replace(head, vertices=mesh.vertices, faces=mesh.faces)
        under = self.image if background is None else background
        return rendering.draw_picture(kind, under, [head])

    def mask(self, *regions: str) -> Float[np.ndarray, "h w"]:
        """Share, 0 to 1, of each pixel that shows regions of the face model; by default the face's.

        Raises:
            ValueError: there is no such region; the message lists them.
        """
        return rendering.face_mask([self.head], self.image.shape[:2], *(regions or FACE_REGIONS))

    def as_dict(self) -> dict[str, Any]:
        """Everything but the mesh as plain values: the content of the JSON file."""
        detection, coefficients, rounded = self.detection, self.coefficients, export.rounded
        sure = {"confidence": self.confidence, "landmark_confidence": self.landmark_confidence}
        return {
            "schema": SCHEMA_VERSION,
            "detection": None if detection is None else detection.as_dict(),
            **{k: rounded(value, 4) for k, value in sure.items() if value is not None},
            "crop_from_image": rounded(self.crop.crop_from_image, 6),
            "crop_size_px": self.crop.size,
            **self.placement.as_dict(),
            "face_model": self.model.name,
            "identity": rounded(coefficients.identity, 5),
            "expression": {name: round(value, 5) for name, value in self.expression.items()},
            "albedo": rounded(coefficients.albedo, 5),
            "lighting": rounded(self.lighting, 5),
        }

    def save(
        self,
        folder: str | os.PathLike[str],
        name: str = "face_00",
        formats: Sequence[str] | None = None,
        *,
        extent: "export.Extent" = "head",
        texture: "texturing.TextureChoice | None" = None,
    ) -> list[Path]:
        """Write `name`.glb, `name`.json, ... into a folder; returns the paths.

        The GLB is an avatar (`mlanet.export.write_avatar`) where the face model has what that
        needs, else the mesh as it is. Other meshes have the photo's expression, and no texture if
        the face model lacks UV or colours. Each file appears whole or not at all.

        Args:
            folder: where to; it is made.
            name: what files are called.
            formats: names of `mlanet.export.FORMATS` (docs/reference/output.md); without them GLB
                and JSON.
            extent: what meshes show: the whole head, or the face alone with eyes and teeth.
            texture: which textures, how large, and whether there is hair beyond the head's mesh.

        Raises:
            UsageError: there is no such format, or its extra is not installed.
            ValueError: the face model has no regions to cut the face out by, or the texture's size
                is out of range.
            RenderError: pictures are wanted of a texture that there cannot be.
            OSError, ImageError: something cannot be written.
        """
        formats = export.DEFAULT_FORMATS if formats is None else formats
        texture = texture or texturing.AS_PHOTOGRAPHED
        export.check_formats(formats)
        textured = self.has_texture and export.needs_texture(formats)
        mesh = self.mesh
        if extent == "face":
            mesh = export.cut_mesh(mesh, export.face_height(self.model))
        stands_off = self.hair if texture.hair and textured and extent == "head" else None
        falls = None if stands_off is None else self.long_hair
        if stands_off is not None:
            mesh = replace(mesh, vertices=mesh.vertices + stands_off)
        avatar = None
        if textured and export.can_be_avatar(self.model):
            shape = self.coefficients.identity, self.coefficients.expression
            detail = self.detail if texture.detail else None
            avatar = export.AvatarShape(self.model, *shape, extent, detail, stands_off)
        made = None
        if textured or texture.has_pictures:
            made = self.texture if texture.size is None else self.texture_of(texture.size)
        colors = texture.colors(made) if made is not None and textured else None
        pictures = {} if made is None else texture.pictures(made)
        about = self.as_dict(), avatar, self.placement, pictures, falls
        content = export.FaceContent(name, mesh, colors, *about)
        return export.write_formats(content, Path(folder), formats)

    def viewed(
        self, name: str = "face_00", *, detail: bool = False, hair: bool = True
    ) -> "viewing.ViewedHead":
        """The head for a page (`mlanet.viewing.write_page`); with a normal map of its detail."""
        photo = viewing.photo_view(self.image, self.crop.square_px, self.camera, self.pose)
        choice = texturing.TextureChoice(detail=detail, hair=hair)
        save = partial(self.save, name=name, formats=("glb",), texture=choice)
        glb = viewing.content_of(lambda path: save(path.parent)[0].replace(path))
        return viewing.ViewedHead(name, glb, photo, export.identity_offsets(self.model))

    def _repr_html_(self) -> str:
        """The head to turn, in a notebook; the notebook keeps all of it, 1 to 3 MB."""
        return viewing.as_frame(viewing.view_page([self.viewed()], "face"))

    def to_trimesh(self, *, hair: bool = True) -> Any:
        """The mesh as a `trimesh.Trimesh`: model frame, mm, textured where `has_texture`."""
        if not self.has_texture:
            return export.mesh_to_trimesh(self.mesh)
        worn = self.dressed if hair else texturing.TexturedMesh(self.mesh, self.texture.image)
        return export.mesh_to_trimesh(worn.mesh, worn.texture)

    def in_topology(
        self, transfer: "Transfer", texture: "texturing.TextureChoice | None" = None
    ) -> "texturing.TexturedMesh":
        """The textured mesh with another model's vertices and triangles, model frame, mm."""
        texture = texture or texturing.AS_PHOTOGRAPHED
        made = self.texture if texture.size is None else self.texture_of(texture.size)
        return texturing.transfer_texture(transfer, self.mesh.vertices, texture.colors(made))

    def save_topology(
        self,
        transfer: "Transfer",
        folder: str | os.PathLike[str],
        name: str = "face_00",
        formats: Sequence[str] | None = None,
        *,
        texture: "texturing.TextureChoice | None" = None,
    ) -> list[Path]:
        """Write the mesh in another model's topology, and its coefficients; returns the paths.

        The files are `name`.topology.glb and so on, of formats that hold meshes or coefficients.

        Raises:
            UsageError: there is no such format, or its extra is not installed.
            OSError: the folder cannot be written to.
        """
        formats = export.DEFAULT_FORMATS if formats is None else formats
        texture = texture or texturing.AS_PHOTOGRAPHED
        export.check_formats(formats)
        carried = self.in_topology(transfer, texture)
        shape = self.coefficients.identity, self.coefficients.expression
        description = {"schema": SCHEMA_VERSION, **transfer.described(*shape)}
        content = export.FaceContent(f"{name}.topology", carried.mesh, carried.texture, description)
        return export.write_formats(content, Path(folder), formats)


def draw_faces(
    faces: Sequence[Reconstruction],
    kind: str = "overlay",
    background: UInt8[np.ndarray, "h w 3"] | None = None,
    *,
    hair: bool = True,
) -> UInt8[np.ndarray, "h w 3"]:
    """A kind of picture with all faces of a photo, nearer ones over farther ones.

    Without a background, over the photo; a black one gives maps for machines. Shape, depth and
    normals are those of the heads with their hair unless it is not wanted.

    Raises:
        ValueError: there is no such kind, or neither a face nor a background.
    """
    if background is None:
        if not faces:
            raise ValueError("without faces there must be a background")
        background = faces[0].image
    picture = rendering.draw_picture(kind, background, [])
    for face in sorted(faces, key=lambda face: -face.unbuilt.mm_per_px):
        drawn = face if len(faces) == 1 else replace(face)  # what it computes goes with it
        picture = drawn.draw(kind, picture, hair=hair)
    return picture
