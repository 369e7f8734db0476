"""What a face model's surface may show in a photo: skin, hair, eyes, teeth."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from mlanet.morphable import MorphableModel
from mlanet.render.parts import ear_weights
from mlanet.texturing.eyes import EyeIsland
from mlanet.texturing.occlusion import ambient_light_reaching

HAIRLINE_MM = (
    (-90.0, -56.0),
    (-30.0, -36.0),
    (-8.0, -14.0),
    (12.0, 0.0),
    (22.0, 12.0),
    (36.0, 29.0),
    (46.0, 39.0),
    (60.0, 47.0),
    (80.0, 64.0),
    (95.0, 78.0),
)
"""Points of the usual hairline on the mean head, from the nape over the sideburns to the forehead:
distance before the ears' axis and height."""

NAPE_MM, NAPE_RISE_MM, NAPE_WIDTH_MM = (-20.0, -60.0), 16.0, 55.0
"""Distances before the ears' axis between which the nape begins, and by how much its hairline
rises from the middle to this distance beside it."""

HAIRLINE_WIDTH_MM = 11.0
"""Half the width of the fade along the hairline."""

NAPE_FADE_MM = 18.0
"""The same at the nape, where hair is cut shorter and shorter."""

CROWN_MM = (50.0, 95.0)
"""Heights between which the sides of the scalp become its top."""

CORNERS_MM = (44.0, 62.0)
"""Distances before the ears' axis between which they become the corners of the forehead, which
recede with the top."""

FRINGE_MM = 45.0
"""How far below the hairline hair of the head may hang into the forehead and temples."""

BROWS_MM = (48.0, 58.0)
"""Heights between which the forehead becomes a place where hair may hang."""

CHIN_MM = (-70.0, -60.0)
"""Heights between which, seen from below, the middle of the face begins."""

TEMPLE_MM = (92.0, 72.0)
"""Distances before the ears' axis between which the side of the face becomes such a place, and
stops being trusted."""

SIDEBURN_MM = (-15.0, 5.0)
"""Heights between which, at the side, hair of the head may begin."""

SEEN_OF_BALL_DEG = 70.0
"""Angle from an eyeball's axis up to which distances in the texture are proportional to it."""

BACK_MM = (40.0, 0.0)
"""Distances before the ears' axis between which left and right are to be alike."""

LIP_STEPS = (1.0, 1.0, 0.6, 0.6)
"""What is left after each edge away from lips of how sharply the photo ends where it is hidden."""

EAR_STEPS = (0.6,)
"""The same of ears, which hair does not cover."""

LIT_EXPONENT, LEAST_LIT = 0.5, 0.55
"""Brightness of sRGB values for a share of ambient light, and its least: skin lights skin."""

IN_FACE = 0.8
"""Share of these shadows that the middle of the face lacks: faces are lit from before. Lids and
lips have none, since they move."""

LIDS_MM = (14.0, 8.0)
"""Distances from the eyeballs between which it begins to do so."""


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
        neck: where clothes begin.
        sharp: where the photo ends sharply: around eyes and mouth.
        back: where both sides shall be of one colour, since they meet.
        teeth: teeth and gums.
        tongue: the tongue.
        lips: the lips.
        crown: what of the scalp may be bald if its sides are not: the top, the forehead's corners.
        face: the face, where the photo stays beside hair.
        lit: brightness in ambient light over that of the middle of the face; may exceed 1.
        eyes: eyeballs' places in the texture.
    """

    allowed: Float[np.ndarray, "v"]
    skin: Float[np.ndarray, "v"]
    inner: Float[np.ndarray, "v"]
    trusted: Float[np.ndarray, "v"]
    hairy: Float[np.ndarray, "v"]
    may_be_hairy: Float[np.ndarray, "v"]
    neck: Float[np.ndarray, "v"]
    sharp: Float[np.ndarray, "v"]
    back: Float[np.ndarray, "v"]
    teeth: Float[np.ndarray, "v"]
    tongue: Float[np.ndarray, "v"]
    lips: Float[np.ndarray, "v"]
    crown: Float[np.ndarray, "v"]
    face: Float[np.ndarray, "v"]
    lit: Float[np.ndarray, "v"]
    eyes: tuple[EyeIsland, ...] = ()

    @classmethod
    def plain(cls, count: int) -> "TextureGuide":
        """Of a surface of which nothing is known: all of it is trusted skin."""
        one, none = np.ones(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
        return cls(
            one, one, none, one, none, none, none, none, none, none, none, none, none, none, one
        )

    @classmethod
    def of_model(cls, model: MorphableModel) -> "TextureGuide":
        """Of a face model with whatever parts and regions it has."""
        return _guide(model)


@lru_cache(maxsize=4)
def _guide(model: MorphableModel) -> TextureGuide:
    count = model.topology.num_vertices
    plain = TextureGuide.plain(count)
    if not {"face", "ears", "lips", "mouth"} <= set(model.regions):
        return plain
    skin = _of_parts(model, "skin") if "skin" in model.part_names else plain.skin
    inner = 1.0 - skin
    mean = model.subdivide(model.shape.mean)
    height, front = mean[:, 1], mean[:, 2]
    face, ears = model.region("face"), _grown(ear_weights(model, mean), model, EAR_STEPS)
    side, high = _ramp(front, *TEMPLE_MM), _ramp(height, *BROWS_MM)
    lids = _lids(model, mean)
    whole = np.maximum.reduce([face, _ramp(height, *CHIN_MM), lids])  # sockets, nostrils, mouth
    trusted = np.maximum.reduce([whole * (1.0 - side) * (1.0 - high), inner, lids])
    above = above_hairline(mean)
    on_head = (1.0 - ears) * skin
    wide = HAIRLINE_WIDTH_MM + (NAPE_FADE_MM - HAIRLINE_WIDTH_MM) * _ramp(front, *NAPE_MM)
    hairy = _ramp(above / wide, -1.0, 1.0) * on_head
    near = np.maximum(high, side * _ramp(height, *SIDEBURN_MM)) * (above > -FRINGE_MM) * on_head
    sharp = np.maximum(_grown(model.region("lips"), model, LIP_STEPS), lids) * skin
    return TextureGuide(
        allowed=plain.allowed,
        skin=skin,
        inner=inner,
        trusted=trusted.astype(np.float32),
        hairy=hairy.astype(np.float32),
        may_be_hairy=np.maximum(near, hairy).astype(np.float32),
        neck=((1.0 - face) * on_head * (1.0 - hairy)).astype(np.float32),
        sharp=np.maximum(sharp, inner).astype(np.float32),
        back=_ramp(front, *BACK_MM).astype(np.float32),
        teeth=_of_parts(model, "teeth_upper", "teeth_lower"),
        tongue=_of_parts(model, "tongue"),
        lips=(model.region("lips") * skin).astype(np.float32),
        crown=np.maximum(_ramp(height, *CROWN_MM), _ramp(front, *CORNERS_MM)).astype(np.float32),
        face=face.astype(np.float32),
        lit=_lit(model, skin * (1.0 - IN_FACE * trusted) * (1.0 - sharp), face),
        eyes=tuple(_eye_islands(model)),
    )


def above_hairline(mean: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v"]:
    """How far above the usual hairline vertices of the mean head (model frame, mm) lie."""
    line_front, line_height = np.array(HAIRLINE_MM).T
    beside = np.minimum(np.abs(mean[:, 0]) / NAPE_WIDTH_MM, 1.0) ** 2
    rise = NAPE_RISE_MM * beside * _ramp(mean[:, 2], *NAPE_MM)
    return mean[:, 1] - np.interp(mean[:, 2], line_front, line_height) - rise


def _lit(
    model: MorphableModel, share: Float[np.ndarray, "v"], face: Float[np.ndarray, "v"]
) -> Float[np.ndarray, "v"]:
    reaching = ambient_light_reaching(model)
    usual = float(np.median(reaching[face > 0.5]))
    lit = np.clip((reaching / usual) ** LIT_EXPONENT, LEAST_LIT, None)
    return (1.0 + share * (lit - 1.0)).astype(np.float32)


def _of_parts(model: MorphableModel, *names: str) -> Float[np.ndarray, "v"]:
    """1 at vertices of those of the parts that the model has."""
    chosen = np.zeros(model.topology.num_vertices, dtype=np.float32)
    known = [name for name in names if name in model.part_names]
    if known:
        chosen[model.topology.faces[model.faces_of(*known)]] = 1.0
    return chosen


def _eye_islands(model: MorphableModel) -> Iterator[EyeIsland]:
    """Where the texture holds eyeballs, if these are parts whose front pole is in the middle."""
    if not (model.part_names and len(model.base_uv)):
        return
    corners = model.base_faces if model.base_uv_faces is None else model.base_uv_faces
    mean = model.shape.mean
    for front, back in model.eye_poles:
        part = model.vertex_parts[front]
        own = model.vertex_parts[model.base_faces[:, 0]] == part
        vertex, uv = model.base_faces[own].reshape(-1), model.base_uv[corners[own].reshape(-1)]
        middle = uv[vertex == front][0]
        ball = mean[vertex] - (mean[front] + mean[back]) / 2.0
        axis = mean[front] - mean[back]
        cosine = ball @ axis / np.linalg.norm(ball, axis=1) / np.linalg.norm(axis)
        angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        distance = np.linalg.norm(uv - middle, axis=1)
        seen = (angle > 1.0) & (angle < SEEN_OF_BALL_DEG)
        ratio = float(np.median(angle[seen] / distance[seen]))
        yield EyeIsland((float(middle[0]), float(middle[1])), float(distance.max()), ratio)


def _lids(model: MorphableModel, mean: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v"]:
    """1 near the eyeballs, before their middles."""
    near = np.zeros(len(mean), dtype=np.float32)
    for centre, poles in zip(model.eye_centres(mean), model.eye_poles, strict=True):
        radius = float(np.linalg.norm(mean[poles[0]] - mean[poles[1]])) / 2.0
        distance = np.linalg.norm(mean - centre, axis=1) - radius
        near = np.maximum(near, _ramp(distance, *LIDS_MM) * (mean[:, 2] > centre[2]))
    return near


def _grown(
    values: Float[np.ndarray, "v"], model: MorphableModel, shares: tuple[float, ...]
) -> Float[np.ndarray, "v"]:
    """The largest value within a few edges, at each of which a share of it is left."""
    start, end = model.topology.edges.T
    for share in shares:
        wider = values.copy()
        np.maximum.at(wider, start, share * values[end])
        np.maximum.at(wider, end, share * values[start])
        values = wider
    return values


def _ramp(values: Float[np.ndarray, "v"], start: float, end: float) -> Float[np.ndarray, "v"]:
    """0 before `start`, 1 after `end`, smooth between them; `end` may be the smaller one."""
    share = np.clip((values - start) / (end - start), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
