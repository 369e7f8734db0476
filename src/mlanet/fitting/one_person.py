"""Crops of one person and the coefficients of their fit, as tensors."""

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mlanet.coefficients import Coefficients
from mlanet.differentiable_face import DifferentiableFace
from mlanet.fitting.contour import JawKind, jaw_lines, outline_points
from mlanet.losses import inside_photo
from mlanet.morphable import LinearShape
from mlanet.reconstruction import Reconstruction

BLOCKS = tuple(field.name for field in fields(Coefficients))

SHARED = ("identity", "albedo")
"""Coefficients that a person's photos have in common."""


@dataclass(frozen=True, eq=False)
class OnePerson:
    """`b` photos' crops of one person: one identity and one albedo, `b` of the rest.

    Attributes:
        faces: crops of one size and one face model.
        jaw: whether the 17 jaw points of the landmarks are of the surface or of the outline.
    """

    faces: list[Reconstruction]
    jaw: JawKind = "surface"

    def start(self) -> dict[str, Tensor]:
        """Coefficients by name, `(b, n)`; identity and albedo are the faces' mean `(1, n)`."""
        blocks: dict[str, Tensor] = {}
        for name in BLOCKS:
            rows = np.stack([getattr(face.coefficients, name) for face in self.faces])
            rows = rows.mean(axis=0, keepdims=True) if name in SHARED else rows
            blocks[name] = torch.from_numpy(rows.astype(np.float32))
        return blocks

    def of_each(self, blocks: dict[str, Tensor]) -> Coefficients:
        """The coefficients of each photo, `(b, n)`."""
        return Coefficients(
            **{name: block.expand(len(self.faces), -1) for name, block in blocks.items()}
        )

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.faces[0].crop.size

    @cached_property
    def face(self) -> DifferentiableFace:
        """The face model in tensors."""
        return DifferentiableFace(self.faces[0].model)

    @cached_property
    def photos(self) -> Float[Tensor, "b s s 3"]:
        """The crops, sRGB in [0, 1]."""
        return torch.from_numpy(np.stack([face.crop.image for face in self.faces])) / 255.0

    @cached_property
    def _outlines(self) -> tuple[LinearShape, Int[Tensor, "17 c"]]:
        """The points that landmarks of the outline may be, and those of each jaw point."""
        lines = jaw_lines(self.faces[0].model)
        return lines.shape.convert(torch.from_numpy), torch.from_numpy(lines.candidates)

    def landmarks_px(
        self, coefficients: Coefficients, index: Int[Tensor, "b 68"] | None = None
    ) -> Float[Tensor, "b 68 3"]:
        """The landmarks in pixels of the crops, those of `index` as `outline_index` found it."""
        if index is None:
            return self.face.landmarks_px(coefficients, self.size)
        points = self.face.landmarks_px(coefficients, self.size, self._outlines[0])
        return torch.take_along_dim(points, index[..., None], dim=1)

    @torch.no_grad()
    def outline_index(self, coefficients: Coefficients) -> Int[Tensor, "b 68"] | None:
        """Which points the landmarks are in the present poses; None if they do not slide."""
        if self.jaw == "surface":
            return None
        shape, candidates = self._outlines
        points = self.face.landmarks_px(coefficients, self.size, shape)
        return outline_points(points, self.face.pose(coefficients).rotation, candidates)

    def visible_skin(self, coefficients: Coefficients) -> Float[Tensor, "b s s"]:
        """How much of each pixel of the photos should show skin; nothing outside of them."""
        return self.face.visible_skin(coefficients, self.size) * inside_photo(self.photos)

    def answers(self, blocks: dict[str, Tensor]) -> list[Reconstruction]:
        """Reconstructions with these coefficients."""
        each = self.of_each(blocks)
        rows = {name: getattr(each, name).detach().numpy().copy() for name in BLOCKS}
        return [
            replace(face, coefficients=Coefficients(**{name: row[k] for name, row in rows.items()}))
            for k, face in enumerate(self.faces)
        ]
