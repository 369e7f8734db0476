import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.cli import main
from mlanet.coefficients import CoefficientLayout
from mlanet.datasets import AFLW2000
from mlanet.evaluation.expressions.heads import (
    COVERS,
    OPEN,
    SHUT,
    HeadScores,
    score_heads,
    unseen_heads,
    winking_heads,
    winks_told_apart,
)
from mlanet.evaluation.expressions.photos import (
    closed_and_open_eyes,
    eye_aspect_ratios,
    predict_photos,
)
from mlanet.evaluation.expressions.report import EYES, PHOTOS, WINKS
from mlanet.evaluation.expressions.scores import BLINK_DIFFERENCE, MAIN, ExpressionScores
from mlanet.evaluation.reporting import Report
from mlanet.image import crop_square, square_from_landmarks
from mlanet.reconstructor import Reconstructor

NAMES = tuple(f"image{number:05d}.jpg" for number in range(12))
YAW = np.array([*np.linspace(-45.0, 45.0, 11), 60.0])
EXPRESSIONS = (
    "_neutral",
    *(name for name in MAIN if name != BLINK_DIFFERENCE),
    "cheekPuff",
)


def scores(seed=0):
    return np.random.default_rng(seed).uniform(size=(len(NAMES), len(EXPRESSIONS)))


def mirrored(values):
    """What a method that confuses left and right would answer."""
    other = {"Left": "Right", "Right": "Left"}
    columns = []
    for name in EXPRESSIONS:
        side = next((side for side in other if name.endswith(side)), "")
        stem = name.removesuffix(side)
        columns.append(EXPRESSIONS.index(stem + other[side] if side else name))
    return values[:, columns]


def points(gap=0.3):
    """68 points in a picture of 64 pixels: eyes 10 pixels wide, their lids so far apart."""
    found = np.random.default_rng(1).uniform(10.0, 54.0, size=(68, 2))
    for start, left in ((36, 15.0), (42, 39.0)):
        x = left + np.array([0.0, 3.0, 7.0, 10.0, 7.0, 3.0])
        y = 25.0 + 10.0 * gap * np.array([0.0, -0.5, -0.5, 0.0, 0.5, 0.5])
        found[start : start + 6] = np.stack([x, y], axis=1)
    return found


def write_data(folder, **teacher):
    pictures = folder / "aflw2000_dev" / "AFLW2000"
    pictures.mkdir(parents=True)
    (folder / "teacher").mkdir()
    original = np.column_stack([points(), np.zeros(68)]).T.astype(np.float32)
    for number, name in enumerate(NAMES):
        Image.fromarray(np.full((64, 64, 3), 20 * number, np.uint8)).save(pictures / name)
        content = {
            "Pose_Para": np.array([[0.0, np.radians(YAW[number]), 0.0, 0.0, 0.0, 0.0, 1.0]]),
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": np.zeros((29, 1)),
            "pt3d_68": original,
        }
        savemat(pictures / name.replace(".jpg", ".mat"), content)
    again = np.stack([points(0.15 if number < 3 else 0.3).T for number in range(len(NAMES))])
    np.savez(
        folder / "aflw2000_dev" / "annotations.npz",
        name=np.array(NAMES),
        pts68_original=np.stack([original] * len(NAMES)),
        pts68_reannotated=again,
        yaw_deg=YAW,
        roi_box=np.array([[5.0, 5.0, 60.0, 60.0]] * len(NAMES)),
    )
    write_scores(folder / "teacher" / "aflw2000_dev.npz", **teacher)


def write_scores(path, values=None, names=NAMES, expressions=EXPRESSIONS, **more):
    given = scores() if values is None else values
    arrays = {"name": np.array(names), "blendshapes": given}
    np.savez(path, **arrays, blendshape_names=np.array(expressions), **more)


def evaluate(folder, *words):
    main(["evaluate", "expressions", "--data", str(folder), "--out", str(folder / "out"), *words])


def report_of(folder, values, **more):
    given = folder / "other.npz"
    write_scores(given, values, **more)
    with pytest.raises(SystemExit) as stop:
        evaluate(folder, "--predictions", str(given))
    assert stop.value.code == 0
    return Report.read(folder / "out" / "report.json")


def test_the_teachers_own_answers_are_right(tmp_path):
    found = np.arange(len(NAMES)) != 4
    write_data(tmp_path, found=found)
    report = report_of(tmp_path, scores())
    for name in (PHOTOS, f"{PHOTOS}, other expressions"):
        table = report.table(name)
        np.testing.assert_allclose(table.values("correlation with the teacher"), 1.0)
        assert set(table.values("faces")) == {10}  # one is turned away, one the teacher missed
    assert report.table(PHOTOS).values("expression") == list(MAIN)
    assert report.table(f"{PHOTOS}, other expressions").values("expression") == [
        "cheekPuff"
    ]  # _neutral is none
    assert (report.method, report.conditions["faces within range"]) == ("other", 11)
    assert set(report.versions) >= {"teacher", "predictions"}


def test_mirrored_answers_are_caught_by_left_minus_right(tmp_path):
    write_data(tmp_path)
    table = report_of(tmp_path, mirrored(scores())).table(PHOTOS)
    figures = dict(zip(MAIN, table.values("correlation with the teacher"), strict=True))
    assert figures[BLINK_DIFFERENCE] == pytest.approx(-1.0)
    assert figures["jawOpen"] == pytest.approx(1.0)
    assert figures["eyeBlinkLeft"] < 0.9


def test_figures_are_those_of_numpy_on_shuffled_rows(tmp_path):
    write_data(tmp_path)
    order = np.random.default_rng(3).permutation(len(NAMES))
    other = 0.5 * scores() + 0.5 * scores(1)
    names = tuple(NAMES[k] for k in order)
    report = report_of(tmp_path, other[order], names=names)
    column = EXPRESSIONS.index("mouthPucker")
    expected = np.corrcoef(scores()[:11, column], other[:11, column])[0, 1]
    row = ("mouthPucker", "correlation with the teacher")
    assert report.table(PHOTOS).value(*row) == pytest.approx(expected)
    assert report.rows is not None
    assert report.rows.values("image") == list(NAMES[:11])
    np.testing.assert_allclose(report.rows.values("mouthPucker, predicted"), other[:11, column])


def test_eyes_are_closed_where_the_annotation_says_so(tmp_path):
    write_data(tmp_path)
    values = scores()
    lids = [EXPRESSIONS.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    values[:, lids] = 0.1
    values[:3, lids] = [[0.9, 0.9], [0.9, 0.7], [0.5, 0.9]]
    table = report_of(tmp_path, values).table(EYES)
    closed, opened = table.rows
    assert closed[1:] == (0.9, pytest.approx(5 / 6), 6)
    assert opened[1:] == (pytest.approx(0.1), 0.0, 16)


def test_sides_of_eyes_are_the_subjects():
    landmarks = np.stack([points()])
    landmarks[0, 42:48] = points(0.1)[42:48]  # the subject's left eye
    ratios = eye_aspect_ratios(landmarks)
    np.testing.assert_allclose(ratios, [[0.1, 0.3]])
    blinks = np.array([[0.8, 0.0]])
    predicted = ExpressionScores(
        ("one",), blinks, ("eyeBlinkLeft", "eyeBlinkRight"), np.ones(1, bool)
    )
    closed, opened = closed_and_open_eyes(predicted, ratios).values()
    assert (closed.median, closed.share_shut, opened.median, opened.share_shut) == (0.8, 1, 0, 0)
    landmarks[0, 42:48] = landmarks[0, 42]
    assert np.isnan(eye_aspect_ratios(landmarks)[0, 0])


def test_a_method_that_found_other_faces_than_the_teacher_is_refused(tmp_path, capsys):
    first = np.arange(len(NAMES)) < 6
    write_data(tmp_path, found=first)
    write_scores(tmp_path / "other.npz", found=~first)
    with pytest.raises(SystemExit) as stop:
        evaluate(tmp_path, "--predictions", str(tmp_path / "other.npz"))
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "none of the 11 faces was found by both" in line


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        ({}, ["--teacher", "none.npz"], "none.npz: there is no such file"),
        ({"names": NAMES[:5]}, [], "no row for image00005.jpg and 5 more of the 11 pictures"),
        ({"names": (NAMES[0], *NAMES[:-1])}, [], "'name' holds a name twice"),
        ({"values": scores()[:, :5]}, [], "'blendshape_names' must hold 5 names, got 17"),
        (
            {"expressions": [name.removesuffix("Left") for name in EXPRESSIONS]},
            [],
            "lacks eyeBlinkLeft",
        ),
        ({"values": np.full((12, 17), np.nan)}, [], "holds numbers that are not finite"),
        ({"found": np.zeros(12, bool)}, [], "none of the 11 faces has scores"),
        ({}, ["--only", "profile.txt"], "none of the 1 annotated faces is within 45"),
        ({}, ["--num-heads", "-1"], "--num-heads must be in"),
        ({}, ["--weights", "a", "--predictions", "b"], "--predictions come with"),
    ],
)
def test_bad_input_is_one_line(change, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if "names" in change:
        change = {"values": scores()[: len(change["names"])], **change}
    write_data(tmp_path, **change)
    Path("profile.txt").write_text(NAMES[-1] + "\n")
    with pytest.raises(SystemExit) as stop:
        evaluate(tmp_path, "--num-heads", "0", *words)
    assert stop.value.code in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlanet: ")
    assert message in line
    assert not (tmp_path / "out").exists()


class Seer:
    """Answers what `expressions` says of each crop it is shown, in their order."""

    def __init__(self, model, expressions, size=32):
        layout = model.layout
        self.config = SimpleNamespace(input_size=size, layout=layout)
        self.expressions, self.crops = expressions, []

    def __call__(self, crops):
        start = len(self.crops)
        self.crops += list(crops)
        vectors = np.zeros((len(crops), self.config.layout.size), np.float32)
        cut = self.config.layout.slices["expression"]
        vectors[:, cut] = self.expressions[start : len(self.crops)]
        return vectors


def test_photos_are_cut_by_their_original_landmarks():
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 255, (64, 64, 3), np.uint8) for name in NAMES[:3]}
    dataset = PictureSet(pictures)
    layout = CoefficientLayout(identity=2, expression=3, albedo=1)
    model = SimpleNamespace(layout=layout, expression_names=("a", "b", "c"))
    seer = Seer(model, rng.uniform(size=(2, 3)))
    original = np.stack([np.column_stack([points() + k, np.zeros(68)]) for k in range(3)])
    annotations = SimpleNamespace(names=NAMES[:3], original_px=original)
    network = SimpleNamespace(regressor=seer, model=model)
    found = predict_photos(network, dataset, annotations, [2, 0])
    assert found.names == (NAMES[2], NAMES[0])
    np.testing.assert_allclose(found.values, seer.expressions, rtol=1e-6)
    for row, crop in zip((2, 0), seer.crops, strict=True):
        square = square_from_landmarks(original[row])
        np.testing.assert_array_equal(crop, crop_square(pictures[NAMES[row]], square, 32).image)


class PictureSet:
    def __init__(self, pictures):
        self.index_of = {name: place for place, name in enumerate(pictures)}
        self.pictures = list(pictures.values())

    def __getitem__(self, place):
        return SimpleNamespace(image=self.pictures[place])


@pytest.fixture(scope="module")
def winking(model):
    """Heads without glasses, the numbers of those that wink, and what they show."""
    heads = unseen_heads(model, 32, 0, "without glasses")
    numbers = list(winking_heads(heads, 300))
    return heads, numbers


def test_winks_are_found_without_rendering(winking):
    heads, numbers = winking
    names = heads.model.expression_names
    lids = [names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    assert numbers
    for number in range(0, 300, 7):
        shown = heads.model.layout.split(heads[number].coefficients).expression[lids]
        assert (number in numbers) == (shown.max() >= SHUT and shown.min() <= OPEN)


def test_the_same_heads_are_covered_and_not_turned_away(model):
    heads = [unseen_heads(model, 32, 3, cover) for cover in COVERS]
    for number in range(20):
        plain, *covered = (each[number] for each in heads)
        assert abs(plain.angles_deg[1]) <= 45.0
        for other in covered:
            np.testing.assert_array_equal(plain.coefficients, other.coefficients)
            assert (plain.image != other.image).any()


def test_a_network_that_knows_the_heads_is_right(model, winking):
    heads, numbers = winking
    chosen = [*range(8), *numbers[:2]]
    known = np.stack([heads.model.layout.split(heads[k].coefficients).expression for k in chosen])
    for sign, share in ((1.0, 1.0), (-1.0, 0.0)):
        network = SimpleNamespace(regressor=Seer(model, sign * known), model=model)
        found, winks = score_heads(network, count=8, seed=0, cover="without glasses")
        np.testing.assert_allclose(found.known.values, known[:8])
        np.testing.assert_allclose(found.predicted.values, sign * known[:8])
        right, alike = winks_told_apart(winks)
        assert (right.value, right.count, alike.value) == (share, 2, 0.0)


def test_eyes_that_are_said_to_be_alike_are_not_told_apart(winking):
    heads, numbers = winking
    known = np.stack([heads.model.layout.split(heads[numbers[0]].coefficients).expression])
    names = heads.model.expression_names
    both = [
        ExpressionScores(("a",), values, names, np.ones(1, bool)) for values in (known, 0 * known)
    ]
    right, alike = winks_told_apart(HeadScores(*both))
    assert (right.value, alike.value) == (0.0, 1.0)


def test_the_command_runs_the_shipped_network(tmp_path):
    write_data(tmp_path)
    with pytest.raises(SystemExit) as stop:
        evaluate(tmp_path, "--num-heads", "4", "--seed", "5")
    assert stop.value.code == 0
    report = Report.read(tmp_path / "out" / "report.json")
    assert report.conditions["seed"] == 5
    names = [table.name for table in report.tables]
    assert names[:5] == [PHOTOS, EYES, *(f"Rendered heads {cover}" for cover in COVERS)]
    assert report.table(WINKS).values("winks") == [1, 1, 1]


@pytest.mark.data
@pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA is not set")
def test_real_photos_agree_with_a_plain_transcription(tmp_path):
    data = Path(os.environ["MLANET_DATA"])
    truth = np.load(data / "aflw2000_dev" / "annotations.npz")
    teacher = np.load(data / "teacher" / "aflw2000_dev.npz")
    chosen = [k for k in range(60) if teacher["found"][k] and abs(truth["yaw_deg"][k]) <= 45.0]
    assert truth["name"].tolist() == teacher["name"].tolist()
    listed = tmp_path / "names.txt"
    listed.write_text("\n".join(truth["name"][chosen]))
    words = ["--out", str(tmp_path / "out"), "--num-heads", "0", "--only", str(listed)]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "expressions", "--data", str(data), *words])
    assert stop.value.code == 0
    network = Reconstructor.load()
    pictures = AFLW2000(data / "aflw2000_dev")
    crops = [
        crop_square(
            pictures[pictures.index_of[truth["name"][k]]].image,
            square_from_landmarks(truth["pts68_original"][k].T.astype(float)),
            network.regressor.config.input_size,
        ).image
        for k in chosen
    ]
    answers = network.model.layout.split(network.regressor(np.stack(crops))).expression
    mine = answers[:, network.model.expression_names.index("mouthSmileLeft")]
    theirs = teacher["blendshapes"][
        chosen, teacher["blendshape_names"].tolist().index("mouthSmileLeft")
    ]
    report = Report.read(tmp_path / "out" / "report.json")
    found = report.table(PHOTOS).value("mouthSmileLeft", "correlation with the teacher")
    assert found == pytest.approx(np.corrcoef(mine, theirs.astype(float))[0, 1], abs=1e-6)
