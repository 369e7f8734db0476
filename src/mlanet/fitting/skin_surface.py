"""The skin of a face model's base mesh: where it is, which way it faces, and what changes that."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import Camera, Pose
from mlanet.morphable import MorphableModel
from mlanet.render import rasterize

NO_SKIN = ("eyes", "mouth", "ears", "neck", "scalp")
"""Regions whose colours are not compared: other materials, hair and clothes."""

HIDDEN_MM = 3.0
"""A vertex this far behind what its pixel's neighbourhood shows is hidden."""

MARGIN_PX = 2.0
"""Vertices this near to the picture's border are not compared."""


@dataclass(frozen=True, slots=True, eq=False)
class SkinNormals:
    """Normals of the skin's vertices, model frame.

    Attributes:
        unit: of length one.
        area_mm2: of the surface that is a vertex's own.
        by_shape: derivative of `unit` by the coefficients of identity and expression.
    """

    unit: Float[np.ndarray, "s 3"]
    area_mm2: Float[np.ndarray, "s"]
    by_shape: Float[np.ndarray, "s 3 k"]

    def only(self, chosen: Int[np.ndarray, "n"]) -> "SkinNormals":
        """Those of a selection of the skin's vertices."""
        return SkinNormals(self.unit[chosen], self.area_mm2[chosen], self.by_shape[chosen])


@dataclass(frozen=True, eq=False)
class SkinSurface:
    """The `s` base vertices of a face model that show skin; `k` coefficients move them.

    Vertices are in mm of the model frame. Identity comes before expression.
    """

    model: MorphableModel

    @cached_property
    def skin(self) -> Int[np.ndarray, "s"]:
        """Numbers of the skin's vertices; of a model without regions, all vertices."""
        regions, count = self.model.regions, self.model.num_base_vertices
        inside = regions.get("face", np.ones(count)) > 0.5
        for name in NO_SKIN:
            inside &= regions.get(name, np.zeros(count)) < 0.5
        if "skin" in self.model.part_names:
            inside &= self.model.vertex_parts == self.model.part_names.index("skin")
        return np.flatnonzero(inside)

    @cached_property
    def basis(self) -> Float[np.ndarray, "v 3 k"]:
        """Modes of identity and expression."""
        shape = self.model.shape
        return np.concatenate([shape.identity, shape.expression], axis=-1).astype(np.float32)

    def vertices(self, shape: Float[np.ndarray, "k"]) -> Float[np.ndarray, "v 3"]:
        """All base vertices for these coefficients."""
        moved = self.basis.reshape(-1, len(shape)) @ shape.astype(np.float32)
        return self.model.shape.mean.astype(np.float64) + moved.reshape(-1, 3)

    def visible(
        self, vertices: Float[np.ndarray, "v 3"], pose: Pose, size: int
    ) -> Int[np.ndarray, "n"]:
        """Which of the skin's vertices a crop of `size` pixels shows."""
        import cv2

        places = Camera.of_crop(size).project(pose.apply(vertices))
        depth = rasterize(places, self.model.base_faces, (size, size), cull_backfaces=True).depth
        depth[depth == 0] = np.float32(np.finfo(np.float32).max)
        behind = np.asarray(cv2.dilate(depth, np.ones((3, 3), np.uint8)))
        x, y, z = places[self.skin].T
        inside = np.minimum(x, y) > MARGIN_PX
        inside &= np.maximum(x, y) < size - MARGIN_PX
        column, row = (np.clip(places, 0, size - 1).astype(int) for places in (x, y))
        return np.flatnonzero(inside & (z < behind[row, column] + HIDDEN_MM))

    @cached_property
    def _around(self) -> tuple[Int[np.ndarray, "f 3"], Int[np.ndarray, "f 3"]]:
        """Triangles around the skin, and which skin vertex each corner is; -1 for none."""
        place = np.full(self.model.num_base_vertices, -1)
        place[self.skin] = np.arange(len(self.skin))
        faces = self.model.base_faces[(place[self.model.base_faces] >= 0).any(axis=1)]
        return faces, place[faces]

    def normals(self, vertices: Float[np.ndarray, "v 3"]) -> SkinNormals:
        """Area-weighted normals of the skin, and how its shape changes them."""
        from mlanet.fitting.skin_loops import area_vectors

        count, basis = len(self.skin), self.basis
        total = np.zeros((count, 3))
        change = np.zeros((count, *basis.shape[1:]), np.float32)
        area_vectors(np.asarray(vertices, np.float64), *self._around, basis, total, change)
        length = np.linalg.norm(total, axis=1) + 1e-12
        unit = total / length[:, None]
        narrow = unit.astype(np.float32)[:, :, None]
        change = change - narrow * (narrow * change).sum(axis=1, keepdims=True)
        return SkinNormals(unit, length / 6.0, change / length.astype(np.float32)[:, None, None])
