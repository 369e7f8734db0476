"""Faces of one person as tensors that can be optimised, and their picture."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mlanet.coefficients import Coefficients
from mlanet.fitting.contour import JawKind, jaw_lines, outline_points
from mlanet.geometry import (
    Camera,
    MeshTopology,
    Pose,
    decode_lighting,
    decode_pose,
    landmarks_in_pixels,
)
from mlanet.losses import inside_photo
from mlanet.morphable import LinearShape, linear_combination
from mlanet.reconstruction import Reconstruction
from mlanet.render import Renderer

SKIN = ("face", "eyes")
NOT_SKIN = ("mouth",)
"""Regions that are compared with the photo, and what is cut out of them."""


@dataclass(frozen=True, eq=False)
class Synthesis:
    """Draws `b` photos' crops of one person from one identity, one albedo and `b` of the rest.

    The base mesh is drawn, without subdivision: a crop has fewer pixels than it has triangles.

    Attributes:
        faces: crops of one size and one face model.
        jaw: whether the 17 jaw points of the landmarks are of the surface or of the outline.
    """

    faces: list[Reconstruction]
    jaw: JawKind = "surface"

    def start(self) -> dict[str, Tensor]:
        """Coefficients by name, `(b, n)`; identity and albedo are the faces' mean `(1, n)`."""
        blocks: dict[str, Tensor] = {}
        for name in ("identity", "expression", "albedo", "rotation", "translation", "lighting"):
            rows = np.stack([getattr(face.coefficients, name) for face in self.faces])
            if name in ("identity", "albedo"):
                rows = rows.mean(axis=0, keepdims=True)
            blocks[name] = torch.from_numpy(rows.astype(np.float32))
        return blocks

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.faces[0].crop.size

    @cached_property
    def photos(self) -> Float[Tensor, "b s s 3"]:
        """The crops, sRGB in [0, 1]."""
        return torch.from_numpy(np.stack([face.crop.image for face in self.faces])) / 255.0

    @cached_property
    def landmark_shape(self) -> LinearShape:
        """The model of the points that landmarks may be, in tensors."""
        model = self.faces[0].model
        points = model.landmarks if self.jaw == "surface" else jaw_lines(model).shape
        return points.convert(torch.from_numpy)

    @cached_property
    def shape(self) -> LinearShape:
        """The base mesh's model in tensors."""
        return self.faces[0].model.shape.convert(torch.from_numpy)

    @cached_property
    def renderer(self) -> Renderer:
        """Of the base mesh in the crops' size."""
        model = self.faces[0].model
        topology = MeshTopology(model.base_faces, model.num_base_vertices)
        return Renderer(topology, (self.size, self.size), normals=False)

    @cached_property
    def skin(self) -> Float[Tensor, "v"]:
        """Which base vertices show skin, in [0, 1]."""
        regions = self.faces[0].model.regions
        skin = np.maximum.reduce([regions[name] for name in SKIN])
        for name in NOT_SKIN:
            skin = skin * (1.0 - regions[name])
        return torch.from_numpy(skin.astype(np.float32))

    def landmarks(
        self, blocks: dict[str, Tensor], index: Int[Tensor, "b 68"] | None = None
    ) -> Float[Tensor, "b 68 3"]:
        """The 68 landmarks in pixels of the crops; `index` as `landmark_index` found it before."""
        index = self.landmark_index(blocks) if index is None else index
        return torch.take_along_dim(self._landmark_candidates(blocks), index[..., None], dim=1)

    @torch.no_grad()
    def landmark_index(self, blocks: dict[str, Tensor]) -> Int[Tensor, "b 68"]:
        """Which of the points that they may be the landmarks are in the present poses."""
        if self.jaw == "surface":
            return torch.arange(68).expand(len(self.faces), -1)
        candidates = torch.from_numpy(jaw_lines(self.faces[0].model).candidates)
        rotation = decode_pose(blocks["rotation"], blocks["translation"]).rotation
        return outline_points(self._landmark_candidates(blocks), rotation, candidates)

    def _landmark_candidates(self, blocks: dict[str, Tensor]) -> Float[Tensor, "b m 3"]:
        """All points that landmarks may be, in pixels of the crops."""
        points = self.landmark_shape(
            blocks["identity"].expand(len(self.faces), -1), blocks["expression"]
        )
        pose = decode_pose(blocks["rotation"], blocks["translation"])
        return landmarks_in_pixels(Camera.of_crop(self.size), pose, points)

    def picture(self, blocks: dict[str, Tensor]) -> Float[Tensor, "b s s 3"]:
        """Pictures, with gradients."""
        model = self.faces[0].model
        basis = torch.from_numpy(model.albedo_basis)
        albedo = linear_combination(torch.from_numpy(model.albedo_mean), basis, blocks["albedo"])
        albedo = albedo.clamp(0.0, 1.0).expand(len(self.faces), -1, -1)
        lighting = decode_lighting(blocks["lighting"])
        return self.renderer(*self._placed(blocks), lighting, albedo=albedo).image

    @torch.no_grad()
    def visible_skin(self, blocks: dict[str, Tensor]) -> Float[Tensor, "b s s"]:
        """Which pixels of the photos should show the model's skin, in [0, 1]; none outside of them.

        It carries no gradient: the fit shall not shrink the face to be less wrong.
        """
        regions = self.skin[None, :, None].expand(len(self.faces), -1, 3)
        drawn = self.renderer(*self._placed(blocks), albedo=regions)
        return drawn.image[..., 0] * (drawn.mask > 0.99) * inside_photo(self.photos)

    def _placed(self, blocks: dict[str, Tensor]) -> tuple[Tensor, Pose, Camera]:
        vertices = self.shape(blocks["identity"].expand(len(self.faces), -1), blocks["expression"])
        pose = decode_pose(blocks["rotation"], blocks["translation"])
        return vertices, pose, Camera.of_crop(self.size)

    def answers(self, blocks: dict[str, Tensor]) -> list[Reconstruction]:
        """Reconstructions with these coefficients."""
        rows = {
            name: block.detach().expand(len(self.faces), -1).numpy().copy()
            for name, block in blocks.items()
        }
        return [
            replace(face, coefficients=Coefficients(**{name: row[k] for name, row in rows.items()}))
            for k, face in enumerate(self.faces)
        ]
