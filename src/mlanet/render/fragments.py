"""What a rasteriser finds at each pixel."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int

from mlanet.coefficients import Array
from mlanet.errors import RenderError


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

    Raises:
        RenderError: the shapes do not fit each other.
    """

    face_index: Int[Array, "*b h w"]
    barycentric: Float[Array, "*b h w 3"]
    depth: Float[Array, "*b h w"]
    cull_backfaces: bool = False

    def __post_init__(self) -> None:
        shape = tuple(self.face_index.shape)
        if len(shape) not in (2, 3):
            raise RenderError(f"face_index must be (h, w) or (b, h, w), got {shape}")
        if tuple(self.barycentric.shape) != (*shape, 3) or tuple(self.depth.shape) != shape:
            raise RenderError(
                f"barycentric and depth must fit face_index {shape}, "
                f"got {tuple(self.barycentric.shape)} and {tuple(self.depth.shape)}"
            )

    @property
    def mask(self) -> Bool[Array, "*b h w"]:
        """Where a triangle was hit."""
        return self.face_index >= 0

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.face_index.shape[-2:]
        return int(height), int(width)
