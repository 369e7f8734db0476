"""Distances between predicted and labelled landmarks."""

import torch
from jaxtyping import Float
from torch import Tensor

APERTURES = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65), (48, 54))
"""Pairs of landmarks whose distance says how open eyes and mouth are and how wide the mouth is."""


def landmark_distance(
    predicted: Float[Tensor, "b 68 3"],
    target: Float[Tensor, "b 68 3"],
    size: Float[Tensor, "b"],
    weight: Float[Tensor, "b 68"],
    has_depth: Float[Tensor, "b"],
    depth_weight: float = 0.5,
) -> Float[Tensor, "b"]:
    """Mean distance over the face's size, in per cent: the sparse protocol's NME as a loss.

    Plain distances, not squares, so that a wrong label pulls no harder than a right one. Depth
    enters beside x and y where `has_depth` is 1; its labels have an arbitrary origin, so that
    the mean over the points is taken out on both sides. A squared error of depth counts
    `depth_weight` times one of x or y.
    """
    xy = (predicted[..., :2] - target[..., :2]).square().sum(dim=-1)
    z = predicted[..., 2] - target[..., 2]
    z = (z - z.mean(dim=1, keepdim=True)) * has_depth[:, None]
    distance = (xy + depth_weight * z.square() + 1e-4).sqrt()
    mean = (distance * weight).sum(dim=1) / weight.sum(dim=1)
    return 100.0 * mean / size


def aperture_distance(
    predicted: Float[Tensor, "b 68 3"], target: Float[Tensor, "b 68 3"], size: Float[Tensor, "b"]
) -> Float[Tensor, "b"]:
    """Mean error of the gaps between lids and lips (x, y) over the face's size, in per cent.

    A small part of the landmark error, a large part of what one sees of an expression.
    """
    first = torch.tensor([a for a, _ in APERTURES], device=predicted.device)
    second = torch.tensor([b for _, b in APERTURES], device=predicted.device)
    gap = predicted[:, first, :2] - predicted[:, second, :2]
    wanted = target[:, first, :2] - target[:, second, :2]
    return 100.0 * ((gap - wanted).square().sum(dim=-1) + 1e-4).sqrt().mean(dim=1) / size
