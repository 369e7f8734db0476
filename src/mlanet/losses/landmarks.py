"""Distances between predicted and labelled landmarks."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

APERTURES = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65), (48, 54))
"""Pairs of landmarks whose distance says how open eyes and mouth are and how wide the mouth is."""

EMPHASISED = (28, 29, 30, *range(60, 68))
"""Landmarks that weigh more in Deng et al. (2019): the nose's ridge and tip, the inner lips."""

EMPHASIS = 20.0


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


def emphasised_landmark_distance(
    predicted_px: Float[Tensor, "b 68 2"],
    target_px: Float[Tensor, "b 68 2"],
    weight: Float[Tensor, "b 68"] | None = None,
) -> Float[Tensor, "b"]:
    """Mean squared distance in square pixels of a crop of 224; `EMPHASISED` weigh `EMPHASIS` times.

    Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning", CVPRW 2019,
    equation 3. The weights are not normed; `weight` multiplies them.
    """
    squared = (predicted_px - target_px).square().sum(dim=-1)
    emphasis = squared.new_ones(68)
    emphasis[list(EMPHASISED)] = EMPHASIS
    return ((emphasis if weight is None else emphasis * weight) * squared).mean(dim=1)


def landmark_likelihood(
    predicted: Float[Tensor, "b n 2"],
    target: Float[Tensor, "b n 2"],
    weight: Float[Tensor, "b n"],
    noise: float,
) -> Float[Tensor, "b"]:
    """Half the weighted mean squared error in standard deviations of the labels' noise.

    The negative logarithm of a Gaussian likelihood. Points of weight 0 say nothing, wherever they
    lie, nor how large the face is.

    Args:
        predicted: x and y in any unit.
        target: the labels; anything where the weight is 0.
        weight: of each point.
        noise: standard deviation over the root of the area of the labels' box.
    """
    used = (weight > 0.0)[..., None]
    low, high = target.masked_fill(~used, torch.inf), target.masked_fill(~used, -torch.inf)
    extent = (high.amax(dim=1) - low.amin(dim=1)).clamp_min(1e-3)
    target = torch.where(used, target, predicted.detach())
    deviation = noise * extent.prod(dim=1).sqrt()
    squared = (predicted - target).square().sum(dim=-1) / deviation.square()[:, None]
    return 0.5 * (squared * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1e-6)


def variance_likelihood(
    squared_percent: Float[Tensor, "b n"],
    log_variances: Float[Tensor, "b n"],
    weight: Float[Tensor, "b n"],
) -> Float[Tensor, "b"]:
    """Negative logarithm of the likelihood of landmark errors under predicted variances.

    Wood et al., "3D Face Reconstruction with Dense Landmarks", ECCV 2022, equation 2: Gaussians of
    one variance in x and in y, without the constant. Weighted mean over the landmarks.

    Args:
        squared_percent: squared distances of landmarks in x and y, in (per cent of the face's
            size)².
        log_variances: of their variance in that unit.
        weight: of each landmark.
    """
    cost = log_variances + 0.5 * squared_percent * torch.exp(-log_variances)
    return (cost * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1e-6)


def wing_distance(
    predicted_px: Float[Tensor, "b n d"],
    target_px: Float[Tensor, "b n d"],
    weight: Float[Tensor, "b n"] | None = None,
    width_px: float = 10.0,
    curvature_px: float = 2.0,
) -> Float[Tensor, "b"]:
    """Mean of Wing over coordinates: logarithmic below `width_px`, absolute above.

    With `weight` a mean over the points that it weighs; 0 leaves a point out.

    Feng et al., "Wing Loss for Robust Facial Landmark Localisation", CVPR 2018, equation 5, with
    its w and ε, which are meant for pictures of 256 px.

    Raises:
        ValueError: the width or the curvature is not positive.
    """
    if not (width_px > 0 and curvature_px > 0):
        raise ValueError(f"width and curvature must be positive, got {width_px}, {curvature_px}")
    error = (predicted_px - target_px).abs()
    joint = width_px - width_px * math.log1p(width_px / curvature_px)
    small = width_px * torch.log1p(error / curvature_px)
    cost = torch.where(error < width_px, small, error - joint).mean(dim=2)
    if weight is None:
        return cost.mean(dim=1)
    return (weight * cost).sum(dim=1) / weight.sum(dim=1).clamp_min(torch.finfo(cost.dtype).tiny)


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
    return ((points_px - back).square().sum(dim=-1) + 1e-8).sqrt().mean(dim=1)
