"""What coefficients are likely before any picture is seen."""

from jaxtyping import Float
from torch import Tensor


def coefficient_prior(coefficients: Float[Tensor, "b n"], deviation: float) -> Float[Tensor, "b"]:
    """Mean square in units of the expected standard deviation (a Gaussian prior); 0 of none."""
    if not coefficients.shape[1]:
        return coefficients.sum(dim=1)
    return (coefficients / deviation).square().mean(dim=1)
