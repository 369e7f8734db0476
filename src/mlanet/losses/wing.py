"""A landmark loss that cares for small errors."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


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
