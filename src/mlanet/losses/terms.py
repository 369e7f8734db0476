"""An objective as a weighted sum of named terms."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Term: TypeAlias = Callable[[], Float[Tensor, "b"]]
"""Computes a term of each sample when it is asked for."""


def weighted_sum(
    terms: Mapping[str, Term], weights: object, first: Float[Tensor, ""]
) -> tuple[Float[Tensor, ""], dict[str, float]]:
    """`first` and the terms' means over the samples times their weights, and the means.

    Terms of weight 0 are not computed.

    Args:
        terms: by name.
        weights: its attributes of these names.
        first: what is added to the sum, for instance zero times an answer: without terms the sum
            then still has gradients.
    """
    used = {name: term() for name, term in terms.items() if getattr(weights, name) > 0.0}
    parts = [getattr(weights, name) * term.mean() for name, term in used.items()]
    total = first + torch.stack(parts).sum() if parts else first
    return total, {name: float(term.detach().mean()) for name, term in used.items()}
