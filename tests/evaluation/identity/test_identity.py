import io
import re
import tarfile
from dataclasses import dataclass
from html import unescape
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.integrate import trapezoid

from mlanet.cli import main
from mlanet.coefficients import CoefficientLayout
from mlanet.errors import DataError
from mlanet.evaluation.identity.scoring import (
    NOTES,
    describe_frames,
    identity_report,
    people_and_videos,
    score_identity,
    standardized,
    whitened,
    within_people,
)
from mlanet.evaluation.reporting import Report
from mlanet.metrics import cosine_similarity, verification
from mlanet.reconstructor import Reconstructor

PEOPLE, VIDEOS, FRAMES = 6, 3, 2
PERSON = np.repeat(np.arange(PEOPLE), VIDEOS * FRAMES)
VIDEO = np.repeat(np.arange(PEOPLE * VIDEOS), FRAMES)
LAYOUT = CoefficientLayout(identity=4, expression=1, albedo=2, rotation="6d")


def rows(signal=2.0, seed=0, columns=4):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(PERSON), columns))
    return signal * rng.normal(size=(PEOPLE, columns))[PERSON] + noise


def slow_scores(values, level):
    """Pair by pair, as `NOTES` says."""
    videos = [values[v == VIDEO] for v in range(PEOPLE * VIDEOS)]
    owner = np.repeat(np.arange(PEOPLE), VIDEOS)
    shown = [v[0] if level == "one frame" else v.mean(axis=0) for v in videos]
    found = []
    for k, one in enumerate(shown):
        if level == "mean of a person":
            for person in range(PEOPLE):
                kept = [shown[j] for j in np.flatnonzero(owner == person) if j != k]
                found.append((one, np.mean(kept, axis=0), owner[k], person))
        else:
            found += [(one, shown[j], owner[k], owner[j]) for j in range(k + 1, len(shown))]
    scores = [cosine_similarity(a[None], b[None])[0, 0] for a, b, *_ in found]
    return np.array(scores), np.array([f[2] for f in found]), np.array([f[3] for f in found])


@pytest.mark.parametrize("level", NOTES)
def test_pairs_are_those_of_the_protocol(level):
    order = np.random.default_rng(1).permutation(len(PERSON))
    if level == "one frame":  # the first frame is meant
        order = np.arange(len(PERSON))
    values = rows()
    found = score_identity(values[order], PERSON[order], VIDEO[order], level, resamples=0)
    expected = verification(*slow_scores(values, level), resamples=0)
    assert (found.same, found.different) == (expected.same, expected.different)
    assert found.auc == pytest.approx(expected.auc)
    assert found.eer == pytest.approx(expected.eer)


def test_what_changes_within_people_counts_little_for_other_people():
    """Of ten directions five are noise; the people they are learnt from are not those compared."""
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(80), 6)
    video = np.repeat(np.arange(240), 2)
    values = 3.0 * rng.normal(size=(80, 10))[person] * (np.arange(10) < 5)
    values = whitened(values + rng.normal(size=values.shape))
    seen = person < 40
    told = within_people(values, person, seen)
    others = (person[~seen] - 40, video[~seen] - 120, "one frame")
    before, after = (score_identity(each[~seen], *others).auc for each in (values, told))
    assert after > before + 0.03
    apart = told[seen].reshape(40, 6, 10)
    spread = (apart - apart.mean(axis=1, keepdims=True)).reshape(-1, 10)
    covariance = spread.T @ spread / 200
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-9)
    assert 0.3 < np.diag(covariance).min() < np.diag(covariance).max() < 1.0


def test_more_knowledge_of_a_person_helps_and_noise_is_chance():
    aucs = [score_identity(rows(0.8), PERSON, VIDEO, k, resamples=0).auc for k in NOTES]
    assert aucs == sorted(aucs)
    chance = [
        score_identity(rows(0.0, seed), PERSON, VIDEO, "one frame", resamples=0).auc
        for seed in range(40)
    ]
    assert np.mean(chance) == pytest.approx(0.5, abs=0.03)


def test_whitening_undoes_any_linear_change_but_a_turn():
    values = rows()
    changed = values @ np.random.default_rng(2).normal(size=(4, 4)) + 7.0
    np.testing.assert_allclose(
        whitened(values) @ whitened(values).T, whitened(changed) @ whitened(changed).T, atol=1e-8
    )
    np.testing.assert_allclose(np.cov(whitened(values).T, bias=True), np.eye(4), atol=1e-10)
    constant = np.column_stack([values, np.full(len(values), 3.0)])
    assert whitened(constant).shape[1] == 4
    assert not standardized(constant)[:, 4].any()


@dataclass
class Frames:
    names: np.ndarray
    identity: np.ndarray | None

    def __post_init__(self):
        self.landmarks_px = np.zeros((len(self.names), 68, 2), np.float32)
        self.landmarks_px[:, :2] = [[4.0, 4.0], [28.0, 28.0]]

    def __len__(self):
        return len(self.names)

    def decode(self, index):
        return np.full((32, 32, 3), index, np.uint8)


def frames():
    who = np.array([f"A_{k}" for k in PERSON])
    digits = zip(VIDEO % VIDEOS, np.arange(len(VIDEO)) % FRAMES, strict=True)
    names = [f"{w}_{v}{f}.webp" for w, (v, f) in zip(who, digits, strict=True)]
    return Frames(np.array(names), who)


class FakeRegressor:
    """Knows frames by their grey level; identity tells people, nothing else does."""

    config = SimpleNamespace(input_size=16, layout=LAYOUT)

    def __call__(self, crops):
        rng = np.random.default_rng(0)
        values = rng.normal(size=(len(PERSON), LAYOUT.size)).astype(np.float32)
        values[:, :4] = rows(9.0)
        return values[crops[:, 8, 8, 0]]


def test_people_and_videos_are_read_from_names():
    person, video = people_and_videos(frames())
    np.testing.assert_array_equal(person, PERSON)
    np.testing.assert_array_equal(video, VIDEO)


@pytest.mark.parametrize("name", ["B_10.webp", "A_x0.webp", "A_1.webp", "A.webp"])
def test_names_that_tell_no_video_are_refused(name):
    with pytest.raises(DataError, match="expected A_"):
        people_and_videos(Frames(np.array([name]), np.array(["A"])))
    with pytest.raises(DataError, match="'identity'"):
        people_and_videos(Frames(np.array([name]), None))


def test_report(tmp_path):
    report = own_report()
    path, *_ = report.write(tmp_path)
    again = Report.read(path)
    assert again.conditions == {"people": 6, "videos": 18, "frames": 36}
    assert (again.rows, again.tables) == (None, report.tables)
    assert [table.name for table in again.tables] == [f"Verification, {level}" for level in NOTES]
    table = again.table("Verification, one frame")
    assert table.value("identity, mean-free", "auc") > 0.95
    assert 0.2 < table.value("albedo, whitened", "auc") < 0.8
    assert f"{table.value('pose', 'auc'):.3f}" in (tmp_path / "report.md").read_text()


def own_report():
    described = describe_frames(SimpleNamespace(regressor=FakeRegressor()), frames())
    return identity_report(described, frames())


def write_frames(folder):
    """The same faces as files; grey levels survive WebP without loss."""
    faces = frames()
    folder.mkdir()
    np.savez(
        folder / "labels.npz",
        name=faces.names,
        identity=faces.identity,
        pts68_px=faces.landmarks_px,
    )
    with tarfile.open(folder / "images.tar", "w") as tar:
        for row, name in enumerate(faces.names.tolist()):
            data = io.BytesIO()
            Image.fromarray(faces.decode(row)).save(data, "WEBP", lossless=True)
            entry = tarfile.TarInfo(name)
            entry.size = len(data.getvalue())
            tar.addfile(entry, io.BytesIO(data.getvalue()))


def test_the_command_writes_figures_and_curves(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    fake = SimpleNamespace(regressor=FakeRegressor())
    monkeypatch.setattr(Reconstructor, "load", lambda **_: fake)
    write_frames(tmp_path / "ytf68")
    out = tmp_path / "out"
    words = ["--data", str(tmp_path), "--out", str(out), "--name", "a <method> [/b]"]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "identity", *words])
    assert stop.value.code == 0
    report = Report.read(out / "report.json")
    assert report.method == "a <method> [/b]"
    printed, text = capsys.readouterr().out, (out / "report.md").read_text()
    page = unescape((out / "report.html").read_text())
    curves = re.findall(r'<polyline points="([^"]+)"', page)
    assert "share of pairs of two people" in page
    assert re.findall(r"<h2>ROC, (.+)</h2>", page) == list(NOTES)
    rows = [row for table in report.tables for row in table.rows]
    for (name, auc, *_), curve in zip(rows, curves, strict=True):
        assert f"{auc:.3f}" in printed
        assert f"| {name} | {auc:.3f} |" in text
        assert f">{name}, AUC {auc:.3f}<" in page
        x, y = np.array([pair.split(",") for pair in curve.split()], dtype=float).T
        width, height = x[-1] - x[0], y[0] - y[-1]
        area = trapezoid((y[0] - y) / height, (x - x[0]) / width)
        assert area == pytest.approx(auc, abs=6e-3)


def test_other_methods_are_scored_by_the_same_code(tmp_path, capsys):
    write_frames(tmp_path / "ytf68")
    order = np.random.default_rng(1).permutation(len(PERSON))
    path, out = tmp_path / "other.npz", tmp_path / "out"
    np.savez(path, names=frames().names[order], identity=rows(9.0)[order])
    words = ["evaluate", "identity", "--data", str(tmp_path), "--out", str(out)]
    words += ["--predictions", str(path)]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    report, own = Report.read(out / "report.json"), own_report()
    assert report.method == "other"
    for table in report.tables:
        assert set(table.values("described by")) == {"identity, whitened", "identity, mean-free"}
        for name, auc, *_ in table.rows:
            assert auc == pytest.approx(own.table(table.name).value(name, "auc"))
    capsys.readouterr()
    for arrays, message in (
        ({"names": frames().names[1:], "identity": rows()[1:]}, "not of these frames"),
        ({"names": frames().names, "identity": np.ones((len(PERSON), 2))}, "the same for all"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 1
        assert message in capsys.readouterr().err


def test_wrong_use_ends_in_one_line(tmp_path, capsys):
    for words in (["--threads", "0"], []):
        with pytest.raises(SystemExit) as status:
            main(["evaluate", "identity", "--data", str(tmp_path), "--out", str(tmp_path), *words])
        assert status.value.code in (1, 2)
        assert capsys.readouterr().err.count("\n") == 1


def test_people_that_training_leaves_out_can_be_compared_alone():
    described = describe_frames(SimpleNamespace(regressor=FakeRegressor()), frames())
    few = identity_report(described, frames(), unseen=True)
    assert few.conditions == {"people": 2, "videos": 6, "frames": 12}
    assert few.table("Verification, one frame").value("identity, mean-free", "auc") > 0.9
