"""Does the shaded model have the photo's colours?"""

import torch
from jaxtyping import Float
from torch import Tensor


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


def photometric_distance(
    predicted: Float[Tensor, "b n 3"],
    observed: Float[Tensor, "b n 3"],
    visible: Float[Tensor, "b n"],
) -> Float[Tensor, "b"]:
    """Mean colour distance (L2 over the channels, not squared) where `visible` is 1.

    Deng et al., 2019, equation 1, at vertices instead of pixels: robust against occluders.
    """
    distance = ((predicted - observed).square().sum(dim=-1) + 1e-5).sqrt()
    return (distance * visible).sum(dim=1) / visible.sum(dim=1).clamp_min(1.0)


def light_regularizer(lighting: Float[Tensor, "b 9 3"]) -> Float[Tensor, "b"]:
    """Deviation of the light's colour channels from their mean: light is mostly white."""
    return (lighting - lighting.mean(dim=-1, keepdim=True)).square().mean(dim=(1, 2))
