"""Distances between predicted and known vertices."""

from jaxtyping import Float
from torch import Tensor


def vertex_distance(
    predicted: Float[Tensor, "b v d"], known: Float[Tensor, "b v d"]
) -> Float[Tensor, "b"]:
    """Mean squared distance of corresponding vertices, in the square of their unit.

    VDC: Zhu et al., "Face Alignment Across Large Poses", CVPR 2016, equation 9, as a mean
    instead of a sum, so that it does not grow with the mesh's resolution.
    """
    return (predicted - known).square().sum(dim=-1).mean(dim=1)
