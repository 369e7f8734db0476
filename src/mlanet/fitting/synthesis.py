"""Faces of one person as tensors that can be optimised, and their picture."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mlanet.coefficients import Coefficients
from mlanet.geometry import (
    Camera,
    MeshTopology,
    Pose,
    decode_lighting,
    decode_pose,
    landmarks_in_pixels,
)
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
    """

    faces: list[Reconstruction]

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
        """The model of the 68 landmarks in tensors."""
        return self.faces[0].model.landmarks.convert(torch.from_numpy)

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

    def landmarks(self, blocks: dict[str, Tensor]) -> Float[Tensor, "b 68 3"]:
        """The 68 landmarks in pixels of the crops."""
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
        """Which pixels of the pictures show the model's skin, in [0, 1].

        It carries no gradient: the fit shall not shrink the face to be less wrong.
        """
        regions = self.skin[None, :, None].expand(len(self.faces), -1, 3)
        drawn = self.renderer(*self._placed(blocks), albedo=regions)
        return drawn.image[..., 0] * (drawn.mask > 0.99)

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
