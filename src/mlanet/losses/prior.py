"""What coefficients are likely before any picture is seen."""

from jaxtyping import Float
from torch import Tensor


def coefficient_prior(coefficients: Float[Tensor, "b n"], deviation: float) -> Float[Tensor, "b"]:
    """Mean square in units of the expected standard deviation (a Gaussian prior)."""
    return (coefficients / deviation).square().mean(dim=1)
