"""Points whose positions are linear in identity and expression coefficients."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Array, array_namespace


def linear_combination(
    mean: Float[Array, "*b n 3"], basis: Float[Array, "n 3 k"], weights: Float[Array, "*b k"]
) -> Float[Array, "*b n 3"]:
    """Mean plus weighted modes: positions in mm or colours, whatever the basis holds."""
    xp = array_namespace(weights)
    flat = xp.reshape(basis, (math.prod(basis.shape[:-1]), basis.shape[-1]))
    offset = xp.matmul(weights, xp.matrix_transpose(flat))
    return mean + xp.reshape(offset, (*weights.shape[:-1], *basis.shape[:-1]))


@dataclass(frozen=True, slots=True)
class LinearShape:
    """`n` points in mm of the model frame: mean plus identity and expression modes.

    The arrays are of one array library; `convert` moves them all to another one or a device.
    """

    mean: Float[Array, "n 3"]
    identity: Float[Array, "n 3 i"]
    expression: Float[Array, "n 3 e"]

    def __call__(
        self, identity: Float[Array, "*b i"], expression: Float[Array, "*b e"]
    ) -> Float[Array, "*b n 3"]:
        """Positions in mm for identity (in standard deviations) and expression coefficients."""
        person = linear_combination(self.mean, self.identity, identity)
        return linear_combination(person, self.expression, expression)

    def at(self, corners: np.ndarray, barycentric: Float[np.ndarray, "m 3"]) -> "LinearShape":
        """The model of `m` surface points: corner vertices (m, 3) and barycentric weights."""

        def blend(array: np.ndarray) -> np.ndarray:
            weights = barycentric.reshape(len(barycentric), 3, *[1] * (array.ndim - 1))
            return (array[corners] * weights).sum(axis=1).astype(array.dtype)

        return LinearShape(blend(self.mean), blend(self.identity), blend(self.expression))

    def only(self, vertices: np.ndarray) -> "LinearShape":
        """The model of a selection of the points."""
        return LinearShape(self.mean[vertices], self.identity[vertices], self.expression[vertices])

    def convert(self, function: Callable[[np.ndarray], Array]) -> "LinearShape":
        """The same model with every array passed through `function`."""
        return LinearShape(function(self.mean), function(self.identity), function(self.expression))
