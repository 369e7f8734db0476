import numpy as np
import pytest

from mlanet.evaluation.aflw2000.groups import (
    SkinTone,
    face_openings,
    group_tables,
    typology_angle_deg,
)
from mlanet.evaluation.aflw2000.results import FaceOpenings, ImageResult


def result(nme, yaw=0.0, openings=None, tone=None):
    return ImageResult("x", yaw, nme, None, np.zeros(3), openings=openings, skin_tone_deg=tone)


def test_means_and_standard_errors():
    results = [result(2.0, 10.0), result(4.0, -14.0), result(None, 3.0), result(9.0, -80.0)]
    (table,) = group_tables(results)
    assert (table.name, table.values("yaw")) == ("By yaw", ["0-15", "above 75"])
    assert table.rows[0][1:3] == (3, 1)
    assert table.value("0-15", "nme_2d_68") == pytest.approx(106.0 / 3.0)
    spread = np.std([2, 4, 100], ddof=1) / np.sqrt(3)
    assert table.value("0-15", "standard error") == pytest.approx(spread)
    assert table.value("above 75", "standard error") is None
    assert "without this measure" not in table.note


def test_every_measure_has_its_groups():
    results = [result(1.0, openings=FaceOpenings(0.3, 0.1), tone=-40.0), result(2.0)]
    _, *tables = group_tables(results)
    assert [table.values(table.columns[0].name) for table in tables] == [
        ["open (above 0.15)"],
        ["nearly closed (to 0.2)"],
        ["dark (to -30)"],
    ]
    assert all("1 images without this measure are left out" in table.note for table in tables)


def test_openings_do_not_depend_on_pose_and_scale(model):
    points = np.asarray(model.landmarks.mean, dtype=float)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    first, second = face_openings(points), face_openings(3.0 * points @ turn.T + 7.0)
    assert first.mouth == pytest.approx(second.mouth)
    assert first.eyes == pytest.approx(second.eyes)


@pytest.mark.parametrize(
    ("expression", "part", "sign"), [("jawOpen", "mouth", 1), ("eyeBlink", "eyes", -1)]
)
def test_openings_follow_expressions(model, expression, part, sign):
    chosen = [name.startswith(expression) for name in model.expression_names]
    still = np.zeros(model.layout.identity, np.float32)
    rest, moved = (
        face_openings(model.landmarks(still, amount * np.array(chosen, np.float32)))
        for amount in (0.0, 0.9)
    )
    assert sign * (getattr(moved, part) - getattr(rest, part)) > 0.05


def test_light_skin_has_a_larger_angle_than_dark_skin():
    tones = [typology_angle_deg(np.array(c)) for c in ([0.95, 0.8, 0.7], [0.55, 0.4, 0.3])]
    assert tones[0] > 41 > 0 > tones[1]
    # L* = 50 gives zero: Lab (50, 10, 20) in sRGB
    assert typology_angle_deg(np.array([0.582, 0.432, 0.339])) == pytest.approx(0.0, abs=2.0)


def test_tone_of_albedo_is_that_of_its_mean_color(model):
    rng = np.random.default_rng(2)

    class Only:
        albedo = 0.3 * rng.normal(size=model.layout.albedo).astype(np.float32)

    weight = model.regions["face"]
    colors = model.albedo_mean + model.albedo_basis @ Only.albedo
    mean = (weight[:, None] * colors).sum(axis=0) / weight.sum()
    assert SkinTone(model)(Only) == pytest.approx(typology_angle_deg(mean), abs=0.05)
