import json

import numpy as np
import pytest

from mlanet.cli import main
from mlanet.datasets import Sample
from mlanet.errors import UsageError
from mlanet.evaluation import ImageResult
from mlanet.evaluation.occlusion import (
    OccludedFaces,
    Occluder,
    OcclusionReport,
    cover,
    covered_pixels,
    occluders,
    occlusion_page,
)
from mlanet.evaluation.page import markdown
from mlanet.evaluation.report import AFLW2000Report

SIZE = (120, 140)


@pytest.fixture
def points(model):
    """The mean face's landmarks in a picture, seen from the front."""
    found = np.asarray(model.landmarks.mean, dtype=float)[:, :2] * [0.6, -0.6]
    return found - found.mean(axis=0) + [70.0, 60.0]


def covered(occluder, points, seed=0):
    return covered_pixels(occluder, points, SIZE, np.random.default_rng(seed))


def inside(points):
    import cv2

    hull = cv2.convexHull(points.astype(np.float32))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    flat = np.stack([x.ravel(), y.ravel()], axis=1)
    found = [cv2.pointPolygonTest(hull, tuple(p), False) >= 0 for p in flat.tolist()]
    return np.array(found).reshape(SIZE)


@pytest.mark.parametrize("kind", ["patch", "side"])
def test_a_share_of_the_face_is_covered_and_grows(points, kind):
    face = inside(points)
    before = np.zeros(SIZE, bool)
    for share in (0.1, 0.25, 0.5):
        found = covered(Occluder(kind, share), points)
        assert found[face].mean() == pytest.approx(share, abs=0.02)
        assert not (before & ~found).any()
        before = found
    assert (covered(Occluder(kind, 0.3), points, 1) != covered(Occluder(kind, 0.3), points)).any()


def at(mask, place):
    return mask[int(place[1]), int(place[0])]


def test_sunglasses_hide_the_eyes_and_a_mask_the_mouth(points):
    eyes, mouth = [points[k].mean(axis=0) for k in (slice(36, 42), slice(42, 48))], points[62]
    glasses, mask = covered(Occluder("sunglasses"), points), covered(Occluder("mask"), points)
    for eye in (*eyes, *points[36:48]):
        assert at(glasses, eye)
        assert not at(mask, eye)
    for place in (mouth, points[33], points[8] - [0.0, 2.0]):
        assert at(mask, place)
        assert not at(glasses, place)


@pytest.mark.parametrize("occluder", occluders((0.3,)))
def test_only_covered_pixels_change(points, occluder):
    image = np.full((*SIZE, 3), 77, np.uint8)
    found = cover(image, occluder, points, np.random.default_rng(3))
    mask = covered(occluder, points, 3)
    assert (found[~mask] == 77).all()
    assert (found[mask] != 77).any(axis=1).mean() > 0.9
    assert (image == 77).all()


def test_faces_outside_of_the_picture_are_left_alone(points):
    for occluder in occluders((0.3,)):
        assert not covered(occluder, points + 1000.0).any()


class Truth:
    def __init__(self, points):
        self.original_px = np.concatenate([points, points[:, :1]], axis=1)[None]


def test_occluders_depend_on_seed_and_name_alone(points):
    def drawn(name, seed):
        faces = OccludedFaces(
            lambda _row, _name, sample: sample.image, Truth(points), Occluder("patch", 0.2), seed
        )
        return faces(0, name, Sample(name, np.zeros((*SIZE, 3), np.uint8)))

    np.testing.assert_array_equal(drawn("a", 0), drawn("a", 0))
    assert (drawn("a", 0) != drawn("b", 0)).any()
    assert (drawn("a", 0) != drawn("a", 1)).any()


def report(errors):
    results = tuple(
        ImageResult(f"{k}", yaw, error, np.zeros(3), np.zeros(3))
        for k, (error, yaw) in enumerate(zip(errors, [0, 10, 40, 70], strict=True))
    )
    return AFLW2000Report("original", "ground-truth", results, {})


def test_report_states_the_paired_increase(tmp_path):
    found = OcclusionReport(report([1.0, 2, 3, 4]), {"mask": report([2.0, 3, 5, 7])})
    content = json.loads(found.save(tmp_path).read_text())["occlusion"]
    assert content["none"]["nme_2d_68"] == pytest.approx((1.5 + 3 + 4) / 3)
    assert content["mask"]["increase"] == pytest.approx((1 + 2 + 3) / 3)
    assert content["mask"]["increase"] == pytest.approx(
        content["mask"]["nme_2d_68"] - content["none"]["nme_2d_68"]
    )
    assert "+2.00 (+2.00 to +2.00)" in markdown(occlusion_page(found))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_shares_lie_between_none_and_all(share):
    with pytest.raises(UsageError, match="between 0 and 1"):
        occluders((share,))


def test_wrong_use_ends_in_one_line(tmp_path, capsys):
    given = {"data": "x", "annotations": "y", "seed": "-1", "out": str(tmp_path)}
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    with pytest.raises(SystemExit) as status:
        main(["evaluate", "occlusion", *words])
    assert status.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
