"""Parts of the face: masks that add up, what hides what."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.geometry import Camera
from mlanet.render import PART_COLORS, PICTURES, face_mask, part_masks

GREY = np.full((200, 200, 3), 90, dtype=np.uint8)


def area(masks, name, *, whole=False):
    return float((masks.whole if whole else masks.visible)[masks.names.index(name)].sum())


@pytest.mark.parametrize("angles", [(0, 0, 0), (0, 50, 0), (-20, -80, 30)])
def test_visible_parts_add_up_and_are_within_the_whole_ones(turned_mean, angles):
    masks = part_masks(turned_mean(*angles), (200, 200))
    total = masks.visible.sum(axis=0)
    assert total.max() <= 1.0 + 1e-5
    assert (masks.visible <= masks.whole + 1e-6).all()
    assert masks.whole.max() <= 1.0 + 1e-6
    inner = total[total.shape[0] // 2, total.shape[1] // 2]
    assert inner == pytest.approx(1.0)


def test_a_frontal_face_shows_its_parts_symmetrically(turned_mean):
    masks = part_masks(turned_mean(0.0, 0.0, 0.0), (200, 200))
    for name in ("skin", "ears", "nose", "brows", "eyes", "lips"):
        part = masks.visible[masks.names.index(name)]
        assert part.sum() > 10.0, name
        assert np.abs(part - part[:, ::-1]).sum() < 0.15 * part.sum(), name


def test_features_lie_at_their_landmarks(turned_mean):
    head = turned_mean(0.0, 0.0, 0.0)
    masks = part_masks(head, (200, 200))
    left, top = masks.box_px[:2]
    for name, marks in (
        ("brows", [19, 24]),
        ("eyes", [37, 46]),
        ("nose", [30, 33]),
        ("lips", [51]),
    ):
        column, row = (head.landmarks[marks, :2].mean(axis=0) - [left, top]).astype(int)
        part = masks.visible[masks.names.index(name)]
        rows = np.nonzero(part.sum(axis=1))[0]
        assert rows.min() - 3 <= row <= rows.max() + 3, name
        assert abs(np.average(np.arange(part.shape[1]), weights=part.sum(axis=0)) - column) < 3


def test_a_profile_hides_one_eye_that_the_whole_part_keeps(turned_mean):
    frontal = part_masks(turned_mean(0.0, 0.0, 0.0), (200, 200))
    profile = part_masks(turned_mean(0.0, 80.0, 0.0), (200, 200))
    assert area(frontal, "eyes", whole=True) == pytest.approx(area(frontal, "eyes"), rel=0.05)
    assert area(profile, "eyes", whole=True) > 1.4 * area(profile, "eyes")
    assert area(profile, "ears") > area(frontal, "ears")


def test_little_is_left_of_a_closed_eye(turned_mean):
    """The lids' landmarks stay apart by the lids' rims."""
    head = turned_mean(0.0, 0.0, 0.0)
    model = head.model
    blink = [float(name.startswith("eyeBlink")) for name in model.expression_names]
    rest = np.zeros(model.layout.identity, np.float32)
    closed = part_masks(
        replace(head, vertices=model.vertices(rest, np.array(blink, np.float32))), (200, 200)
    )
    opened = part_masks(head, (200, 200))
    assert area(closed, "eyes", whole=True) < 0.35 * area(opened, "eyes", whole=True)


def test_visible_parts_show_their_colours_and_whole_ones_shine_through(turned_mean):
    head = turned_mean(0.0, 80.0, 0.0)
    masks = part_masks(head, (200, 200))
    left, top, right, bottom = masks.box_px
    seen = PICTURES["parts"](GREY, [head])[top:bottom, left:right]
    through = PICTURES["parts-whole"](GREY, [head])[top:bottom, left:right]
    for name, color in PART_COLORS.items():
        sure = masks.visible[masks.names.index(name)] > 0.999
        assert (seen[sure] == color).all(), name
    ears = masks.names.index("ears")
    ghost = (masks.whole[ears] > 0.999) & (masks.visible[masks.names.index("skin")] > 0.999)
    assert ghost.sum() > 20
    # Green and blue: the two colours' red is one.
    skin, ear = (np.array(PART_COLORS[name])[1:] for name in ("skin", "ears"))
    between = (through[ghost][:, 1:] - skin) / (ear - skin)
    assert (between > 0.4).all()
    assert (between < 0.7).all()
    outside = masks.whole.max(axis=0) == 0
    assert (through[outside] == 90).all()


def test_colours_differ():
    colors = np.array(list(PART_COLORS.values()), dtype=float)
    distance = np.linalg.norm(colors[:, None] - colors, axis=2) + 1e3 * np.eye(len(colors))
    assert distance.min() > 50


def test_a_head_out_of_sight_has_no_parts(turned_mean):
    away = replace(turned_mean(0.0, 0.0, 0.0), camera=Camera(900.0, (-900.0, 100.0)))
    assert part_masks(away, (200, 200)).visible.size == 0
    assert (PICTURES["parts"](GREY, [away]) == 90).all()


def test_a_model_without_regions_is_all_skin(ball):
    bare = replace(ball.model, regions={})
    masks = part_masks(replace(ball, model=bare), (100, 100))
    assert area(masks, "skin") > 0.8 * masks.visible.sum()
    assert masks.visible.sum() == pytest.approx(np.pi * 25.1**2, rel=0.02)


def test_a_face_mask_is_the_regions_share_of_each_pixel(ball):
    mask = face_mask([ball], (100, 100), "face")
    assert mask.shape == (100, 100)
    assert mask.sum() == pytest.approx(np.pi * 25.1**2, rel=0.02)
    assert mask[50, 50] == pytest.approx(1.0)
    eyes = face_mask([ball], (100, 100), "eyes")
    assert eyes[30, 50] == pytest.approx(1.0)
    assert eyes[50, 50] == 0.0
    assert ((eyes > 0.05) & (eyes < 0.95)).sum() > 20
    np.testing.assert_array_equal(face_mask([], (100, 100), "eyes"), 0.0)
    with pytest.raises(ValueError, match="no region"):
        face_mask([ball], (100, 100), "beards")


def test_a_nearer_head_cuts_the_mask_of_the_farther_one(ball):
    near = replace(ball, camera=Camera(300.0, (70.0, 40.0)))
    alone, both = (face_mask(heads, (100, 100), "eyes") for heads in ([ball], [ball, near]))
    only_near = face_mask([near], (100, 100), "eyes")
    assert both[:, :40] == pytest.approx(alone[:, :40])
    assert both[:, 60:] == pytest.approx(only_near[:, 60:])
    assert both[31, 56] == pytest.approx(only_near[31, 56])
