"""Does the drawn face have the photo's colours, and are they likely ones?"""

import torch
from jaxtyping import Float
from torch import Tensor

BLACK = 0.02
"""Crops are black outside of the photo: pixels whose channels add up to less lie there."""


def inside_photo(colors: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    """1 where colours (sRGB in [0, 1]) of a crop show the photo, 0 beyond its borders."""
    return (colors.sum(dim=-1) > BLACK).to(colors.dtype)


def colors_at_vertices(
    image: Float[Tensor, "b 3 s s"], points_px: Float[Tensor, "b n 2"]
) -> Float[Tensor, "b n 3"]:
    """Bilinear colours of pictures at pixel positions (corner convention); black outside."""
    size = image.shape[-1]
    grid = (2.0 * points_px / size - 1.0)[:, :, None]
    sampled = torch.nn.functional.grid_sample(
        image, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return sampled[..., 0].transpose(1, 2)


def color_distance(
    predicted: Float[Tensor, "b *n 3"],
    observed: Float[Tensor, "b *n 3"],
    weight: Float[Tensor, "b *n"],
    softening: float = 1e-6,
) -> Float[Tensor, "b"]:
    """Weighted mean colour distance (L2 over the channels, not squared) of pixels or vertices.

    Deng et al., 2019, equations 1 and 2: robust against occluders. Colours are sRGB in [0, 1].

    Args:
        predicted: the model's colours.
        observed: the photo's.
        weight: of each pixel or vertex, in [0, 1]; less than 1 in all counts as 1.
        softening: added to a squared distance before its root, whose derivative at zero is not
            finite.
    """
    distance = ((predicted - observed).square().sum(dim=-1) + softening).sqrt()
    weighed = (distance * weight).flatten(1).sum(dim=1)
    return weighed / weight.flatten(1).sum(dim=1).clamp_min(1.0)


def robust_color_distance(
    drawn: Float[Tensor, "b h w 3"],
    photo: Float[Tensor, "b h w 3"],
    skin: Float[Tensor, "b h w"],
    outlier: float,
) -> Float[Tensor, "b"]:
    """`color_distance` over visible skin; what looks like no skin of this face counts less.

    Pixels beyond the photo's borders do not count. The weights carry no gradient.

    Args:
        drawn: the model.
        photo: what it should look like.
        skin: how much of each pixel shows the model's skin.
        outlier: colour distance at which a pixel counts half: hair, glasses, hands.
    """
    with torch.no_grad():
        apart = (drawn - photo).square().sum(dim=-1)
        weight = skin * (inside_photo(photo) / (1.0 + apart / outlier**2))
    return color_distance(drawn, photo, weight)


def albedo_uniformity(
    albedo: Float[Tensor, "b v 3"], skin: Float[Tensor, "v"]
) -> Float[Tensor, "b"]:
    """Variance of the albedo (sRGB in [0, 1]) over skin, summed over channels.

    Deng et al., 2019, section 3.2 (with Tewari et al., "Self-supervised Multi-level Face Model
    Learning", CVPR 2018): shading belongs to the light, not to the skin. `skin` weighs vertices.
    """
    share = (skin / skin.sum())[None, :, None]
    mean = (albedo * share).sum(dim=1, keepdim=True)
    return ((albedo - mean).square() * share).sum(dim=(1, 2))
