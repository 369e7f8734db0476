"""Batches that are made on the device, against those that are made picture by picture."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mlanet.errors import DataError
from mlanet.image import square_from_landmarks
from mlanet.synthesis import RenderedHeads, write_samples
from mlanet.training import SourceConfig, augmentation, resident_crops, resident_heads, train
from mlanet.training.data import LabelledFaces
from mlanet.training.learner import Learner
from mlanet.training.plan import make_plan
from mlanet.training.resident import ResidentFaces
from mlanet.training.resident_heads import RenderedBeside
from mlanet.training.resident_store import SURROUNDINGS, Store, reduced
from mlanet.training.sample import Face
from mlanet.training.sources import HeadSource

ALL = ["identity", "expression", "albedo", "rotation", "translation", "lighting"]


@pytest.fixture(scope="module")
def root(model, data, tmp_path_factory):
    """Photos with and without depth, and nine rendered heads."""
    root = tmp_path_factory.mktemp("resident")
    for name in ("aflw_train", "ytf68"):
        (root / name).symlink_to(data / name)
    sizes = {name: getattr(model.layout, name) for name in ("identity", "expression", "albedo")}
    settings = {"kind": "heads", "face_model": model.name, "albedo": "open", "layout": sizes}
    heads = RenderedHeads(model, size=64, count=9)
    write_samples(heads, root / "heads", settings | {"known": ALL})
    return root


@pytest.fixture(scope="module")
def mixed(tiny):
    return replace(
        tiny,
        batch_size=12,
        unlabelled=0.25,
        sources=(
            SourceConfig("aflw_train", 0.4),
            SourceConfig("ytf68", 0.2),
            SourceConfig("heads", 0.4),
        ),
        unlabelled_sources=(SourceConfig("ytf68"),),
    )


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_batch_without_chance_is_the_processors(root, mixed, neutral, flip, monkeypatch):
    for module in (augmentation, resident_crops):
        monkeypatch.setattr(module, "REFLECTED", 0.0)
    config = replace(mixed, augmentation=replace(neutral, flip=flip))
    faces = LabelledFaces.of(config, root)
    resident = ResidentFaces(faces, config, "cpu")
    for step in range(3):
        theirs = faces.training_batch(step, 32, config)
        mine = resident.training_batch(step, 32, config)
        assert mine.num_unlabelled == theirs.num_unlabelled == 3
        differences = np.abs(mine.images.numpy().astype(float) - theirs.images.astype(float))
        # OpenCV interpolates in steps of a thirty-second of a pixel.
        assert differences.mean() < 1.0
        assert np.quantile(differences, 0.99) < 12.0
        np.testing.assert_allclose(mine.landmarks_px, theirs.landmarks_px, rtol=0, atol=2e-3)
        np.testing.assert_allclose(mine.coefficients, theirs.coefficients, rtol=0, atol=1e-4)
        np.testing.assert_allclose(mine.size_px, theirs.size_px, rtol=1e-4)
        for name in ("weight", "has_depth", "known"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))


def test_batches_repeat_and_their_changes_differ_from_step_to_step(root, mixed):
    faces = LabelledFaces.of(mixed, root)
    resident = ResidentFaces(faces, mixed, "cpu")
    first, again = (resident.training_batch(2, 32, mixed) for _ in range(2))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.landmarks_px, again.landmarks_px)
    assert (resident.training_batch(3, 32, mixed).landmarks_px != first.landmarks_px).any()


def test_processes_share_a_batch(root, mixed, neutral, monkeypatch):
    monkeypatch.setattr(resident_crops, "REFLECTED", 0.0)
    config = replace(mixed, augmentation=neutral)
    faces = LabelledFaces.of(config, root)
    resident = ResidentFaces(faces, config, "cpu")
    whole = resident.training_batch(1, 32, config)
    parts = [resident.training_batch(1, 32, config, rank, 3) for rank in range(3)]
    assert [len(part.images) for part in parts] == [4, 4, 4]
    together = torch.cat([part.images.flatten(1).long().sum(dim=1) for part in parts])
    assert sorted(together.tolist()) == sorted(whole.images.flatten(1).long().sum(dim=1).tolist())


def test_heads_rendered_beside_are_those_of_the_source(model):
    heads = RenderedHeads(model, size=32, count=70, seed=3)
    beside = RenderedBeside(heads, model, "cpu", 2)
    try:
        assert beside.wait() == 70
    finally:
        beside.close()
    source = HeadSource(heads)
    for index in (0, 63, 64, 69):
        face = source[index]
        np.testing.assert_array_equal(beside.store.images[index], face.image)
        np.testing.assert_array_equal(beside.store.landmarks_px[index], face.landmarks_px)
        np.testing.assert_array_equal(beside.store.coefficients[index], face.coefficients)
    assert beside.store.known.all()
    assert not beside.store.free.any()


def test_a_failing_renderer_is_named(model):
    beside = RenderedBeside(replace(RenderedHeads(model, count=3), size=0), model, "cpu", 1)
    with pytest.raises(DataError, match="rendered heads"):
        beside.wait()
    beside.close()


def test_broken_samples_are_replaced_by_the_next(root, mixed, neutral, monkeypatch):
    config = replace(mixed, augmentation=neutral, unlabelled=0.0)
    faces = LabelledFaces.of(config, root)
    read = faces.face
    whole = ResidentFaces(faces, config, "cpu")
    monkeypatch.setattr(faces, "face", lambda place: None if place[1] in (2, 8) else read(place))
    resident = ResidentFaces(faces, config, "cpu")
    heads = next(k for k, source in enumerate(faces.sources) if source.name == "heads")

    def landmarks(resident, index):
        store, rows = resident._stored(heads, np.array([index]), True)
        return store.landmarks_px[rows[0]]

    for index, shown in ((1, 1), (2, 3), (3, 3), (7, 7), (8, 0)):
        assert torch.equal(landmarks(resident, index), landmarks(whole, shown))


def no_landmarks(faces, chosen):
    read = faces.face

    def face(place):
        found = read(place)
        return replace(found, has_landmarks=False) if chosen(place) else found

    return face


def test_samples_without_landmarks_are_unlabelled_ones_only(root, tiny, neutral, monkeypatch):
    config = replace(
        tiny,
        sources=(SourceConfig("ytf68", 0.5), SourceConfig("aflw_train", 0.5)),
        unlabelled=0.5,
        unlabelled_sources=(SourceConfig("ytf68"),),
        augmentation=neutral,
    )
    faces = LabelledFaces.of(config, root)
    monkeypatch.setattr(faces, "face", no_landmarks(faces, lambda place: place == (0, 1)))
    resident = ResidentFaces(faces, config, "cpu")
    rows = {
        labelled: resident._stored(0, np.arange(1, 4), labelled)[1].tolist()
        for labelled in (True, False)
    }
    assert rows[True][0] == rows[True][1] == rows[False][1]
    assert rows[False][0] != rows[False][1]
    assert faces.broken[0, "1 without landmarks"] == "ytf68: 1: without landmarks"


def test_labelled_sources_need_landmarks(root, mixed, monkeypatch):
    faces = LabelledFaces.of(mixed, root)
    monkeypatch.setattr(faces, "face", no_landmarks(faces, lambda place: place[0] == 1))
    with pytest.raises(DataError, match="for unlabelled_sources only"):
        ResidentFaces(faces, mixed, "cpu")


def test_heads_that_are_not_there_yet_are_replaced_by_training_ones(root, tiny, monkeypatch):
    """Without photos every fourth head is held out: none of those may come instead."""
    monkeypatch.setattr(resident_heads, "FIRST", 10)
    monkeypatch.setattr(RenderedBeside, "_collect", lambda *_: None)
    config = replace(tiny, sources=(SourceConfig(heads=100),))
    faces = LabelledFaces(root, config.held_out, config.sources)
    resident = ResidentFaces(faces, config, "cpu")
    resident._beside[0]._ready = 10
    _, rows = resident._stored(0, np.arange(1, 100), True)
    resident.close()
    held_out = {index for _, index in faces.held_out}
    assert held_out & set(range(10))
    assert set(rows[9:].tolist()) == set(range(10)) - held_out
    assert rows[:9].tolist() == list(range(1, 10))


def test_what_fails_while_reading_stops_the_rendering(root, tiny, monkeypatch):
    config = replace(
        tiny, sources=(SourceConfig("aflw_train", 0.5), SourceConfig(heads=1000, share=0.5))
    )
    faces = LabelledFaces.of(config, root)
    begun = []
    start = RenderedBeside.__init__
    monkeypatch.setattr(
        RenderedBeside, "__init__", lambda self, *given: begun.append(self) or start(self, *given)
    )

    def fail(_):
        raise DataError("torn")

    monkeypatch.setattr(faces, "face", fail)
    with pytest.raises(DataError, match="torn"):
        ResidentFaces(faces, config, "cpu")
    assert len(begun) == 1
    assert not begun[0]._thread.is_alive()


KILLED = """
import sys, time
from mlanet.morphable import MorphableModel
from mlanet.synthesis import RenderedHeads
from mlanet.training.resident_heads import RenderedBeside

if __name__ == "__main__":
    model = MorphableModel.load()
    beside = RenderedBeside(RenderedHeads(model, size=32, count=10**6), model, "cpu", 2)
    while not beside.ready:
        time.sleep(0.05)
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_killed_training_leaves_no_renderer(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(KILLED.replace("10**6", "10**4"))
    run = subprocess.Popen(
        [sys.executable, script], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout.readline() == "ready\n"

    def alive():
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == run.pid and fields[0] != "Z":
                found.append(stat.parent.name)
        return found

    assert len(alive()) > 2
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 30
    while alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive()


def test_of_large_pictures_the_faces_surroundings_are_kept(model):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    image = np.kron(coarse, np.ones((20, 20, 1), np.uint8))
    landmarks = np.column_stack([rng.uniform(300, 480, (68, 2)), rng.uniform(-50, 50, 68)])
    size = model.layout.size
    face = Face(
        image=image,
        landmarks_px=landmarks,
        has_depth=True,
        box_px=square_from_landmarks(landmarks),
        coefficients=np.zeros(size),
        known=np.zeros(size, bool),
        square_px=(280.0, 280.0, 220.0),
    )
    assert reduced(face, 800) is face
    small = reduced(face, 256)
    assert small.image.shape == (256, 256, 3)
    scale = 256 / (SURROUNDINGS * (face.box_px[2] - face.box_px[0]))
    np.testing.assert_allclose(
        np.diff(small.landmarks_px, axis=0), scale * np.diff(landmarks, axis=0), atol=1e-6
    )
    np.testing.assert_allclose(square_from_landmarks(small.landmarks_px), small.box_px, atol=1e-6)
    assert small.square_px[2] == pytest.approx(scale * 220.0)
    point = landmarks[5, :2].astype(int)
    place = small.landmarks_px[5, :2]
    x, y = (place + scale * (point - landmarks[5, :2])).astype(int)
    assert np.abs(small.image[y, x].astype(int) - image[point[1], point[0]]).max() < 90
    store = Store.of([face, small], model, "cpu")
    assert store.images.shape == (2, 800, 800, 3)
    np.testing.assert_array_equal(store.extent_px, [[800, 600], [256, 256]])
    np.testing.assert_array_equal(store.images[1, :256, :256], small.image)


def test_a_resident_run_trains(data, tiny, tmp_path):
    seen = []
    found = train(
        replace(tiny, resident=True),
        data=data,
        out=tmp_path,
        progress=lambda *report: seen.append(report),
    )
    assert len(seen) == tiny.steps
    assert 0.0 < found["held_out_nme"] < 100.0
    assert (tmp_path / "checkpoint.safetensors").is_file()


def test_a_plan_of_a_resident_run(data, tiny):
    plan = make_plan(replace(tiny, resident=True), data=data)
    assert [stage.input_size for stage in plan.stages] == [32, 64]
    assert plan.seconds > 0.0


class _Numbers:
    """What a meta tensor is read as."""

    def __float__(self):
        return 0.5

    def __bool__(self):
        return True


def test_a_step_stays_on_its_device(tiny, monkeypatch):
    """On the device `meta` nothing is computed, but tensors of two devices cannot meet."""
    weights = replace(
        tiny.weights, shape=1.0, vertices=1.0, standardized_coefficients=1.0, coefficients=1.0
    )
    learner = Learner.start(replace(tiny, weights=weights))
    size = learner.objective.face.layout.size
    learner.objective.to("meta")
    for name in ("__float__", "__bool__"):
        monkeypatch.setattr(torch.Tensor, name, getattr(_Numbers, name))
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(3, device="meta") + torch.zeros(3)

    def some(*shape):
        return torch.zeros(*shape, device="meta")

    vector = some(4, size).requires_grad_()
    known = learner.objective.forward.__globals__["KnownCoefficients"](some(4, size), some(4, size))
    loss, terms = learner.objective(
        vector, some(4, 3, 32, 32), some(4, 68, 3), some(4), some(4, 68), some(4), known
    )
    loss.backward()
    assert vector.grad.device.type == "meta"
    assert {"shape", "vertices", "photometric", "landmarks"} <= set(terms)
