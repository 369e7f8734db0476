"""What coefficients are likely before any picture is seen."""

from jaxtyping import Float
from torch import Tensor

from mlanet.losses.weights import LossWeights


def coefficient_prior(coefficients: Float[Tensor, "b n"], deviation: float) -> Float[Tensor, "b"]:
    """Mean square in units of the expected standard deviation (a Gaussian prior)."""
    return (coefficients / deviation).square().mean(dim=1)


def weighted_coefficient_prior(
    identity: Float[Tensor, "b i"],
    expression: Float[Tensor, "b e"],
    albedo: Float[Tensor, "b a"],
    weights: LossWeights,
) -> Float[Tensor, "b"]:
    """Weighted sum of squares of unit-normal coefficients (Deng et al., 2019, equation 5).

    The common factor `regularization` is included.
    """
    total = (
        weights.identity * identity.square().sum(dim=1)
        + weights.expression * expression.square().sum(dim=1)
        + weights.albedo * albedo.square().sum(dim=1)
    )
    return weights.regularization * total
