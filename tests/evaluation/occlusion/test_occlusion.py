import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.cli import main
from mlanet.datasets import AFLW2000, AFLW2000Annotations, Sample
from mlanet.errors import UsageError
from mlanet.evaluation import FacePrediction, Predictions, Report
from mlanet.evaluation.aflw2000.results import ImageResult, mean_nme
from mlanet.evaluation.occlusion.occluders import (
    EYES,
    Occluder,
    cover,
    cover_named,
    covered_pixels,
    occluders,
)
from mlanet.evaluation.occlusion.pictures import NUM_FACES, occlusion_grids
from mlanet.evaluation.occlusion.report import (
    increase_of,
    occlusion_plots,
    occlusion_report,
    occlusion_table,
)
from mlanet.evaluation.occlusion.scoring import OccludedFaces, score_occlusion
from mlanet.evaluation.reporting.face_tiles import GREY, TILE_PX
from mlanet.image import crop_square, square_from_landmarks
from mlanet.reconstructor import Reconstructor

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


def test_a_hand_of_the_faces_colour_hides_a_part_of_it(points):
    picture, face = np.full((*SIZE, 3), 250, np.uint8), inside(points)
    picture[face] = (180, 130, 100)
    hidden = []
    for seed in range(12):
        found = cover(picture, Occluder("hand"), points, np.random.default_rng(seed))
        changed = (np.abs(found.astype(int) - picture) > 3).any(axis=2)
        red, green, blue = np.moveaxis(found[changed].astype(int), -1, 0)
        assert ((red >= green) & (green >= blue)).mean() > 0.95
        hidden.append(changed[face].mean())
    assert min(hidden) > 0.08
    assert 0.2 < np.mean(hidden) < 0.6
    nowhere = cover(picture, Occluder("hand"), points * 0.0, np.random.default_rng(0))
    assert nowhere.shape == picture.shape


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


@pytest.mark.parametrize("occluder", occluders((0.3,))[:-1])
def test_only_covered_pixels_change(points, occluder):
    image = np.full((*SIZE, 3), 77, np.uint8)
    found = cover(image, occluder, points, np.random.default_rng(3))
    mask = covered(occluder, points, 3)
    assert (found[~mask] == 77).all()
    assert (found[mask] != 77).any(axis=1).mean() > 0.9
    assert (image == 77).all()


def test_faces_outside_of_the_picture_are_left_alone(points):
    for occluder in occluders((0.3,))[:-1]:
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


def results(errors):
    return tuple(
        ImageResult(f"{k}", yaw, error, np.zeros(3), np.zeros(3))
        for k, (error, yaw) in enumerate(zip(errors, [0, 10, 40, 70], strict=False))
    )


MASK = Occluder("mask")


def test_the_table_states_the_paired_increase():
    table = occlusion_table({None: results([1.0, 2, 3, 4]), MASK: results([2.0, 3, 5, 7])})
    assert table.values("covered by") == ["none", "mask"]
    assert table.value("none", "nme_2d_68") == pytest.approx((1.5 + 3 + 4) / 3)
    increase = table.value("mask", "increase")
    assert increase == pytest.approx((1 + 2 + 3) / 3)
    both = [table.value(name, "nme_2d_68") for name in ("mask", "none")]
    assert increase == pytest.approx(both[0] - both[1])
    assert [table.value("mask", name) for name in ("low", "high")] == pytest.approx([2.0, 2.0])
    assert table.rows[0][3:] == (None, None, None)
    assert "empty" not in table.note


def test_without_a_yaw_bin_the_increase_is_over_all_images():
    table = occlusion_table({None: results([1.0, 2, 3]), MASK: results([2.0, 3, 7])})
    assert table.value("mask", "nme_2d_68") is None
    assert table.value("mask", "increase") == pytest.approx((1 + 1 + 4) / 3)
    assert "A yaw bin is empty: the increase is over all images" in table.note


def test_the_curve_begins_uncovered_and_rises_with_the_share():
    found = {
        None: results([2.0, 2, 2, 2]),
        Occluder("side", 0.35): results([4.0, 4, 4, 4]),
        Occluder("side", 0.1): results([3.0, 3, 3, 3]),
        MASK: results([6.0, 6, 6, 6]),
    }
    (plot,) = occlusion_plots(found)
    side, mask = plot.lines
    assert (side.name, mask.name) == ("side", "mask")
    assert list(side.x) == pytest.approx([0.0, 10.0, 35.0])
    assert list(side.y) == pytest.approx([2.0, 3.0, 4.0])
    assert (plot.x_limit, plot.num_x_ticks, plot.y_limit) == (40.0, 4, 7.5)
    assert (list(mask.x), list(mask.y)) == ([0.0, 40.0], [6.0, 6.0])


def test_without_shares_or_a_mean_there_is_no_curve():
    assert occlusion_plots({None: results([1.0, 1, 1, 1]), MASK: results([2.0, 2, 2, 2])}) == ()
    few = results([1.0, 2])
    assert occlusion_plots({None: few, Occluder("side", 0.2): few}) == ()


BLANK = 77
YAWS = (-75.0, 5.0, 40.0, 20.0, 65.0, -50.0)


@pytest.fixture
def dataset(points, tmp_path):
    """Blank pictures with the same face, in AFLW2000-3D's layout."""
    folder = tmp_path / "AFLW2000"
    folder.mkdir()
    for row, yaw in enumerate(YAWS):
        stem = f"image{row:05d}"
        Image.new("RGB", SIZE[::-1], (BLANK,) * 3).save(folder / f"{stem}.jpg", quality=100)
        content = {
            "Pose_Para": np.radians([[0.0, yaw, 0.0, 0.0, 0.0, 0.0, 57.2957795]]),
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": np.zeros((29, 1)),
            "pt3d_68": np.concatenate([points, points[:, :1]], axis=1).T,
        }
        savemat(folder / f"{stem}.mat", content)
    return AFLW2000(folder)


def off_px(image):
    """How far `Network` is off: 20 pixels for all of a picture, by what is not blank of it."""
    return 20.0 * float((image != BLANK).any(axis=2).mean())


class Network:
    """Finds the face that all pictures show, the farther off the more is covered."""

    def __init__(self, points):
        self.points = np.concatenate([points, points[:, :1]], axis=1)

    def predict_in_box(self, image, box_px, quarter_turns=0):
        moved = self.points + np.array([off_px(image), 0.0, 0.0])
        return SimpleNamespace(landmarks_px=moved, euler_deg=np.zeros(3))


def expected_nme(points, dataset, occluder, seed):
    """Mean of the yaw bins' means, percent."""
    unit = 100.0 / np.sqrt(np.ptp(points, axis=0).prod())
    image = np.full((*SIZE, 3), BLANK, np.uint8)
    errors = np.array(
        [unit * off_px(cover_named(image, occluder, points, n, seed)) for n in dataset.names]
    )
    bins = ([1, 3], [2, 5], [0, 4])
    return np.mean([errors[rows].mean() for rows in bins])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_faces_are_scored_behind_each_occluder(points, dataset, workers):
    network, calls = Network(points), []

    def source(row, name, sample):
        return FacePrediction(network.predict_in_box(sample.image, None).landmarks_px)

    found = score_occlusion(
        source,
        dataset,
        AFLW2000Annotations.of(dataset),
        shares=(0.2,),
        seed=5,
        workers=workers,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(k, 6) for k in range(1, 7)]
    assert tuple(found) == (None, *occluders((0.2,)))
    assert mean_nme(found[None]).mean == pytest.approx(0.0, abs=1e-4)
    for occluder in occluders((0.2,)):
        mean = mean_nme(found[occluder]).mean
        assert mean == pytest.approx(expected_nme(points, dataset, occluder, 5))
        assert mean == pytest.approx(increase_of(found, occluder).mean, abs=1e-4)
        assert mean > 1.0
    report = occlusion_report(found, seed=5)
    assert report.conditions == {"images": len(YAWS), "seed": 5}
    assert len(report.rows.rows) == 6 * len(YAWS)
    assert set(report.rows.values("covered by")) == {"none", *(o.name for o in occluders((0.2,)))}


def colors_at(tile, points, places):
    """Of a tile at places (pixels of the picture) that it shows."""
    left, top, right, _ = square_from_landmarks(points)
    x, y = np.round((places - [left, top]) * TILE_PX / (right - left) - 0.5).astype(int).T
    inside = (np.minimum(x, y) >= 0) & (np.maximum(x, y) < TILE_PX)
    return tile[y[inside], x[inside]]


def green_at(tile, points, places):
    """Share of the places that are green."""
    red, green, _ = colors_at(tile, points, places).T
    return float((green - red > 40).mean())


def test_pictures_show_occluders_and_the_points_that_were_found(points, dataset):
    network = Network(points)

    def source(row, name, sample):
        if row == 0 and (sample.image != BLANK).any():  # is missed when covered
            return None
        return FacePrediction(network.predict_in_box(sample.image, None).landmarks_px)

    truth = AFLW2000Annotations.of(dataset)
    found = score_occlusion(source, dataset, truth, shares=(0.1, 0.4), seed=4)
    grids = occlusion_grids(found, dataset, truth, 4)
    assert [grid.columns for grid in grids] == [
        ("nothing", "patch 10 %", "patch 40 %"),
        ("nothing", "side 10 %", "side 40 %"),
        ("nothing", "sunglasses", "mask", "hand"),
    ]
    order = ("image00001.jpg", "image00002.jpg", "image00005.jpg", "image00000.jpg")
    for grid in grids:
        names = [row.caption.splitlines()[:2] for row in grid.rows]
        assert names == [[n, f"yaw {YAWS[int(n[5:10])]:.0f} degrees"] for n in order]
        assert len(names) == NUM_FACES
        assert "missed" in grid.rows[3].caption
        assert (grid.rows[3].tiles[2] == GREY).all()
    plain, glasses, mask, _ = (tile.astype(int) for tile in grids[2].rows[0].tiles)
    covered = found[MASK][1]
    assert grids[2].rows[0].caption.rsplit(", ", 2)[1] == f"{covered.nme_2d_68:.2f}"
    assert green_at(plain, points, points) > 0.9
    assert green_at(mask, points, covered.landmarks_px[:, :2]) > 0.9
    assert green_at(mask, points, points) < 0.6
    # What is drawn is what was scored: the same patch at the same place.
    blank = np.full((*SIZE, 3), BLANK, np.uint8)
    patch = grids[0].rows[0].tiles[2].astype(int)
    seen = cover_named(blank, Occluder("patch", 0.4), points, order[0], 4)
    scored = crop_square(seen, square_from_landmarks(points), TILE_PX).image
    assert (np.abs(patch - scored).max(axis=2) < 20).mean() > 0.8  # all but the points
    eyes = np.stack([points[part].mean(axis=0) for part in EYES])
    assert colors_at(plain, points, eyes).min() > BLANK - 30
    assert colors_at(glasses, points, eyes).max() < 40
    assert 0.15 < (np.abs(mask - plain).max(axis=2) > 60).mean() < 0.6


def test_the_command_writes_figures_a_curve_and_pictures(
    points, dataset, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(Reconstructor, "load", lambda **_: Network(points))
    out = tmp_path / "out"
    words = [
        "--data",
        tmp_path,
        "--out",
        out,
        "--seed",
        3,
        "--shares",
        0.1,
        0.3,
        "--name",
        "a [/b]",
    ]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "occlusion", *map(str, words)])
    assert stop.value.code == 0
    report = Report.read(out / "report.json")
    assert (report.method, report.conditions["seed"]) == ("a [/b]", 3)
    table = report.table("By occlusion")
    kinds = occluders((0.1, 0.3))
    assert table.values("covered by") == ["none", *(kind.name for kind in kinds)]
    printed, text = capsys.readouterr().out, (out / "report.md").read_text()
    for kind in kinds:
        nme = table.value(kind.name, "nme_2d_68")
        assert nme == pytest.approx(expected_nme(points, dataset, kind, 3), rel=1e-4)
        assert f"{nme:.3f}" in printed
        assert f"| {kind.name} | {nme:.3f} |" in text
    page = (out / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == NUM_FACES * (3 + 3 + 4)
    assert "nme_2d_68, percent" in page
    curves = re.findall(r'<polyline points="([^"]+)"', page)
    assert len(curves) == 5
    x, y = np.array([pair.split(",") for pair in curves[0].split()], dtype=float).T
    # Pixels from the axes, which cross where nothing is covered and nothing wrong.
    errors = [table.value(name, "nme_2d_68") for name in ("patch 10 %", "patch 30 %")]
    np.testing.assert_allclose((x - x[0]) / (x[-1] - x[0]), [0.0, 1 / 3, 1.0], atol=1e-3)
    assert (y[0] - y[1]) / (y[0] - y[2]) == pytest.approx(errors[0] / errors[1], abs=1e-2)


def run(*words):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "occlusion", *map(str, words)])
    return stop.value.code


def test_other_methods_see_and_are_scored_on_the_same_pictures(
    points, dataset, tmp_path, monkeypatch, capsys
):
    """A method that answers to the written pictures has the figures of one that we show them."""
    network = Network(points)
    monkeypatch.setattr(Reconstructor, "load", lambda **_: network)
    given = ["--data", tmp_path, "--seed", 3, "--shares", 0.25]
    pictures, answers = tmp_path / "pictures", tmp_path / "answers"
    assert run(*given, "--write-pictures", pictures) == 0
    conditions = ("none", "patch-25", "side-25", "sunglasses", "mask", "hand")
    assert sorted(path.name for path in pictures.iterdir()) == sorted(conditions)
    for condition in conditions:
        files = sorted((pictures / condition).glob("*.png"))
        assert [f"{path.stem}.jpg" for path in files] == sorted(dataset.names)
        images = [np.asarray(Image.open(path)) for path in files]
        found = [network.predict_in_box(image, None).landmarks_px for image in images]
        Predictions(
            tuple(f"{path.stem}.jpg" for path in files),
            np.stack(found),
            angles_deg=np.zeros((len(files), 3)),
        ).save(answers / f"{condition}.npz")
    assert run(*given, "--out", tmp_path / "own") == 0
    assert run(*given, "--predictions", answers, "--name", "other", "--out", tmp_path / "o") == 0
    own, other = (Report.read(tmp_path / name / "report.json") for name in ("own", "o"))
    assert other.method == "other"
    assert other.versions["predictions"] == "answers"
    assert own.tables == other.tables
    assert own.table("By occlusion").value("mask", "increase") > 1.0

    capsys.readouterr()
    (answers / "mask.npz").unlink()
    assert run(*given, "--predictions", answers, "--out", tmp_path / "o") == 1
    error = capsys.readouterr().err
    assert "mask.npz" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--out is needed"),
        (["--predictions", "p", "--weights", "w", "--out", "o"], "their own weights"),
        (["--predictions", "p", "--write-pictures", "o"], "measures nothing"),
        (["--weights", "w", "--write-pictures", "o"], "measures nothing"),
    ],
)
def test_options_that_do_not_go_together(words, message, capsys):
    assert run("--data", "x", *words) == 2
    assert message in capsys.readouterr().err


def test_the_command_takes_only_named_pictures(points, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(Reconstructor, "load", lambda **_: Network(points))
    (tmp_path / "names.txt").write_text(f"{dataset.names[1]}\n")
    words = ["--data", tmp_path, "--out", tmp_path / "out", "--only", tmp_path / "names.txt"]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "occlusion", *map(str, words)])
    assert stop.value.code == 0
    assert Report.read(tmp_path / "out" / "report.json").conditions["images"] == 1


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
