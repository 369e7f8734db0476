"""How far expressions turn the eyeballs."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from mlanet.geometry import fit_similarity, vector_from_matrix
from mlanet.morphable.model import MorphableModel

EYES = ("eye_left", "eye_right")


def eye_rotations(
    model: MorphableModel, expression: Float[np.ndarray, "n e"]
) -> Float[np.ndarray, "n 2 3"]:
    """Turns of the left and the right eyeball about their centres, as rotation vectors (radians).

    The model's expressions move the eyeballs' points along straight lines; what each full
    expression turns them by is added up by its weight.

    Args:
        model: one with eyeballs as parts.
        expression: weights.

    Raises:
        ValueError: the model has no eyeballs.
    """
    return np.einsum("ne,eki->nki", expression, _turns(model))


@lru_cache(maxsize=2)
def _turns(model: MorphableModel) -> Float[np.ndarray, "e 2 3"]:
    if not set(EYES) <= set(model.part_names):
        raise ValueError(f"the face model {model.name} has no eyeballs")
    turns = np.zeros((model.layout.expression, 2, 3))
    for eye, name in enumerate(EYES):
        own = model.vertex_parts == model.part_names.index(name)
        rest, offsets = model.shape.mean[own], model.shape.expression[own]
        for mode in np.flatnonzero(np.abs(offsets).max(axis=(0, 1)) > 0.0):
            moved = fit_similarity(rest, rest + offsets[..., mode])
            turns[mode, eye] = vector_from_matrix(moved.rotation)
    return turns
