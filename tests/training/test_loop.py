import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mlanet.errors import AssetError, ConfigurationError
from mlanet.training import Stage, train
from mlanet.training.checkpoint import load_trained, read_tensors
from mlanet.training.data import LabelledFaces
from mlanet.training.learner import Learner
from mlanet.training.loop import batches, prepare_folder
from mlanet.training.plan import make_plan

KILLED_AT = 4

KILLED_RUN = """
import os, signal, sys
from pathlib import Path

import torch

from mlanet.training import TrainingConfig, train


def progress(done, total, loss):
    if done == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)


torch.set_num_threads(1)
config = TrainingConfig.read(Path(sys.argv[1]))
data, out = Path(sys.argv[2]), Path(sys.argv[3])
train(config, data=data, out=out, checkpoint_seconds=float(sys.argv[5]), progress=progress)
"""


@pytest.fixture(scope="module")
def uninterrupted(data, tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    seen = []
    validation = train(
        tiny,
        data=data,
        out=out,
        log_every=2,
        validate_every=3,
        progress=lambda *report: seen.append(report),
    )
    return out, validation, seen


@pytest.mark.parametrize(("seconds", "saved"), [(0.0, KILLED_AT), (1e6, 0)])
def test_a_killed_run_goes_on_to_the_same_weights(
    data, tiny, uninterrupted, tmp_path, seconds, saved
):
    """From its last checkpoint, and from the one that it began with."""
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(asdict(tiny)))
    out = tmp_path / "run"
    command = [sys.executable, "-c", KILLED_RUN, settings, data, out, KILLED_AT, seconds]
    killed = subprocess.run([str(part) for part in command], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    checkpoint = out / "checkpoint.safetensors"
    assert read_tensors(checkpoint)[1]["step"] == str(saved)
    steps = []
    train(tiny, data=data, out=out, progress=lambda done, total, loss: steps.append(done))
    assert steps == list(range(saved + 1, tiny.steps + 1))
    expected, found = load_file(uninterrupted[0] / "checkpoint.safetensors"), load_file(checkpoint)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-6, msg=name)


def test_a_run_writes_what_it_did(tiny, uninterrupted):
    out, validation, seen = uninterrupted
    assert [report[:2] for report in seen] == [(k, tiny.steps) for k in range(1, tiny.steps + 1)]
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    logged = {line["step"]: line for line in lines if "loss" in line}
    assert list(logged) == [2, 4, 6]
    assert logged[4]["loss"] == seen[3][2]
    assert logged[4]["images_per_s"] > 0
    assert {"landmarks", "apertures", "photometric", "identity_prior"} <= set(logged[4])
    validated = {line["step"]: line for line in lines if "held_out_nme" in line}
    assert list(validated) == [3, 6]
    assert validated[6] == {"step": 6, **validation}
    described = json.loads((out / "config.json").read_text())
    assert described["training"]["steps"] == tiny.steps
    assert {"mlanet", "commit", "torch"} <= set(described)
    assert any(path.name.startswith("events.out.tfevents") for path in out.iterdir())
    assert not list(out.glob(".*"))


def test_a_broken_picture_is_named_in_the_log_and_a_validation_is_shown(
    make_faces, make_folder, tiny, tmp_path
):
    import tarfile

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, out = tmp_path / "data" / "aflw_train", tmp_path / "run"
    make_folder(folder, make_faces(8).landmarks_px)
    with np.load(folder / "labels.npz") as file:
        arrays = dict(file)
    arrays["pts68_px"][5] = np.inf
    np.savez(folder / "labels.npz", **arrays)
    shard = folder / "images-00.tar"
    with tarfile.open(shard) as archive:
        offsets = {member.name: member.offset_data for member in archive}
    with shard.open("r+b") as file:
        file.seek(offsets["image00001.webp"])
        file.write(bytes(16))
    train(replace(tiny, steps=3, stages=(Stage(1.0, 32),)), data=tmp_path / "data", out=out)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    noted = [line for line in lines if "broken" in line]
    assert noted[0]["broken"][0] == "aflw_train: image00005.webp: 'pts68_px' is not finite"
    assert noted[-1]["broken_samples"] == 2
    assert "aflw_train: image00001.webp: is" in noted[-1]["broken"][-1]
    events = EventAccumulator(str(out), size_guidance={"images": 0})
    events.Reload()
    (picture,) = events.Images("held_out")
    assert (picture.width, picture.height) == (2 * 32, 2 * 32)


def test_a_finished_run_is_only_measured_again(data, tiny, uninterrupted):
    out, validation, _ = uninterrupted
    before = (out / "checkpoint.safetensors").read_bytes()
    seen = []
    again = train(tiny, data=data, out=out, progress=lambda *report: seen.append(report))
    assert again == pytest.approx(validation)
    assert not seen
    assert (out / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"steps": 7}, {"batch_size": 5}])
def test_a_folder_of_another_run_is_refused(data, tiny, uninterrupted, change):
    (field,) = change
    message = rf"config\.json: the folder holds a run of another configuration \({field}\)"
    with pytest.raises(ConfigurationError, match=message):
        train(replace(tiny, **change), data=data, out=uninterrupted[0])


def test_a_run_of_an_earlier_version_is_refused(data, tiny, uninterrupted, tmp_path):
    """Its batches were other ones: going on would be neither the old run nor a new one."""
    described = json.loads((uninterrupted[0] / "config.json").read_text())
    del described["batches"]
    (tmp_path / "config.json").write_text(json.dumps(described))
    message = r"config\.json: a run of an earlier version of mlanet, .* begin another"
    with pytest.raises(ConfigurationError, match=message) as caught:
        train(tiny, data=data, out=tmp_path)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_batches_are_the_same_for_any_number_of_workers(data, tiny):
    faces = LabelledFaces.of(tiny, data)
    alone, several = (list(batches(faces, tiny, 0, workers=count)) for count in (1, 3))
    assert [step for step, _ in several] == list(range(tiny.steps))
    for (_, one), (_, other) in zip(alone, several, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.coefficients, other.coefficients)


def test_data_that_has_changed_is_refused(make_faces, make_folder, tiny, uninterrupted, tmp_path):
    """A run that goes on needs the same order of the data."""
    make_folder(tmp_path / "aflw_train", make_faces(9).landmarks_px)
    with pytest.raises(ConfigurationError, match=r"config\.json: data: aflw_train: the run has"):
        train(tiny, data=tmp_path, out=uninterrupted[0])


def test_wrong_data_leaves_no_folder_behind(tiny, tmp_path):
    from mlanet.errors import DataError

    with pytest.raises(DataError):
        train(tiny, data=tmp_path / "nothing", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def foreign_text(path, _):
    path.write_text("no tensors")


def foreign_tensors(path, _):
    save_file({"weight": torch.zeros(3)}, path)


def foreign_network(path, good):
    tensors, metadata = read_tensors(good)
    save_file({"network.x": torch.zeros(3), **tensors}, path, metadata=metadata)


def lost_optimizer(path, good):
    tensors, metadata = read_tensors(good)
    kept = {name: value for name, value in tensors.items() if not name.startswith("optimizer.7.")}
    save_file(kept, path, metadata=metadata)


def truncated(path, good):
    path.write_bytes(good.read_bytes()[:-1000])


FOREIGN = [foreign_text, foreign_tensors, foreign_network, lost_optimizer, truncated]


@pytest.mark.parametrize("make", FOREIGN)
def test_a_foreign_checkpoint_is_refused(data, tiny, uninterrupted, tmp_path, make):
    path = tmp_path / "checkpoint.safetensors"
    make(path, uninterrupted[0] / "checkpoint.safetensors")
    with pytest.raises(AssetError, match=r"checkpoint\.safetensors") as caught:
        train(tiny, data=data, out=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [foreign_text, foreign_tensors, truncated])
def test_a_foreign_checkpoint_is_not_exported(uninterrupted, tmp_path, make):
    path = tmp_path / "other.safetensors"
    make(path, uninterrupted[0] / "checkpoint.safetensors")
    with pytest.raises(AssetError, match=r"other\.safetensors"):
        load_trained(path)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(AssetError, match=r"none\.safetensors: there is no such checkpoint"):
        load_trained(tmp_path / "none.safetensors")


def test_a_checkpoint_holds_its_network(tiny, uninterrupted):
    out, _, _ = uninterrupted
    trained = load_trained(out / "checkpoint.safetensors")
    assert trained.step == tiny.steps
    assert trained.training["batch_size"] == tiny.batch_size
    assert not trained.network.training
    average = load_file(out / "checkpoint.safetensors")
    for name, tensor in trained.network.state_dict().items():
        assert torch.equal(tensor, average[f"average.{name}"])


def test_a_plan_counts_and_measures_and_writes_nothing(data, tiny):
    before = sorted(path.name for path in data.rglob("*"))
    plan = make_plan(tiny, data=data)
    assert (plan.training_samples, plan.held_out_samples) == (15, 3)
    assert [(stage.input_size, stage.steps) for stage in plan.stages] == [(32, 3), (64, 3)]
    assert plan.parameters == pytest.approx(2.34e6, rel=0.01)
    assert plan.epochs == pytest.approx(6 * 4 / 15)
    assert plan.sources == (("aflw_train + ytf68", 15, 1.0),)
    assert plan.unlabelled_samples == 0
    assert plan.memory_mb is None or 50 < plan.memory_mb < 50_000
    assert all(stage.seconds_per_step > 0 for stage in plan.stages)
    assert plan.seconds == pytest.approx(3 * sum(s.seconds_per_step for s in plan.stages))
    assert sorted(path.name for path in data.rglob("*")) == before


def test_a_plan_of_a_begun_run_is_of_what_is_left(data, tiny, tmp_path):
    learner = Learner.start(tiny)
    faces = LabelledFaces.of(tiny, data)
    prepare_folder(tmp_path, tiny, None, faces.fingerprints, learner.objective.model_name)
    learner.step(0, faces.training_batch(0, 32, tiny))
    learner.save(tmp_path / "checkpoint.safetensors", 4)
    # A run that goes on does not read the files that it began with.
    plan = make_plan(tiny, data=data, out=tmp_path, init=tmp_path / "gone.safetensors")
    assert plan.done == 4
    assert [(stage.input_size, stage.steps) for stage in plan.stages] == [(64, 2)]
    with pytest.raises(ConfigurationError, match=r"another configuration \(seed\)"):
        make_plan(replace(tiny, seed=9), data=data, out=tmp_path)


def test_a_plan_reads_what_the_run_would_start_from(data, tiny, tmp_path):
    for name in ("init", "backbone"):
        with pytest.raises(AssetError, match=r"gone\.safetensors"):
            make_plan(tiny, data=data, out=tmp_path, **{name: tmp_path / "gone.safetensors"})
