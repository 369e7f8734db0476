"""On which side of a face each of the 52 expressions lies, and which parts it moves."""

import numpy as np
import pytest

DIRECTIONS = ("jaw", "mouth")
"""`jawLeft` and `mouthLeft` are where the mouth goes, not where an expression lies."""

SIDES = {"Left": 1.0, "Right": -1.0}
LOOKS = ("eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp")
FLIP = np.array([-1.0, 1.0, 1.0])


def displacement(model, name):
    """Of the base vertices, mm."""
    return model.shape.expression[..., model.expression_names.index(name)].astype(float)


def rows_of(model, part):
    return np.flatnonzero(model.vertex_parts == model.part_names.index(part))


def stems(model):
    """One-sided expressions without their side."""
    named = {name.removesuffix("Left") for name in model.expression_names if name.endswith("Left")}
    return sorted(named - set(DIRECTIONS))


def share_on_side(model, name, sign):
    """Of the squared displacements beside the plane of symmetry."""
    moved = (displacement(model, name) ** 2).sum(axis=1)
    x = model.shape.mean[:, 0]
    return moved[sign * x > 0].sum() / moved[x != 0].sum()


def test_left_lies_on_the_subjects_left_and_right_on_the_right(model):
    names = stems(model)
    assert len(names) == 18
    for stem in names:
        for side, sign in SIDES.items():
            assert share_on_side(model, stem + side, sign) > 0.9, stem + side
            moved = np.linalg.norm(displacement(model, stem + side), axis=1)
            assert sign * model.shape.mean[moved.argmax(), 0] > 0, stem + side


def test_directions_move_the_mouth_to_their_side(model):
    lips = model.regions["lips"] > 0.5
    for stem in DIRECTIONS:
        for side, sign in SIDES.items():
            assert sign * displacement(model, stem + side)[lips, 0].mean() > 2.0, stem + side


def test_partners_mirror_each_other_and_the_others_themselves(model):
    for name, partner in zip(model.expression_names, model.expression_mirror, strict=True):
        mirrored = displacement(model, model.expression_names[partner])[model.mirror] * FLIP
        np.testing.assert_allclose(mirrored, displacement(model, name), atol=0.02, err_msg=name)
        assert (model.expression_names[partner] == name) != name.endswith(tuple(SIDES))


@pytest.mark.parametrize(("side", "other_sign"), [("Left", -1.0), ("Right", 1.0)])
def test_a_blink_leaves_the_other_eyes_lids_alone(model, side, other_sign):
    eyes = model.eye_centres(model.subdivide(model.shape.mean))
    other = eyes[0 if other_sign > 0 else 1]
    skin = rows_of(model, "skin")
    near = np.linalg.norm(model.shape.mean[skin] - other, axis=1) < 20.0
    assert near.sum() > 100
    moved = np.linalg.norm(displacement(model, f"eyeBlink{side}"), axis=1)
    assert moved[skin[near]].max() < 0.05
    assert moved.max() > 5.0


def test_an_open_jaw_takes_lower_teeth_and_tongue_along(model):
    opened = displacement(model, "jawOpen")
    for part in ("teeth_lower", "tongue"):
        assert opened[rows_of(model, part), 1].mean() < -4.0, part
    for part in ("teeth_upper", "eye_left", "eye_right"):
        assert np.abs(opened[rows_of(model, part)]).max() < 0.5, part


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("look", LOOKS)
def test_looks_turn_one_eyeball_about_its_centre(model, look, side):
    number = list(SIDES).index(side)
    name = f"eye_{side.lower()}"
    moved = displacement(model, look + side)
    rest = model.shape.mean.astype(float)
    ball = rows_of(model, name)
    centre = rest[model.eye_poles[number]].mean(axis=0)
    before, after = rest[ball] - centre, rest[ball] + moved[ball] - centre
    np.testing.assert_allclose(
        np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), atol=0.05
    )
    turn = np.linalg.lstsq(before, after, rcond=None)[0]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=0.01)
    np.testing.assert_allclose(before @ turn, after, atol=0.05)
    degrees = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
    assert 15 < degrees < 35
    gaze = moved[model.eye_poles[number, 0]]
    outward = SIDES[side] * gaze[0]
    assert {
        "eyeLookDown": -gaze[1], "eyeLookUp": gaze[1],
        "eyeLookIn": -outward, "eyeLookOut": outward,
    }[look] > 4.0  # fmt: skip
    other = "eye_right" if side == "Left" else "eye_left"
    assert np.abs(moved[rows_of(model, other)]).max() < 1e-6
