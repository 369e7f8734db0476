"""The coefficient vector that networks, face models and files agree on."""

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float

Array: TypeAlias = Any
"""An array of any library of the array API (NumPy, torch)."""

_NUMPY_IS_ENOUGH = hasattr(np, "astype")
"""From 2.1 on NumPy has all of the array API that is used here."""


def array_namespace(*arrays: Array) -> Any:
    """The functions of the arrays' library: NumPy's own if it has all of the array API.

    array_api_compat's are a copy of everything that NumPy has, which is imported first.
    """
    if _NUMPY_IS_ENOUGH and all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    import array_api_compat

    return array_api_compat.array_namespace(*arrays)


RotationKind: TypeAlias = Literal["6d", "euler"]

NUM_LIGHTING = 27
"""Nine spherical-harmonics coefficients for each of three colour channels."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Coefficients of one face `(n,)` or of a batch `(b, n)`, as a network predicts them.

    Identity, expression and albedo are in standard deviations of the face model's modes.
    `rotation` holds six numbers (Zhou et al., 2019) or three Euler angles in radians;
    `translation` is normalised by the crop (see `mlanet.geometry.decode_pose`);
    `lighting` is nine harmonics times RGB, flattened, as an offset from white ambient light.
    """

    identity: Float[Array, "*b i"]
    expression: Float[Array, "*b e"]
    albedo: Float[Array, "*b a"]
    rotation: Float[Array, "*b r"]
    translation: Float[Array, "*b 3"]
    lighting: Float[Array, "*b 27"]


@dataclass(frozen=True, slots=True)
class CoefficientLayout:
    """How many numbers of each kind there are, and where they lie in the flat vector.

    The only contract between `mlanet.network` and `mlanet.morphable`.
    """

    identity: int
    expression: int
    albedo: int
    rotation: RotationKind = "6d"

    def __post_init__(self) -> None:
        for name in ("identity", "expression", "albedo"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.rotation not in get_args(RotationKind):
            raise ValueError(f"rotation must be 6d or euler, got {self.rotation!r}")

    @property
    def num_rotation(self) -> int:
        """Numbers that describe the rotation."""
        return 6 if self.rotation == "6d" else 3

    @property
    def sizes(self) -> dict[str, int]:
        """Block sizes in the order of the flat vector."""
        return {
            "identity": self.identity,
            "expression": self.expression,
            "albedo": self.albedo,
            "rotation": self.num_rotation,
            "translation": 3,
            "lighting": NUM_LIGHTING,
        }

    @property
    def slices(self) -> dict[str, slice]:
        """Where each block lies in the flat vector."""
        found: dict[str, slice] = {}
        start = 0
        for name, size in self.sizes.items():
            found[name] = slice(start, start + size)
            start += size
        return found

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(self.sizes.values())

    def split(self, vector: Float[Array, "*b n"]) -> Coefficients:
        """Cut a flat vector into named blocks.

        Raises:
            ValueError: the last axis does not have `size` elements.
        """
        if vector.shape[-1] != self.size:
            raise ValueError(f"expected {self.size} coefficients, got {vector.shape[-1]}")
        return Coefficients(**{name: vector[..., cut] for name, cut in self.slices.items()})

    def join(self, coefficients: Coefficients) -> Float[Array, "*b n"]:
        """Concatenate named blocks into the flat vector; the inverse of `split`.

        Raises:
            ValueError: a block has another length than the layout says.
        """
        blocks = [getattr(coefficients, field.name) for field in fields(coefficients)]
        for (name, size), block in zip(self.sizes.items(), blocks, strict=True):
            if block.shape[-1] != size:
                raise ValueError(f"{name} needs {size} numbers, got {block.shape[-1]}")
        return array_namespace(*blocks).concat(blocks, axis=-1)
