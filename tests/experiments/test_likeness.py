import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from mlanet.experiments import likeness
from mlanet.experiments.likeness import confusion, heads_errors, people_errors
from mlanet.experiments.measure import NetworkPredictor
from mlanet.metrics import verification
from mlanet.morphable import load_model
from mlanet.network import PRESETS, MLANet
from mlanet.synthesis import HeadsConfig, RenderedHeads


def test_confusion_is_the_loop_over_pairs_of_videos():
    rng = np.random.default_rng(0)
    owner = np.array([0, 1, 1, 2, 2, 2, 3])
    alike = np.round(rng.normal(size=(7, 7)), 1)
    alike = alike + alike.T
    expected = []
    for who in (1, 2):
        wrong = []
        for one in np.flatnonzero(owner == who):
            for same in np.flatnonzero(owner == who):
                for other in np.flatnonzero(owner != who):
                    if same != one:
                        mine, theirs = alike[one, same], alike[one, other]
                        wrong.append(float(theirs > mine) + 0.5 * float(theirs == mine))
        expected.append(100.0 * np.mean(wrong))
    np.testing.assert_allclose(confusion(alike, owner), expected)


def test_people_with_equal_shares_of_pairs_have_the_area_under_the_roc_curve():
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(12), 2)
    alike = rng.normal(size=(24, 24)) + 1.5 * (owner[:, None] == owner)
    alike = alike + alike.T
    both = [(a, b) for a in range(24) for b in range(24) if a != b]
    scores = np.array([alike[pair] for pair in both])
    first, second = (owner[[pair[k] for pair in both]] for k in (0, 1))
    auc = verification(scores, first, second, resamples=2).auc
    # Each video is compared with its own pairs alone there, with all pairs here.
    assert confusion(alike, owner).mean() == pytest.approx(100.0 * (1.0 - auc), abs=5.0)


@pytest.fixture
def predictor(monkeypatch):
    monkeypatch.setattr(likeness, "NUM_HEADS", 3)
    return NetworkPredictor(MLANet(PRESETS["small"]).eval(), load_model())


def test_shapes_are_compared_with_those_of_the_heads(predictor, monkeypatch):
    ranges = HeadsConfig(yaw_deg=likeness.MOST_YAW_DEG)
    heads = RenderedHeads(load_model(), count=3, seed=likeness.HEADS_SEED, config=ranges)
    answers = np.stack(
        [heads.coefficients(np.random.default_rng([heads.seed, k])) for k in range(3)]
    )
    answers[1, 100:] += 1.0  # all but the identity
    answers[2, 5] += 1.0
    monkeypatch.setattr(NetworkPredictor, "vectors", lambda _, crops: answers)
    errors = heads_errors(predictor)
    np.testing.assert_allclose(errors[:2], 0.0, atol=1e-3)
    assert 0.1 < errors[2] < 10.0


@pytest.fixture(scope="module")
def frames(points_px, tmp_path_factory):
    """Twelve people, each in a colour of their own, with two frames of each of two videos."""
    folder = tmp_path_factory.mktemp("people")
    colors = np.random.default_rng(2).integers(40, 220, (12, 3))
    names = [f"P{k:02d}_{v}{f}.png" for k in range(12) for v in range(2) for f in range(2)]
    with tarfile.open(folder / "images.tar", "w") as archive:
        for number, name in enumerate(names):
            picture, file = np.zeros((72, 72, 3), np.uint8), io.BytesIO()
            picture[:] = colors[number // 4]
            Image.fromarray(picture).save(file, "PNG")
            member = tarfile.TarInfo(name)
            member.size = file.tell()
            file.seek(0)
            archive.addfile(member, file)
    points = np.tile(points_px[:, :2].astype(np.float32), (len(names), 1, 1))
    identity = np.array([name.split("_")[0] for name in names])
    np.savez(folder / "labels.npz", name=np.array(names), pts68_px=points, identity=identity)
    return folder


def test_every_fourth_person_is_told_from_the_others(predictor, frames, monkeypatch):
    rng, asked = np.random.default_rng(3), []

    def colors(_, crops):
        asked.append(len(crops))
        vectors = rng.normal(size=(len(crops), load_model().layout.size))
        vectors[:, :3] += crops.mean(axis=(1, 2)) * 10.0
        return vectors

    monkeypatch.setattr(NetworkPredictor, "vectors", colors)
    monkeypatch.setattr(likeness, "whitened", lambda rows: rows - rows.mean(axis=0))
    errors = people_errors(predictor, frames)
    assert sum(asked) == 3 * 4
    np.testing.assert_allclose(errors, 0.0)
    monkeypatch.setattr(
        NetworkPredictor, "vectors", lambda _, crops: rng.normal(size=(len(crops), 209))
    )
    assert people_errors(predictor, frames).max() > 10.0
