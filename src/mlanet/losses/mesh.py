"""Distances between vertices, and constraints on meshes that need no label."""

from jaxtyping import Float, Int
from torch import Tensor

SOFTENING = 1e-8
"""Added to squared lengths (mm²) before their root."""


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


def symmetry_distance(
    vertices: Float[Tensor, "b v 3"], mirror: Int[Tensor, "v"]
) -> Float[Tensor, "b"]:
    """Mean distance (mm) between a head and its mirror image, model frame (x to the left).

    `mirror` names each vertex' partner on the other side (`MorphableModel.mirror`). Meant for
    heads without expression: identities are nearly symmetric, smiles need not be (the same
    constraint on depth and albedo: Wu et al., "Unsupervised Learning of Probably Symmetric
    Deformable 3D Objects", CVPR 2020).
    """
    axes = vertices.new_tensor([-1.0, 1.0, 1.0])
    apart = vertices - vertices[:, mirror] * axes
    return (apart.square().sum(dim=-1) + SOFTENING).sqrt().mean(dim=1)


def edge_length_distance(
    predicted: Float[Tensor, "b v 3"],
    known: Float[Tensor, "b v 3"],
    edges: Int[Tensor, "e 2"],
) -> Float[Tensor, "b"]:
    """Mean absolute difference (mm) of the lengths of edges: no spikes, no folds.

    Wang et al., "Pixel2Mesh", ECCV 2018, in the form of Moon and Lee, "I2L-MeshNet", ECCV 2020,
    which compares with a known mesh instead of zero; `known` may be the mean face.
    """
    return (_lengths(predicted, edges) - _lengths(known, edges)).abs().mean(dim=1)


def _lengths(vertices: Float[Tensor, "b v 3"], edges: Int[Tensor, "e 2"]) -> Float[Tensor, "b e"]:
    along = vertices[:, edges[:, 0]] - vertices[:, edges[:, 1]]
    return (along.square().sum(dim=-1) + SOFTENING).sqrt()
