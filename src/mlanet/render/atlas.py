"""The plane of texture coordinates, seen as a picture."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Shaped

from mlanet.errors import RenderError
from mlanet.geometry import Mesh
from mlanet.render.attributes import interpolate
from mlanet.render.fragments import Fragments
from mlanet.render.rasterize import rasterize
from mlanet.render.sampling import texels_from_uv

COARSE_SIZE = 128
"""Texels across for what varies slowly: light, colours of skin and hair, fades."""


@dataclass(frozen=True, eq=False)
class UvAtlas:
    """Which triangle each texel of a square texture belongs to.

    Row 0 of a texture is v = 1, the top of the picture. `nearest` is the flat index of the
    nearest texel inside a triangle: texels between the charts copy it, so that neither
    filtering nor mip-mapping finds anything else beyond a chart's border.
    """

    fragments: Fragments
    nearest: Int[np.ndarray, "s s"]
    texels: Float[np.ndarray, "t 2"]
    uv_faces: Int[np.ndarray, "f 3"]

    @classmethod
    def of_mesh(cls, mesh: Mesh, size: int = 512) -> "UvAtlas":
        """The atlas of a mesh's texture coordinates, `size` texels wide.

        Raises:
            RenderError: the mesh has no texture coordinates, or none of its triangles covers
                the centre of a texel.
        """
        if mesh.uv is None or mesh.uv_faces is None:
            raise RenderError("mesh needs uv and uv_faces")
        return cls._of_texels(texels_from_uv(mesh.uv, (size, size)), mesh.uv_faces, size)

    @classmethod
    def _of_texels(
        cls, texels: Float[np.ndarray, "t 2"], uv_faces: Int[np.ndarray, "f 3"], size: int
    ) -> "UvAtlas":
        flat = np.concatenate([texels, np.ones_like(texels[:, :1])], axis=1)
        fragments = rasterize(flat, uv_faces, (size, size))
        if not fragments.mask.any():
            raise RenderError(f"uv covers no texel of a texture of {size} x {size}")
        return cls(fragments, _nearest_true(fragments), texels, np.asarray(uv_faces))

    @property
    def size(self) -> int:
        """Width and height in texels."""
        return self.fragments.image_size[0]

    @cached_property
    def coarse(self) -> "UvAtlas":
        """The atlas at the size at which colours are completed."""
        if self.size <= COARSE_SIZE:
            return self
        texels = self.texels * (COARSE_SIZE / self.size)
        return self._of_texels(texels, self.uv_faces, COARSE_SIZE)

    @cached_property
    def runs_of_faces(
        self,
    ) -> tuple[
        Int[np.ndarray, "k"], Int[np.ndarray, "n"], Int[np.ndarray, "n"], Int[np.ndarray, "n"]
    ]:
        """Texels inside triangles, row by row.

        Where the rows of each triangle begin; the row, its first column, the one after the last.
        """
        found = self.fragments.face_index.reshape(-1)
        covered = np.flatnonzero(self.fragments.mask)
        covered = covered[np.argsort(found[covered], kind="stable")]
        own, (rows, columns) = found[covered], np.divmod(covered, self.size)
        apart = (np.diff(covered) != 1) | (np.diff(own) != 0) | (np.diff(rows) != 0)
        first, last = np.flatnonzero(np.append(True, apart)), np.flatnonzero(np.append(apart, True))
        counts = np.bincount(own[first], minlength=len(self.uv_faces))
        found = np.append(0, np.cumsum(counts)), rows[first], columns[first], columns[last] + 1
        return tuple(each.astype(np.int32) for each in found)  # pyright: ignore[reportReturnType]

    @cached_property
    def spans(self) -> Int[np.ndarray, "s 2"]:
        """The first column of each row with a triangle, and the one after the last."""
        mask = self.fragments.mask
        ends = self.size - mask[:, ::-1].argmax(axis=1)
        some = mask.any(axis=1)
        return (np.stack([mask.argmax(axis=1), ends], axis=1) * some[:, None]).astype(np.int32)

    @cached_property
    def empty(self) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
        """Flat indices of texels outside all triangles, and of their nearest inside."""
        outside = np.flatnonzero(~self.fragments.mask)
        return outside, self.nearest.reshape(-1)[outside]

    def empty_enlarged(self, size: int) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
        """`empty` of a texture `size` texels wide, whose charts are as these texels tell."""
        import cv2

        mask = 255 * self.fragments.mask.astype(np.uint8)
        inside = cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR) > 127
        outside = np.flatnonzero(~inside)
        rows, columns = (place * self.size // size for place in np.divmod(outside, size))
        rows, columns = np.divmod(self.nearest[rows, columns], self.size)
        middles = [((place + 0.5) * size / self.size).astype(np.int64) for place in (rows, columns)]
        return outside, middles[0] * size + middles[1]

    def dilate(self, texture: Shaped[np.ndarray, "s s *c"]) -> Shaped[np.ndarray, "s s *c"]:
        """A copy in which each texel outside all triangles has its nearest neighbour's value."""
        return texture.reshape(self.size**2, *texture.shape[2:])[self.nearest]


def vertex_attributes_to_uv(
    atlas: UvAtlas, faces: Int[np.ndarray, "f 3"], attributes: Float[np.ndarray, "v c"]
) -> Float[np.ndarray, "s s c"]:
    """Colours or other attributes of vertices as a texture, float32, without empty texels.

    Raises:
        RenderError: `faces` and `attributes` do not fit each other or the atlas.
    """
    return atlas.dilate(interpolate(atlas.fragments, faces, attributes))


def _nearest_true(fragments: Fragments) -> Int[np.ndarray, "s s"]:
    import cv2

    empty = (~fragments.mask).astype(np.uint8)
    _, found = cv2.distanceTransformWithLabels(
        empty, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(found, dtype=np.int64)
    covered = np.flatnonzero(fragments.mask)
    of_label = np.zeros(int(labels.max()) + 1, dtype=np.int64)
    of_label[labels.reshape(-1)[covered]] = covered
    return of_label[labels]
