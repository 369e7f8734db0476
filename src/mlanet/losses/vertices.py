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


def shape_distance(
    predicted: Float[Tensor, "b v d"], known: Float[Tensor, "b v d"]
) -> Float[Tensor, "b"]:
    """`vertex_distance` after the predicted vertices were moved and scaled to the known ones.

    One photo does not tell how large a head is, nor where its origin lies: what remains is what
    scans are compared by (a similarity alignment, but for the rotation: both sets of vertices must
    stand in one frame). Place and scale are the best ones in the sense of least squares and part
    of the gradient, which therefore is blind to both.
    """
    mine = predicted - predicted.mean(dim=1, keepdim=True)
    theirs = known - known.mean(dim=1, keepdim=True)
    scale = (mine * theirs).sum(dim=(1, 2)) / mine.square().sum(dim=(1, 2))
    return vertex_distance(scale[:, None, None] * mine, theirs)
