"""The landmark loss of Deng et al."""

from jaxtyping import Float
from torch import Tensor

EMPHASISED = (28, 29, 30, *range(60, 68))
"""Landmarks that weigh more: the nose's ridge and tip, the inner lips."""

EMPHASIS = 20.0


def weighted_landmark_distance(
    predicted_px: Float[Tensor, "b 68 2"],
    target_px: Float[Tensor, "b 68 2"],
    weight: Float[Tensor, "*b 68"],
) -> Float[Tensor, "b"]:
    """Weighted mean squared distance in square pixels of a 224 px crop; weights are not normed.

    Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning", CVPRW 2019,
    equation 3.
    """
    return (weight * (predicted_px - target_px).square().sum(dim=-1)).mean(dim=1)


def emphasised_weights(like: Tensor) -> Float[Tensor, "68"]:
    """1, and `EMPHASIS` at `EMPHASISED`, with the type and the device of a tensor."""
    weight = like.new_ones(68)
    weight[list(EMPHASISED)] = EMPHASIS
    return weight
