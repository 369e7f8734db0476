import csv
import json
import os
import shutil
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.cli import main
from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.detection import Detection
from mlanet.errors import DataError
from mlanet.evaluation import NetworkSource, Report, aflw2000_report
from mlanet.evaluation.aflw2000.dense import DenseErrors
from mlanet.evaluation.aflw2000.framing import square_roi_box
from mlanet.evaluation.aflw2000.groups import SkinTone
from mlanet.evaluation.aflw2000.pictures import COLUMNS, FacePictures
from mlanet.evaluation.aflw2000.predictions import FacePrediction, predictions_of
from mlanet.evaluation.aflw2000.results import drawn_at_random
from mlanet.evaluation.aflw2000.scoring import score_aflw2000
from mlanet.evaluation.reporting.face_tiles import GREY, TILE_PX
from mlanet.extras import install_command
from mlanet.geometry import bounding_box


def evaluate_aflw2000(
    predictor, dataset, truth, annotation="original", crop="ground-truth", workers=1
):
    source = NetworkSource(predictor, truth, annotation, crop)
    results = score_aflw2000(source, dataset, truth, annotation=annotation, workers=workers)
    return aflw2000_report(results, annotation, crop)


SIZE = 64
YAWS = [0.0, 30.0, -30.5, 60.0, -75.0, 105.0]
NAMES = [f"image{k:05d}.jpg" for k in range(6)]


def landmarks(row):
    """68 points that fill the box (10, 20, 50, 45), each picture's in another order."""
    rng = np.random.default_rng(row)
    points = rng.uniform(0, 1, (68, 3))
    points[:2, :2] = [[0, 0], [1, 1]]
    return points * [40.0, 25.0, 30.0] + [10.0, 20.0, 0.0]


@pytest.fixture
def truth(tmp_path):
    original = np.stack([landmarks(row).T for row in range(6)])
    np.savez(
        tmp_path / "annotations.npz",
        name=np.array(NAMES),
        pts68_original=original,
        pts68_reannotated=original[:, :2] + [[[6.0], [8.0]]],
        yaw_deg=np.array(YAWS),
        roi_box=np.array([[5.0, 8.0, 55.0, 58.0]] * 6),
    )
    return AFLW2000Annotations.load(tmp_path / "annotations.npz")


@pytest.fixture
def dataset(tmp_path):
    for row, name in enumerate([*NAMES, "image99999.jpg"]):
        Image.new("RGB", (SIZE, SIZE), (30 * row, 0, 0)).save(tmp_path / name, quality=100)
        pose = np.radians([[4.0, YAWS[row % 6], -8.0, 0.0, 0.0, 0.0, 57.2957795]])
        content = {
            "Pose_Para": pose,
            "Shape_Para": np.zeros((199, 1), dtype=np.uint8),
            "Exp_Para": np.zeros((29, 1), dtype=np.uint8),
            "pt3d_68": landmarks(row).T.astype(np.float32),
        }
        savemat(tmp_path / name.replace(".jpg", ".mat"), content)
    return AFLW2000(tmp_path)


@dataclass
class FakePrediction:
    landmarks_px: np.ndarray
    euler_deg: np.ndarray

    def draw(self, kind):
        return np.full((SIZE, SIZE, 3), 10 * len(kind), dtype=np.uint8)


class FakePredictor:
    """Knows the picture by its colour; is off by a fixed number of pixels and degrees."""

    def __init__(self, offset_px=(0.0, 0.0), detections=None):
        self.offset = np.array([*offset_px, 99.0])
        self.detections = detections or {}
        self.boxes = []

    def row(self, image):
        return round(float(image[..., 0].mean()) / 30)

    def detect(self, image):
        boxes = self.detections.get(self.row(image), [(9.0, 15.0, 51.0, 47.0)])
        five = np.zeros((5, 2))
        return [Detection(np.array(box), five, 0.9) for box in boxes]

    def crop_box(self, detection):
        left, top, _, bottom = detection.box_px
        return np.array([left, top, left + bottom - top, bottom])

    def predict_in_box(self, image, box_px, quarter_turns=0):
        assert box_px[2] - box_px[0] == pytest.approx(box_px[3] - box_px[1])
        self.boxes.append(tuple(float(edge) for edge in box_px))
        row = self.row(image)
        angles = np.array([4.0 + 1.0, YAWS[row] - 2.0, -8.0 + 3.0])
        return FakePrediction(landmarks(row) + self.offset, angles)


UNIT = 100.0 / np.sqrt(40.0 * 25.0)
"""Error in percent of one pixel."""

BINS = ("0-30", "30-60", "60-90")


def nme(report, row="mean of bins", column="nme_2d_68"):
    return report.table("Sparse alignment").value(row, column)


def by_bin(report, column):
    return [nme(report, name, column) for name in BINS]


def pose(report, angle="mean"):
    table = report.table("Head pose")
    return table.value(angle, "pose_mae_deg"), table.value(angle, "images")


def test_a_known_offset_has_a_known_error(dataset, truth):
    predictor, seen = FakePredictor((3.0, 4.0)), []
    results = score_aflw2000(
        NetworkSource(predictor, truth),
        dataset,
        truth,
        progress=lambda done, total: seen.append((done, total)),
    )
    report = aflw2000_report(results, "original", "ground-truth")
    assert by_bin(report, "nme_2d_68") == pytest.approx([5 * UNIT] * 3)
    assert nme(report) == pytest.approx(5 * UNIT)
    assert by_bin(report, "images") == [2, 2, 2]
    assert nme(report, column="missed") == 0
    assert set(predictor.boxes) == {(5.0, 8.0, 55.0, 58.0)}
    assert seen == [(k, 6) for k in range(1, 7)]


def test_annotations_are_not_mixed(dataset, truth):
    other = evaluate_aflw2000(FakePredictor(), dataset, truth, annotation="reannotated")
    assert nme(other) == pytest.approx(10 * UNIT)
    exact = evaluate_aflw2000(FakePredictor(), dataset, truth, annotation="original")
    assert nme(exact) == pytest.approx(0.0, abs=1e-12)


def test_pose_leaves_out_what_lies_beyond_99_degrees(dataset, truth):
    report = evaluate_aflw2000(FakePredictor(), dataset, truth)
    for angle, error in (("pitch", 1.0), ("yaw", 2.0), ("roll", 3.0), ("mean", 2.0)):
        assert pose(report, angle) == (pytest.approx(error), 5)


def test_the_pose_error_of_each_image_is_that_of_the_protocol(dataset, truth):
    predictor = FakePredictor((1.0, 0.0), {4: [(55.0, 0.0, 64.0, 9.0)]})
    report = evaluate_aflw2000(predictor, dataset, truth, crop="detector")
    errors = report.rows.values("pose_mae_deg")
    assert errors == [*[pytest.approx(2.0)] * 4, None, None]  # one missed, one beyond 99 degrees
    kept = [error for error in errors if error is not None]
    assert pose(report) == (pytest.approx(np.mean(kept)), len(kept))


def test_the_detection_that_overlaps_best_is_used(dataset, truth):
    near, far, whole = (8.0, 18.0, 52.0, 47.0), (0.0, 0.0, 12.0, 12.0), (0.0, 0.0, 64.0, 64.0)
    predictor = FakePredictor(detections={row: [far, near, whole] for row in range(6)})
    report = evaluate_aflw2000(predictor, dataset, truth, crop="detector")
    assert set(predictor.boxes) == {(8.0, 18.0, 37.0, 47.0)}
    assert nme(report, column="missed") == 0


def test_missed_faces_count_as_100_percent(dataset, truth):
    tiny = (10.0, 20.0, 27.0, 37.0)  # 289 of 1000 square pixels: an overlap of 0.289
    enough = (10.0, 20.0, 28.0, 37.0)  # 306 of 1000
    predictor = FakePredictor((1.0, 0.0), {0: [tiny], 4: [(55.0, 0.0, 64.0, 9.0)], 1: [enough]})
    report = evaluate_aflw2000(predictor, dataset, truth, crop="detector")
    assert report.conditions["missed"] == 2
    assert by_bin(report, "missed") == [1, 0, 1]
    assert nme(report, column="nme_2d_68_found") == pytest.approx(UNIT)
    expected = ((100 + UNIT) / 2 + UNIT + (100 + UNIT) / 2) / 3
    assert nme(report) == pytest.approx(expected)
    assert set(report.table("Largest errors").values("image")[:2]) == {NAMES[0], NAMES[4]}
    assert pose(report)[1] == 3


def test_the_report_is_written_and_read_back(dataset, truth, tmp_path):
    predictor = FakePredictor((1.0, 0.0), {4: [(55.0, 0.0, 64.0, 9.0)]})
    report = evaluate_aflw2000(predictor, dataset, truth, crop="detector")
    written = replace(report, versions={"detector": "7"})
    path, *others = written.write(tmp_path / "deep" / "out")
    assert {file.name for file in others} == {"images.csv", "report.md", "report.html"}
    assert {path, *others} == set(path.parent.iterdir())
    report = Report.read(path)
    assert (report.protocol, report.method) == (written.protocol, "mlanet")
    assert (report.rows, report.tables) == (written.rows, written.tables)
    assert (report.conditions, report.versions) == (written.conditions, {"detector": "7"})
    assert report.protocol.name == "AFLW2000-3D, original annotation"
    assert "sqrt(w*h)" in report.protocol.definition
    assert nme(report, column="nme_2d_68_found") == pytest.approx(UNIT)
    assert nme(report, "60-90") == pytest.approx((100 + UNIT) / 2)
    assert (nme(report, column="images"), nme(report, column="missed")) == (6, 1)
    assert by_bin(report, "images") == [2, 2, 2]
    assert by_bin(report, "missed") == [0, 0, 1]
    assert pose(report, "yaw")[0] == pytest.approx(2.0)
    assert report.conditions["crop"] == "detector"
    assert report.conditions["seconds_of_method"] >= 0
    assert report.table("Largest errors").values("image")[0] == NAMES[4]
    with pytest.raises(KeyError):
        report.table("Dense alignment and 3D reconstruction")


def test_errors_of_each_image_are_written(dataset, truth, tmp_path):
    predictor = FakePredictor((1.0, 0.0), {4: [(55.0, 0.0, 64.0, 9.0)]})
    evaluate_aflw2000(predictor, dataset, truth, crop="detector").write(tmp_path / "out")
    with (tmp_path / "out" / "images.csv").open() as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert list(rows) == NAMES
    assert float(rows[NAMES[2]]["nme_2d_68"]) == pytest.approx(UNIT, abs=1e-3)
    assert rows[NAMES[1]]["bin"] == "0-30"
    assert rows[NAMES[3]]["bin"] == "30-60"
    assert float(rows[NAMES[3]]["roll_error_deg"]) == pytest.approx(3.0)
    assert (rows[NAMES[4]]["missed"], rows[NAMES[4]]["nme_2d_68"]) == ("1", "")
    assert [rows[name]["pose_mae_deg"] != "" for name in NAMES] == [True] * 4 + [False] * 2


def test_a_mean_over_nothing_is_null(dataset, truth):
    nobody = {row: [(0.0, 0.0, 3.0, 3.0)] for row in range(6)}
    predictor = FakePredictor(detections=nobody)
    report = evaluate_aflw2000(predictor, dataset, truth, crop="detector")
    table = report.table("Sparse alignment")
    assert table.values("nme_2d_68") == [100.0] * 4
    assert table.values("nme_2d_68_found") == [None] * 4
    assert pose(report) == (None, 0)
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_detector_that_finds_nothing_has_pictures_all_the_same(
    dataset, truth, monkeypatch, tmp_path
):
    predictor = FakePredictor()
    monkeypatch.setattr(predictor, "detect", lambda image: [])
    source = NetworkSource(predictor, truth, crop="detector")
    results = score_aflw2000(source, dataset, truth)
    grids = FacePictures(predictor, dataset, truth, crop="detector").grids(results)
    report = replace(aflw2000_report(results, "original", "detector"), pictures=grids)
    assert report.conditions["missed"] == 6
    report.write(tmp_path / "out")
    assert (tmp_path / "out" / "report.html").read_text().count("missed</td>") == 2 * 6
    for name in ("worst", "random"):
        drawn = np.asarray(Image.open(tmp_path / "out" / f"{name}.png"))
        assert drawn.shape == (6 * TILE_PX, len(COLUMNS) * TILE_PX, 3)
        assert (drawn[:, 2 * TILE_PX :] == GREY).all()
        for column in (slice(TILE_PX), slice(TILE_PX, 2 * TILE_PX)):
            assert (drawn[:, column] != GREY).any()


def test_every_annotated_picture_must_be_there(dataset, truth, tmp_path):
    (tmp_path / NAMES[3]).unlink()
    with pytest.raises(DataError, match=r"image00003\.jpg and 0 more"):
        evaluate_aflw2000(FakePredictor(), AFLW2000(tmp_path), truth)


def test_a_folder_that_cannot_be_written(dataset, truth, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="file"):
        evaluate_aflw2000(FakePredictor(), dataset, truth).write(tmp_path / "file")


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((66, 94, 408, 436), (66, 94, 408, 436)),  # a square stays
        ((46, 83, 426, 450), (46, 83, 426, 463)),  # clipped below
        ((1, 98, 332, 440), (-10, 98, 332, 440)),  # clipped on the left
        ((100, 100, 201, 200), (100, 99.5, 201, 200.5)),  # rounded
        ((1, 50, 450, 450), (1, 50, 450, 499)),  # wider than the image
    ],
)
def test_clipped_boxes_become_squares_again(box, expected):
    np.testing.assert_array_equal(square_roi_box(np.array(box, dtype=float), (450, 450)), expected)


def test_square_restores_the_box_of_the_protocol():
    rng = np.random.default_rng(0)
    for _ in range(50):
        points = rng.uniform(0, 1, (68, 2)) * rng.uniform(100, 220, 2) + rng.uniform(60, 170, 2)
        box = bounding_box(points)
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max() / np.sqrt(2)
        square = np.concatenate([centre - half, centre + half])
        clipped = np.round(np.clip(square, 1, 450))
        if (clipped != np.round(square)).sum() <= 1:  # a second clipped side leaves no trace
            np.testing.assert_allclose(square_roi_box(clipped, (450, 450)), square, atol=1.6)


def test_workers_do_not_change_the_report(dataset, truth):
    reports = [
        evaluate_aflw2000(FakePredictor((1.0, 2.0)), dataset, truth, workers=workers).as_dict()
        for workers in (1, 3)
    ]
    for report in reports:
        del report["conditions"]["seconds_of_method"]
    assert reports[0] == reports[1]


def test_vertices_are_kept_on_demand_and_empty_where_a_face_was_missed(dataset, truth):
    class AnyDense:
        def errors(self, name, vertices_px, parameters, height):
            return DenseErrors(1.0, 2.0, 3.0)

    def source(row, name, sample):
        points = landmarks(row)
        return None if row == 1 else FacePrediction(points, vertices_px=points[:5])

    def score(keep):
        given = {"dense": AnyDense(), "keep_vertices": keep}
        return score_aflw2000(source, dataset, truth, **given)

    results = score(True)
    kept = predictions_of(results)
    assert kept.vertices.shape == (6, 5, 3)
    assert kept.face(NAMES[1]) is None
    np.testing.assert_allclose(kept.face(NAMES[2]).vertices_px, landmarks(2)[:5], rtol=1e-6)
    report = aflw2000_report(results, "original", "unknown")
    table = report.table("Dense alignment and 3D reconstruction")
    assert table.values("images") == [1, 2, 2, 5]
    assert table.values("nme_3d_dense") == [2.0] * 4
    assert report.rows.values("nme_3d_dense") == [2.0, None, *[2.0] * 4]
    assert predictions_of(score(False)).vertices is None


def test_random_faces_do_not_depend_on_errors(dataset, truth):
    good, bad = (
        score_aflw2000(NetworkSource(FakePredictor(off), truth), dataset, truth)
        for off in ((0.0, 0.0), (5.0, 5.0))
    )
    names = [r.name for r in drawn_at_random(good)]
    assert names == [r.name for r in drawn_at_random(bad)]
    assert sorted(names) == NAMES


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "aflw2000", *map(str, arguments)])
    return stop.value.code


def command(tmp_path, *more):
    given = ["--data", tmp_path, "--annotations", tmp_path / "annotations.npz"]
    return run(*given, "--out", tmp_path / "out", *more)


def test_the_command_draws_prints_and_writes(dataset, truth, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    with np.load(tmp_path / "annotations.npz") as content:
        few = {name: array[[0, 2, 5]] for name, array in content.items()}
    np.savez(tmp_path / "annotations.npz", **few)
    saved = tmp_path / "own.npz"
    assert command(tmp_path, "--threads", 2, "--save-predictions", saved) == 0
    printed = capsys.readouterr().out
    for fact in ("original annotation", "crop: ground-truth", "nme_2d_68", "own.npz"):
        assert fact in printed
    out = tmp_path / "out"
    report = Report.read(out / "report.json")
    assert "mlanet" in report.versions
    groups = {table.name for table in report.tables if table.name.startswith("By ")}
    assert groups == {"By yaw", "By mouth", "By eyes", "By skin tone"}
    for name in ("worst", "random"):
        assert np.asarray(Image.open(out / f"{name}.png")).shape == (3 * 200, 6 * 200, 3)
    assert f"{nme(report):.3f}" in (out / "report.md").read_text()
    assert (out / "report.html").read_text().count("data:image/jpeg;base64,") == 2 * 3 * 6

    with np.load(saved) as arrays:  # the protocol's squares, which another method may be given
        np.testing.assert_allclose(arrays["boxes"], few["roi_box"])

    other = tmp_path / "other"
    options = ["--predictions", saved, "--name", "a <method> [/b]", "--out", other]
    assert command(tmp_path, *options) == 0
    again = Report.read(other / "report.json")
    assert (again.method, again.conditions["crop"]) == ("a <method> [/b]", "unknown")
    assert "a <method> [/b]: AFLW2000-3D" in capsys.readouterr().out
    for name in ("Sparse alignment", "Head pose"):
        assert again.table(name) == report.table(name)
    page = (other / "report.html").read_text()
    assert "a &lt;method&gt;" in page
    assert page.count("data:image/jpeg;base64,") == 2 * 3 * 3


def test_skin_tones_of_a_fitted_albedo(torch, dataset, truth, tmp_path, monkeypatch, capsys):
    """The fit is replaced by one with a known answer; landmarks stay the network's."""
    with np.load(tmp_path / "annotations.npz") as content:
        few = {name: array[[0, 2]] for name, array in content.items()}
    np.savez(tmp_path / "annotations.npz", **few)
    fitted = []

    def fit(faces):
        (face,) = faces
        albedo = np.full_like(face.coefficients.albedo, 0.5)
        fitted.append(replace(face, coefficients=replace(face.coefficients, albedo=albedo)))
        return fitted[-1:]

    monkeypatch.setattr("mlanet.fitting.refine", fit)
    assert command(tmp_path) == 0
    plain = Report.read(tmp_path / "out" / "report.json")
    assert fitted == []
    assert command(tmp_path, "--fitted-tones") == 0
    report = Report.read(tmp_path / "out" / "report.json")
    assert len(fitted) == 2
    tone = SkinTone(fitted[0].model)(fitted[0].coefficients)
    assert report.rows.values("skin_tone_deg") == pytest.approx([tone, tone], abs=1e-3)
    assert report.rows.values("nme_2d_68") == plain.rows.values("nme_2d_68")
    assert "predicted albedo" in plain.table("By skin tone").note
    assert "fitted albedo" in report.table("By skin tone").note
    capsys.readouterr()
    assert command(tmp_path, "--fitted-tones", "--predictions", tmp_path / "own.npz") == 2


def test_fitted_tones_without_torch_are_one_clear_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mlanet.cli.common.find_spec", lambda _: None)
    assert command(tmp_path, "--fitted-tones") == 2
    message = capsys.readouterr().err
    assert message.splitlines() == [f"mlanet: fitting to pixels needs: {install_command('train')}"]


def test_the_command_refuses_what_contradicts_itself(dataset, truth, tmp_path, capsys):
    saved = tmp_path / "own.npz"
    assert command(tmp_path, "--predictions", saved, "--crop", "detector") == 2
    assert "own crop" in capsys.readouterr().err
    assert command(tmp_path, "--predictions", saved) == 1
    assert "own.npz" in capsys.readouterr().err


def test_the_data_set_alone_is_enough(dataset, tmp_path, capsys):
    saved = tmp_path / "exact.npz"
    points = np.stack([landmarks(row) for row in range(7)])
    np.savez(saved, names=np.array(dataset.names), landmarks=points.astype(np.float32))
    out = tmp_path / "out"
    given = ["--data", tmp_path, "--out", out, "--predictions", saved]
    assert run(*given) == 0
    report = Report.read(out / "report.json")
    assert nme(report) == pytest.approx(0.0, abs=1e-4)
    assert by_bin(report, "images") == [3, 2, 2]
    capsys.readouterr()
    assert run(*given, "--annotation", "reannotated") == 1
    assert "give --annotations" in capsys.readouterr().err


@pytest.mark.parametrize("whole", ["folder", "tar"])
def test_only_named_pictures_are_as_a_data_set_of_those(dataset, tmp_path, whole, capsys):
    """The re-annotation has a row for each picture of the whole data set all the same."""
    chosen = [1, 3, 4, 6]
    names = [dataset.names[row] for row in chosen]
    points = np.stack([landmarks(row) for row in range(7)])
    saved, out, part = tmp_path / "own.npz", tmp_path / "out", tmp_path / "part"
    np.savez(saved, names=np.array(dataset.names), landmarks=points, angles_deg=np.zeros((7, 3)))
    shifted = points[..., :2].transpose(0, 2, 1) + np.arange(7)[:, None, None] / 10
    np.save(tmp_path / "all.npy", shifted)
    part.mkdir()
    np.save(tmp_path / "some.npy", shifted[chosen])
    for name in names:
        for file in (name, name.replace(".jpg", ".mat")):
            shutil.copy(tmp_path / file, part / file)
    (tmp_path / "names.txt").write_text("\n".join(reversed(names)) + "\n\n")
    data = tmp_path
    if whole == "tar":
        data = tmp_path / "AFLW2000.tar"
        with tarfile.open(data, "w") as file:
            for path in [*sorted(tmp_path.glob("*.jpg")), *sorted(tmp_path.glob("*.mat"))]:
                file.add(path, f"AFLW2000/{path.name}")

    def report(folder, annotations, *more):
        given = ["--data", folder, "--annotations", annotations, "--annotation", "reannotated"]
        assert run(*given, "--predictions", saved, "--out", out, *more) == 0
        content = json.loads((out / "report.json").read_text())
        del content["conditions"]["seconds"]
        return content, (out / "images.csv").read_text(), (out / "random.png").read_bytes()

    some = report(data, tmp_path / "all.npy", "--only", tmp_path / "names.txt")
    assert some == report(part, tmp_path / "some.npy")
    assert some[0]["rows"]["images"]["columns"]["image"]["values"] == names
    assert nme(Report.read(out / "report.json")) > 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{NAMES[0]}\nimage00099.jpg\n", "image00099.jpg is no annotated picture's name"),
        ("\n", "holds no picture's name"),
        (None, "there is no such file"),
    ],
)
def test_a_wrong_list_of_pictures_is_one_line(dataset, tmp_path, text, message, capsys):
    listed = tmp_path / "names.txt"
    if text is not None:
        listed.write_text(text)
    assert run("--data", tmp_path, "--out", tmp_path / "out", "--only", listed) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mlanet: {listed}: ")
    assert message in line


@pytest.mark.data
@pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA is not set")
def test_the_list_of_the_model_cards_400_pictures():
    path = Path(__file__).parents[3] / "docs" / "results" / "aflw2000_400.txt"
    dataset = AFLW2000(Path(os.environ["MLANET_DATA"]) / "aflw2000_dev")
    assert path.read_text().splitlines() == list(dataset.names)


def test_a_pose_that_cannot_be_leaves_out_the_pose_alone(dataset, truth, tmp_path):
    """As image04157 of the published data set: a negative scale, an angle of 893 degrees."""
    content = {
        "Pose_Para": np.array([[0.1, np.radians(893.0), 0.2, 0.0, 0.0, 0.0, -1e-3]]),
        "Shape_Para": np.zeros((199, 1)),
        "Exp_Para": np.zeros((29, 1)),
        "pt3d_68": landmarks(1).T,
    }
    savemat(tmp_path / NAMES[1].replace(".jpg", ".mat"), content)
    for name in NAMES:
        (tmp_path / f"._{name}").write_bytes(b"of macOS")
    dataset = AFLW2000(tmp_path)
    own = AFLW2000Annotations.of(dataset)
    assert len(own.names) == 7
    report = evaluate_aflw2000(FakePredictor((3.0, 4.0)), dataset, truth)
    assert nme(report) == pytest.approx(5 * UNIT)
    assert nme(report, column="images") == 6
    assert pose(report)[1] == 4
    assert dataset[1].rotation is None
    (line,) = dataset.skipped.lines()
    assert line.startswith(f"warning: {NAMES[1]}: the scale in Pose_Para is -0.001")
    assert "893 degrees" in line
