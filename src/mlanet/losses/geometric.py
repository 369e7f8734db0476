"""Geometric constraints that need no label."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

SOFTENING = 1e-8


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


def flip_distance(
    points_px: Float[Tensor, "b n d"],
    flipped_px: Float[Tensor, "b n d"],
    partner: Int[Tensor, "n"],
    width_px: float,
) -> Float[Tensor, "b"]:
    """Mean distance (pixels) between points of a picture and those of its mirror image.

    A regressor of faces should commute with mirroring. Pose, identity and expression are all
    seen by their effect on the points; further columns than x (nearness) do not change sign.

    Args:
        points_px: of the picture.
        flipped_px: of the mirrored picture, in its pixels.
        partner: which point takes each one's place in the mirrored picture.
        width_px: of the picture.
    """
    back = flipped_px[:, partner]
    back = torch.cat([width_px - back[..., :1], back[..., 1:]], dim=-1)
    return ((points_px - back).square().sum(dim=-1) + SOFTENING).sqrt().mean(dim=1)


def _lengths(vertices: Float[Tensor, "b v 3"], edges: Int[Tensor, "e 2"]) -> Float[Tensor, "b e"]:
    along = vertices[:, edges[:, 0]] - vertices[:, edges[:, 1]]
    return (along.square().sum(dim=-1) + SOFTENING).sqrt()
