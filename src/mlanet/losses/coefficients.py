"""Distances of a face model's coefficients from known ones, and from likely ones."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mlanet.coefficients import CoefficientLayout, Coefficients
from mlanet.geometry import decode_lighting
from mlanet.losses.terms import Term

Decoder = Callable[[Float[Tensor, "m n"]], Float[Tensor, "m v d"]]
"""From coefficient vectors to the points whose displacement says what a coefficient matters."""


def coefficient_distance(
    predicted: Float[Tensor, "b n"], known: Float[Tensor, "b n"]
) -> Float[Tensor, "b"]:
    """Mean squared difference, every coefficient alike (PDC of Zhu et al., 2016, equation 6)."""
    return (predicted - known).square().mean(dim=1)


def standardized_distance(
    predicted: Float[Tensor, "b n"], known: Float[Tensor, "b n"], weight: Float[Tensor, "n"]
) -> Float[Tensor, "b"]:
    """Weighted sum of squared differences; `block_weight` makes the weights.

    The parameter loss of Zhu et al. (2016, equation 6) with each parameter in units of its standard
    deviation, as 3DDFA's "whitened" parameters are.
    """
    return (weight * (predicted - known).square()).sum(dim=1)


def block_weight(
    layout: CoefficientLayout, weights: Mapping[str, float], deviations: Mapping[str, float]
) -> Float[Tensor, "n"]:
    """Weights of coefficients that make each block a mean square in units of its deviation.

    Args:
        layout: names and sizes of the blocks.
        weights: of each block's mean.
        deviations: standard deviation of each block's coefficients.
    """
    return torch.cat(
        [
            torch.full((size,), weights[name] / (max(size, 1) * deviations[name] ** 2))
            for name, size in layout.sizes.items()
        ]
    )


def weighted_coefficient_distance(
    predicted: Float[Tensor, "b n"], known: Float[Tensor, "b n"], decode: Decoder
) -> Float[Tensor, "b"]:
    """Squared difference, each coefficient weighted by how far its error moves the face.

    WPDC: Zhu et al., "Face Alignment Across Large Poses", CVPR 2016, equations 7 and 8. The
    weight of a coefficient is the distance between the points of the known vector and of the
    same vector with that one coefficient as predicted, over the largest weight of the face. No
    gradient flows through the weights, as in the paper.
    """
    weight = coefficient_importance(predicted, known, decode)
    return (weight * (predicted - known).square()).sum(dim=1)


@torch.no_grad()
def coefficient_importance(
    predicted: Float[Tensor, "b n"], known: Float[Tensor, "b n"], decode: Decoder
) -> Float[Tensor, "b n"]:
    """The weights of WPDC, the largest of each face 1; all zero where nothing is wrong."""
    truth = decode(known)
    moved = torch.stack(
        [
            (decode(torch.where(one, predicted, known)) - truth).flatten(1).norm(dim=1)
            for one in torch.eye(known.shape[1], dtype=torch.bool, device=known.device)
        ],
        dim=1,
    )
    largest = moved.amax(dim=1, keepdim=True)
    return moved / largest.clamp_min(torch.finfo(moved.dtype).tiny)


def side_distance(
    predicted: Float[Tensor, "b e"], known: Float[Tensor, "b e"], sides: Int[Tensor, "2 k"]
) -> Float[Tensor, "b"]:
    """Mean squared error of left minus right, over the pairs `sides` (at the left, at the right).

    An answer that moves both sides alike has no part of it right, however good it is on average.
    """
    apart = predicted - known
    if not sides.shape[1]:
        return apart.sum(dim=1) * 0.0
    return (apart[:, sides[0]] - apart[:, sides[1]]).square().mean(dim=1)


def coefficient_prior(coefficients: Float[Tensor, "b n"], deviation: float) -> Float[Tensor, "b"]:
    """Mean square in units of the expected standard deviation (a Gaussian prior); 0 of none."""
    if not coefficients.shape[1]:
        return coefficients.sum(dim=1)
    return (coefficients / deviation).square().mean(dim=1)


def light_regularizer(lighting: Float[Tensor, "b 9 3"]) -> Float[Tensor, "b"]:
    """Deviation of the light's colour channels from their mean: light is mostly white."""
    return (lighting - lighting.mean(dim=-1, keepdim=True)).square().mean(dim=(1, 2))


def prior_terms(
    coefficients: Coefficients,
    expression_deviation: float,
    likely_identity: Float[Tensor, "b i"] | None = None,
) -> dict[str, Term]:
    """What is likely before any picture is seen.

    Args:
        coefficients: of tensors.
        expression_deviation: standard deviation of expression coefficients.
        likely_identity: middle of the prior of identity; without it, the mean face.
    """
    identity = coefficients.identity
    apart = identity if likely_identity is None else identity - likely_identity
    return {
        "identity_prior": lambda: coefficient_prior(apart, 1.0),
        "expression_prior": lambda: coefficient_prior(
            coefficients.expression, expression_deviation
        ),
        "albedo_prior": lambda: coefficient_prior(coefficients.albedo, 1.0),
        "light": lambda: light_regularizer(decode_lighting(coefficients.lighting)),
        "light_prior": lambda: coefficient_prior(coefficients.lighting, 1.0),
    }
