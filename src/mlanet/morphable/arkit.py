"""ARKit's expressions under the names that other models give them."""

from collections.abc import Mapping, Sequence

SIDES = {"_L": "Left", "_R": "Right"}
"""ICT-FaceKit's suffixes."""

HALVES = {
    "browInnerUpLeft": "browInnerUp",
    "browInnerUpRight": "browInnerUp",
    "cheekPuffLeft": "cheekPuff",
    "cheekPuffRight": "cheekPuff",
}
"""ICT-FaceKit's halves of shapes that ARKit has as a whole. ARKit's `tongueOut` it lacks."""


def arkit_name(name: str) -> str:
    """ARKit's name of one of ICT-FaceKit's expressions: `mouthSmile_L` is `mouthSmileLeft`.

    Halves of a whole shape (`HALVES`) keep their side.
    """
    for suffix, side in SIDES.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix) + side
    return name


def are_arkit(names: Sequence[str], of: Sequence[str]) -> bool:
    """Whether all expressions of a model are those of another one, or halves of them."""
    return len(names) > 0 and {HALVES.get(name, name) for name in names} <= set(of)


def weights_by_name(names: Sequence[str], weights: Mapping[str, float]) -> list[float]:
    """Weights for a model's expressions from another's by name; halves get the whole's weight.

    Raises:
        KeyError: there is no weight for an expression.
    """
    return [weights[HALVES.get(name, name)] for name in names]
