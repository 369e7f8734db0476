"""Random expressions of blend shapes: few at once, as faces show them."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

PARTS: Mapping[str, Mapping[str, float]] = {
    "brows": {"browDown": 3, "browInnerUp": 3, "browOuterUp": 2},
    "lids": {"eyeBlink": 6, "eyeSquint": 2, "eyeWide": 2},
    "gaze": {"eyeLookDown": 1, "eyeLookUp": 1, "eyeLookToLeft": 1, "eyeLookToRight": 1},
    "jaw": {"jawOpen": 6, "jawForward": 1, "jawLeft": 1, "jawRight": 1},
    "mouth": {
        "mouthSmile": 10,
        "mouthPucker": 2,
        "mouthFunnel": 2,
        "mouthFrown": 2,
        "mouthDimple": 1,
        "mouthLeft": 1,
        "mouthLowerDown": 1,
        "mouthPress": 1,
        "mouthRight": 1,
        "mouthRollLower": 1,
        "mouthRollUpper": 1,
        "mouthShrugLower": 1,
        "mouthShrugUpper": 1,
        "mouthStretch": 1,
        "mouthUpperUp": 1,
    },
    "cheeks": {"cheekSquint": 2, "cheekPuff": 1, "noseSneer": 2},
}
"""Parts of the face that move independently, and how often each of their movements occurs."""

TOGETHER: Mapping[str, tuple[str, ...]] = {
    "eyeLookToLeft": ("eyeLookOutLeft", "eyeLookInRight"),
    "eyeLookToRight": ("eyeLookInLeft", "eyeLookOutRight"),
}
"""Movements that have other names on the two sides of the face."""

SECOND, SECOND_STRENGTH = 0.3, 0.5
"""How often a part makes two movements at once, and the strength of the second one."""

UNEVEN, ONE_SIDED = 0.5, 0.5
"""How often the sides of the face differ, and how often one of them then rests: winks."""

LIVELY = {"gaze": 0.8, "lids": 0.65}
"""Least probability that a part moves in a face that moves at all: eyes seldom rest."""

SHUT = 0.4
"""How often an eye that blinks is shut wholly: lids spend little time between open and shut."""

CLOSED, MOST_CLOSED = 0.15, 0.5
"""How often lips meet over an open jaw (`mouthClose` corrects it), and how far at most."""


def random_expression(
    names: Sequence[str], moving: float, rng: np.random.Generator
) -> Float[np.ndarray, "e"]:
    """Amounts in [0, 1] of the ARKit blend shapes `names`; others than those of `PARTS` rest.

    Each part of the face rests or makes one movement, seldom two, of any strength, on both sides
    alike or, half of the time, less on one side: from uneven smiles to winks.

    Args:
        names: of the expression modes.
        moving: probability that a part moves.
        rng: random numbers.
    """
    places = {name: place for place, name in enumerate(names)}
    amounts = np.zeros(len(names))
    for part, movements in PARTS.items():
        known = {name: often for name, often in movements.items() if _modes(name, places)}
        if rng.random() >= max(moving, LIVELY.get(part, 0.0) * (moving > 0)) or not known:
            continue
        often = np.array(list(known.values()))
        count = min(1 + int(rng.random() < SECOND), len(known))
        chosen = rng.choice(len(known), count, replace=False, p=often / often.sum())
        for order, number in enumerate(chosen):
            modes = _modes(list(known)[int(number)], places)
            strength = float(rng.beta(1.3, 1.3)) * (SECOND_STRENGTH if order else 1.0)
            if list(known)[int(number)] == "eyeBlink" and rng.random() < SHUT:
                strength = 1.0
            amounts[modes] = strength
            if len(modes) > 1 and rng.random() < UNEVEN:
                amounts[modes[int(rng.integers(len(modes)))]] *= _weaker_side(rng)
    if {"mouthClose", "jawOpen"} <= set(places) and rng.random() < CLOSED:
        amounts[places["mouthClose"]] = rng.uniform(0.0, MOST_CLOSED) * amounts[places["jawOpen"]]
    return amounts


def _weaker_side(rng: np.random.Generator) -> float:
    return 0.0 if rng.random() < ONE_SIDED else float(rng.uniform())


def _modes(movement: str, places: Mapping[str, int]) -> list[int]:
    """Modes that a movement consists of."""
    wanted = TOGETHER.get(movement, (movement, f"{movement}Left", f"{movement}Right"))
    return [places[name] for name in wanted if name in places]
