"""What light and skin are likely before any picture is seen."""

from jaxtyping import Float
from torch import Tensor


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
