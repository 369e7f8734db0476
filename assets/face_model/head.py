"""The whole head: skin, eyeballs, teeth and tongue, with all their modes, in the model frame."""

from dataclasses import dataclass

import numpy as np

from face_model import expressions
from face_model.carrying import Carrier
from face_model.eyes import GAZE_DEG, eyeball, gaze_motion
from face_model.lids import (
    RADIUS_MM,
    BallMode,
    LidGrid,
    ball_centre,
    calmed_lids,
    expression_lids,
    identity_lids,
    lid_grid,
    with_rim,
)
from face_model.lips import Lips, calmed, closed, meeting, teeth_following
from face_model.mouth import Part, affine_motion, teeth, tongue
from face_model.scanned import BALL, LOWER_TEETH, UPPER_TEETH, ScannedHead
from face_model.skin import Skin
from face_model.subdivision import Subdivision

FLIP = np.array([-1.0, 1.0, 1.0])

PARTS = ("skin", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue")

PITCH_DEG, SHIFT_MM = 3.73, np.array([0.0, 6.2, 3.2])
"""From the scanned head's frame, its origin between the ears, to the model's, in which poses have
had their meaning before: a least-squares fit of 68 landmarks, the jaw's at a fifth."""

BAG_ROOM_MM = 0.8
"""Between teeth and skin at rest."""

EAR_BOX_MM = ((70.0, 110.0), (-34.0, 50.0), (-30.0, 28.0))
"""Where the ears of the mean lie: |x|, y, z in the scanned head's frame."""


@dataclass(frozen=True)
class Head:
    """Base mesh of all parts.

    Attributes:
        mean: (v, 3) mm.
        identity: (i, v, 3).
        identity_sign: (i,) of the modes under mirroring.
        expression: (52, v, 3), in the order of `expressions.names()`.
        faces: (f, 3), without the sockets.
        rim: (28,) ring of vertices where the skin ends behind the left eye's lids.
        mirror: (v,).
        part: (v,) number in `PARTS`.
        starts: first vertex of each part, and the count of all.
        eye_poles: (2, 2) front and back vertices of the left and the right ball.
        eye_angle: (v,) angle from the axis of gaze, radians; NaN on other parts.
        mouth_parts: teeth and tongue by name.
        skin: topology of the first part.
        ears: (s,) in [0, 1] of the skin's vertices.
    """

    mean: np.ndarray
    identity: np.ndarray
    identity_sign: np.ndarray
    expression: np.ndarray
    faces: np.ndarray
    rim: np.ndarray
    mirror: np.ndarray
    part: np.ndarray
    starts: np.ndarray
    eye_poles: np.ndarray
    eye_angle: np.ndarray
    mouth_parts: dict[str, Part]
    skin: Skin
    ears: np.ndarray


def build_head(skin: Skin, scanned: ScannedHead, carrier: Carrier) -> Head:
    """All parts with their modes."""
    opening = carrier.offsets(scanned.expression["jawOpen"])
    decoding = Subdivision(skin.faces, skin.mirror).matrix
    mean = closed(carrier.mean(), skin, decoding, opening)
    grid = lid_grid(skin, mean)
    centre = ball_centre(mean, grid)
    mean = _mirror_eye(with_rim(mean, grid, centre, mean), skin, grid, 1.0)
    fields = _skin_expressions(skin, scanned, carrier, mean, grid, centre)
    shut = mean + fields["eyeBlinkLeft"]
    identity, balls = _skin_identity(skin, scanned, carrier, mean, shut, grid, centre)

    sphere, ball_faces, angle, *_ = eyeball()
    ball_mirror = sphere * FLIP
    upper, lower = teeth(upper=True), teeth(upper=False)
    rest, out = tongue()
    tongue_mean = rest.vertices
    names = expressions.names()
    bite = np.concatenate([upper.vertices, lower.vertices])
    lips = Lips(skin, mean, upper, lower, opening)
    mean = mean + lips.cleared(mean, np.zeros_like(mean), bite, BAG_ROOM_MM)
    mean = (mean + mean[skin.mirror] * FLIP) / 2
    means = [
        mean,
        centre + RADIUS_MM * sphere,
        (centre * FLIP) + RADIUS_MM * ball_mirror,
        upper.vertices,
        lower.vertices,
        tongue_mean,
    ]
    above, below = lips.before(mean, bite)
    modes = []
    for k, (skin_mode, ball) in enumerate(zip(identity, balls, strict=True)):
        field = scanned.identity[k].astype(np.float64)
        left = ball.shift + ball.growth * sphere
        parts = [skin_mode, left, scanned.identity_sign[k] * left * FLIP]
        for part, source in ((upper, UPPER_TEETH), (lower, LOWER_TEETH), (rest, LOWER_TEETH)):
            motion = affine_motion(scanned.mean[source], field[source], part.vertices)
            before = above if part is upper else below
            motion = teeth_following(motion, part.vertices, mean[before], skin_mode[before])
            parts.append(_signed(motion, part.mirror, scanned.identity_sign[k]))
        parts[0] = lips.with_bag(parts[0], np.concatenate(parts[3:5]))
        parts[0] = _signed(parts[0], skin.mirror, scanned.identity_sign[k])
        modes.append(np.concatenate(parts))
    modes = np.stack(modes)
    tail = slice(-len(bite) - len(rest.vertices), -len(rest.vertices))
    calm = calmed(modes[:, : len(mean)], modes[:, tail], mean, bite, lips)
    calm = meeting(calm, mean, skin, decoding, opening)
    modes[:, : len(mean)] = [
        _signed(mode, skin.mirror, sign)
        for mode, sign in zip(calm, scanned.identity_sign, strict=True)
    ]
    moved = {}
    for name in names:
        field = expressions.composed(name, scanned.expression).astype(np.float64)
        parts = [fields[name], *_gaze(sphere, name)]
        for part, source in ((upper, UPPER_TEETH), (lower, LOWER_TEETH), (rest, LOWER_TEETH)):
            parts.append(affine_motion(scanned.mean[source], field[source], part.vertices))
        if name == "tongueOut":
            parts[-1] = out - rest.vertices
        motion = np.concatenate(parts[3:5])
        parts[0] = lips.with_bag(parts[0], motion)
        rolls = name.startswith("mouthRoll")
        parts[0] = lips.cleared(mean, parts[0], bite + motion, rolls=rolls)
        if rolls:
            parts[0] = closed(mean + parts[0], skin, decoding, opening) - mean
        moved[name] = np.concatenate(parts)
    sizes = [len(part) for part in means]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    eye = np.arange(sizes[1])
    mirror = np.concatenate([
        skin.mirror, starts[2] + eye, starts[1] + eye, starts[3] + upper.mirror,
        starts[4] + lower.mirror, starts[5] + rest.mirror,
    ])  # fmt: skip
    faces = [
        skin.faces, ball_faces, ball_faces[:, ::-1], upper.faces, lower.faces, rest.faces
    ]  # fmt: skip
    moved = expressions.symmetric(moved, mirror)
    whole_mean = np.concatenate(means)
    origin, turn = _between_ears(mean), pitched(PITCH_DEG)
    angles = np.full(len(whole_mean), np.nan)
    angles[starts[1] : starts[2]] = angle
    angles[starts[2] : starts[3]] = angle
    return Head(
        mean=((whole_mean + whole_mean[mirror] * FLIP) / 2 - origin) @ turn.T + SHIFT_MM,
        identity=modes @ turn.T,
        identity_sign=scanned.identity_sign,
        expression=np.stack([moved[name] for name in names]) @ turn.T,
        faces=np.concatenate(
            [part + start for part, start in zip(faces, starts[:-1], strict=True)]
        ).astype(np.int32),
        rim=grid.rim[0],
        mirror=mirror,
        part=np.repeat(np.arange(len(PARTS)), sizes),
        starts=starts,
        eye_poles=np.array([[starts[1], starts[2] - 1], [starts[2], starts[3] - 1]]),
        eye_angle=angles,
        mouth_parts={"teeth_upper": upper, "teeth_lower": lower, "tongue": rest},
        skin=skin,
        ears=ear_mask(mean),
    )


def _skin_identity(
    skin: Skin,
    scanned: ScannedHead,
    carrier: Carrier,
    mean: np.ndarray,
    closed: np.ndarray,
    grid: LidGrid,
    centre: np.ndarray,
) -> tuple[list[np.ndarray], list[BallMode]]:
    modes: list[np.ndarray] = []
    balls: list[BallMode] = []
    sclera = BALL["left"]
    arm = scanned.mean[sclera] - centre
    for mode, sign in zip(scanned.identity, scanned.identity_sign, strict=True):
        motion = mode[sclera].astype(np.float64)
        spread = arm - arm.mean(axis=0)
        growth = ((motion - motion.mean(axis=0)) * spread).sum() / (spread**2).sum()
        guess = BallMode(motion.mean(axis=0) - growth * arm.mean(axis=0), growth * RADIUS_MM)
        field = _signed(carrier.offsets(mode), skin.mirror, sign)
        field, ball = identity_lids(field, mean, closed, grid, centre, guess)
        modes.append(field)
        balls.append(ball)
    modes = calmed_lids(modes, balls, mean, grid, centre)
    signs = scanned.identity_sign
    modes = [_mirror_eye(mode, skin, grid, sign) for mode, sign in zip(modes, signs, strict=True)]
    return modes, balls


def _skin_expressions(
    skin: Skin,
    scanned: ScannedHead,
    carrier: Carrier,
    mean: np.ndarray,
    grid: LidGrid,
    centre: np.ndarray,
) -> dict[str, np.ndarray]:
    carried = {name: carrier.offsets(field) for name, field in scanned.expression.items()}
    fields = {
        name: expressions.composed(name, carried) for name in expressions.names()
    }  # fmt: skip
    fields = expressions.symmetric(fields, skin.mirror)
    left = {
        name: expression_lids(field, mean, grid, centre, name) for name, field in fields.items()
    }
    done = {}
    for name, field in left.items():
        image = left[expressions.partner(name)][skin.mirror] * FLIP
        rows = skin.mirror[grid.rows.ravel()]
        whole = field.copy()
        whole[rows] = image[rows]
        done[name] = whole
    return done


def _mirror_eye(field: np.ndarray, skin: Skin, grid: LidGrid, sign: float) -> np.ndarray:
    """The right eye's rows become the mirror image of the left eye's."""
    field = field.copy()
    rows = grid.rows.ravel()
    field[skin.mirror[rows]] = sign * field[rows] * FLIP
    return field


def _signed(field: np.ndarray, mirror: np.ndarray, sign: float) -> np.ndarray:
    return (field + sign * field[mirror] * FLIP) / 2


def _gaze(sphere: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Displacements of the left and the right ball in an expression."""
    nothing = np.zeros_like(sphere)
    for stem in GAZE_DEG:
        if name == f"{stem}Left":
            return gaze_motion(sphere, stem, left=True), nothing
        if name == f"{stem}Right":
            return nothing, gaze_motion(sphere, stem, left=True) * FLIP
    return nothing, nothing


def pitched(degrees: float) -> np.ndarray:
    """The rotation (3, 3) about x that turns y towards z."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])


def _between_ears(mean: np.ndarray) -> np.ndarray:
    """Middle of the ears (0, y, z)."""
    ears = ear_mask(mean) > 0.5
    return mean[ears].mean(axis=0) * [0, 1, 1]


def ear_mask(mean: np.ndarray) -> np.ndarray:
    """(v,) in [0, 1]: vertices of the ears in the scanned head's frame."""
    distance = np.abs(mean) * [1, 0, 0] + mean * [0, 1, 1]
    inside = np.minimum.reduce([
        np.minimum(distance[:, k] - low, high - distance[:, k])
        for k, (low, high) in enumerate(EAR_BOX_MM)
    ])  # fmt: skip
    return np.clip(inside / 3.0, 0, 1)
