"""Does the rendering have the photo's colours, pixel by pixel?"""

from jaxtyping import Float
from torch import Tensor

SOFTENING = 1e-6
"""Added to a squared distance before its root, whose derivative at zero is not finite."""


BLACK = 0.02
"""Crops are black outside of the photo: pixels whose channels add up to less lie there."""


def inside_photo(crop: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    """1 where pixels (sRGB in [0, 1]) of a crop show the photo, 0 beyond its borders."""
    return (crop.sum(dim=-1) > BLACK).to(crop.dtype)


def pixel_distance(
    rendered: Float[Tensor, "b h w 3"],
    photo: Float[Tensor, "b h w 3"],
    covered: Float[Tensor, "b h w"],
    skin: Float[Tensor, "b h w"] | None = None,
) -> Float[Tensor, "b"]:
    """Mean colour distance (L2 over the channels, not squared) of the pixels that count.

    Deng et al., 2019, equation 2. Colours are sRGB in [0, 1].

    Args:
        rendered: the model.
        photo: what it should look like.
        covered: share of the pixel that the visible model covers (`Rendering.mask`).
        skin: probability that the pixel shows skin; 1 everywhere if left out.
    """
    weight = covered if skin is None else covered * skin
    distance = ((rendered - photo).square().sum(dim=-1) + SOFTENING).sqrt()
    return (distance * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp_min(1.0)
