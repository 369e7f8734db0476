"""What a rasteriser finds at each pixel."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int

from mlanet.coefficients import Array


@dataclass(frozen=True, slots=True)
class Fragments:
    """The nearest triangle at each pixel's centre, of one picture or of a batch.

    Arrays of NumPy, or tensors on the device of the vertices; of tensors, `barycentric` and
    `depth` are differentiable functions of the vertices.

    Attributes:
        face_index: int32, -1 where there is no triangle.
        barycentric: perspective-correct weights of the triangle's three corners; zero where there
            is none. They add up to 1; next to an edge, which lies on a grid of 1/256 px when
            triangles are found and where it is when weights are computed, they may be slightly
            below zero.
        depth: along the camera's axis, in the vertices' unit (mm); zero where there is none.
        cull_backfaces: whether triangles seen from inside were left out.
    """

    face_index: Int[Array, "*b h w"]
    barycentric: Float[Array, "*b h w 3"]
    depth: Float[Array, "*b h w"]
    cull_backfaces: bool = False

    @property
    def mask(self) -> Bool[Array, "*b h w"]:
        """Where a triangle was hit."""
        return self.face_index >= 0

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.face_index.shape[-2:]
        return int(height), int(width)
