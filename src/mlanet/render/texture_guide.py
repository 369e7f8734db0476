"""What a face model's surface may show in a photo: skin, hair, eyes, teeth."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from mlanet.morphable import MorphableModel

FOREHEAD_MM = (50.0, 66.0)
"""Heights on the mean head between which the forehead becomes a place where hair may hang."""

TEMPLE_MM = (82.0, 66.0)
"""Distances before the ears' axis between which the side of the face becomes such a place."""

SIDEBURN_MM = (-25.0, 0.0)
"""Heights between which, at the side, hair of the head may begin."""

BACK_MM = (40.0, 0.0)
"""Distances before the ears' axis between which left and right are to be alike."""

SHARP_STEPS = 4
"""How many edges around lids and lips the photo ends sharply where it is hidden."""


@dataclass(frozen=True, eq=False)
class TextureGuide:
    """Shares, 0 to 1, at the `v` vertices of a mesh.

    Attributes:
        allowed: of the photo's colour.
        skin: what takes the colour of the light; other parts, such as teeth, only its brightness.
        inner: parts of their own inside openings of the skin: eyes, teeth, tongue.
        trusted: the middle of the face, where everything that is seen belongs to the person.
        hairy: what hair covers on most heads.
        may_be_hairy: where hair may hang.
        sharp: where the photo ends sharply: around eyes and mouth.
        back: where both sides shall be of one colour, since they meet.
    """

    allowed: Float[np.ndarray, "v"]
    skin: Float[np.ndarray, "v"]
    inner: Float[np.ndarray, "v"]
    trusted: Float[np.ndarray, "v"]
    hairy: Float[np.ndarray, "v"]
    may_be_hairy: Float[np.ndarray, "v"]
    sharp: Float[np.ndarray, "v"]
    back: Float[np.ndarray, "v"]

    @classmethod
    def plain(cls, count: int) -> "TextureGuide":
        """Of a surface of which nothing is known: all of it is trusted skin."""
        one, none = np.ones(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
        return cls(one, one, none, one, none, none, none, none)

    @classmethod
    def of_model(cls, model: MorphableModel) -> "TextureGuide":
        """Of a face model with whatever parts and regions it has."""
        return _guide(model)


@lru_cache(maxsize=4)
def _guide(model: MorphableModel) -> TextureGuide:
    count = model.topology.num_vertices
    plain = TextureGuide.plain(count)
    if not {"face", "scalp", "ears", "lips", "mouth"} <= set(model.regions):
        return plain
    skin = plain.skin
    if "skin" in model.part_names:
        skin = np.zeros(count, dtype=np.float32)
        skin[model.topology.faces[model.faces_of("skin")]] = 1.0
    inner = 1.0 - skin
    mean = model.subdivide(model.shape.mean)
    height, front = mean[:, 1], mean[:, 2]
    face, ears = model.region("face"), model.region("ears")
    side = _ramp(front, *TEMPLE_MM)
    high = _ramp(height, *FOREHEAD_MM)
    trusted = np.maximum.reduce([face * (1.0 - side) * (1.0 - high), inner, model.region("mouth")])
    scalp = model.region("scalp")
    may_be = np.maximum(high, side * _ramp(height, *SIDEBURN_MM)) * (1.0 - ears) * skin
    sharp = _grown(np.maximum(model.region("lips"), _lid_rims(model)), model) * skin
    return TextureGuide(
        allowed=plain.allowed,
        skin=skin,
        inner=inner,
        trusted=trusted.astype(np.float32),
        hairy=(scalp * (1.0 - ears) * skin).astype(np.float32),
        may_be_hairy=np.maximum(may_be, scalp * (1.0 - ears)).astype(np.float32),
        sharp=np.maximum(sharp, inner).astype(np.float32),
        back=_ramp(front, *BACK_MM).astype(np.float32),
    )


def _lid_rims(model: MorphableModel) -> Float[np.ndarray, "v"]:
    """1 at skin that belongs to the eyes."""
    if "eyes" not in model.regions:
        return np.zeros(model.topology.num_vertices, dtype=np.float32)
    return model.region("eyes")


def _grown(values: Float[np.ndarray, "v"], model: MorphableModel) -> Float[np.ndarray, "v"]:
    """The largest value within a few edges, less with each edge."""
    start, end = model.topology.edges.T
    for step in range(SHARP_STEPS):
        wider = values.copy()
        share = 1.0 if step < SHARP_STEPS // 2 else 0.6
        np.maximum.at(wider, start, share * values[end])
        np.maximum.at(wider, end, share * values[start])
        values = wider
    return values


def _ramp(values: Float[np.ndarray, "v"], start: float, end: float) -> Float[np.ndarray, "v"]:
    """0 before `start`, 1 after `end`, smooth between them; `end` may be the smaller one."""
    share = np.clip((values - start) / (end - start), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
