import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file

from mlanet.errors import ConfigurationError, DataError
from mlanet.experiments.measure import NetworkPredictor, RunResult, held_out_errors
from mlanet.experiments.rows import Run, ablation_rows
from mlanet.experiments.running import Origin, execute, finished
from mlanet.morphable import load_model
from mlanet.network import PRESETS
from mlanet.training.checkpoint import load_trained
from mlanet.training.data import LabelledFaces


@pytest.fixture(scope="module")
def run(tiny):
    return Run("top-down-semi", ablation_rows(tiny)["top-down-semi"].config)


@pytest.fixture(scope="module")
def done(run, data, aflw2000, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / run.name
    return folder, execute(run, data=data, folder=folder, aflw2000=aflw2000)


def test_the_run_is_described_and_measured(run, done):
    folder, result = done
    assert (result.row, result.seed, result.labelled, result.unlabelled) == (run.row, 0, 16, 8)
    trained = load_trained(folder / "checkpoint.safetensors")
    assert trained.network.config == replace(PRESETS["small"], fusion="top-down")
    assert result.parameters == sum(p.numel() for p in trained.network.parameters())
    assert result.images_per_s > 0
    described = json.loads((folder / "config.json").read_text())
    assert described["training"]["fusion"] == "top-down"
    assert {"commit", "mlanet", "torch"} <= set(described)
    assert set(result.aflw2000.errors) == {"original", "reannotated"}
    assert result.aflw2000.errors["original"].shape == (6,)
    assert not np.allclose(*result.aflw2000.errors.values())


def test_held_out_errors_are_those_that_the_training_reports(done):
    folder, result = done
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    reported = [line["held_out_nme"] for line in lines if "held_out_nme" in line][-1]
    assert result.held_out.shape == (4,)
    assert result.held_out.mean() == pytest.approx(reported, rel=1e-4)


def test_a_face_in_a_box_is_the_face_in_its_crop(done, data):
    network = load_trained(done[0] / "checkpoint.safetensors").network
    predictor = NetworkPredictor(network, load_model())
    batch = next(LabelledFaces(data, 4).held_out_batches(64, 2))
    in_crops = predictor.crop_landmarks_px(batch.images.numpy())
    in_box = predictor.predict_in_box(batch.images[1].numpy(), np.array([0.0, 0.0, 64.0, 64.0]))
    np.testing.assert_allclose(in_box.landmarks_px, in_crops[1], atol=1e-3)
    assert len(held_out_errors(predictor, LabelledFaces(data, 4))) == 4


def test_a_result_is_read_as_it_was_written(run, done):
    folder, result = done
    read = finished(run, folder, with_aflw2000=True)
    assert read.parameters == result.parameters
    np.testing.assert_allclose(read.held_out, result.held_out, atol=1e-5)
    for name, errors in result.aflw2000.errors.items():
        np.testing.assert_allclose(read.aflw2000.errors[name], errors, atol=1e-5)


def test_a_run_of_another_configuration_is_refused(run, done):
    other = replace(run, config=replace(run.config, fusion="none"))
    with pytest.raises(ConfigurationError, match=r"config\.json: the folder holds a run"):
        finished(other, done[0], with_aflw2000=False)


def test_a_run_of_other_data_is_refused(run, done, data, tmp_path):
    mine = Origin.of(run.config, data, None)
    assert finished(run, done[0], with_aflw2000=False, origin=mine).data == mine.data
    other = tmp_path / "other" / "aflw_train"
    other.mkdir(parents=True)
    (other / "images.tar").symlink_to(data / "aflw_train" / "images.tar")
    with np.load(data / "aflw_train" / "labels.npz") as file:
        arrays = dict(file)
    arrays["pts68_px"][5, 3, 0] += 0.5
    np.savez(other / "labels.npz", **arrays)
    theirs = Origin.of(run.config, other.parent, None)
    with pytest.raises(ConfigurationError, match=r"config\.json: data: aflw_train: the run has"):
        finished(run, done[0], with_aflw2000=False, origin=theirs)
    with pytest.raises(ConfigurationError, match=r"config\.json: data: aflw_train"):
        execute(run, data=other.parent, folder=done[0])


def test_results_of_earlier_versions_are_read_but_not_gone_on_with(run, done, data, tmp_path):
    described = json.loads((done[0] / "config.json").read_text())
    del described["batches"]
    (tmp_path / "config.json").write_text(json.dumps(described))
    (tmp_path / "result.json").write_bytes((done[0] / "result.json").read_bytes())
    assert finished(run, tmp_path, with_aflw2000=False) is not None
    origin = Origin.of(run.config, data, None)
    with pytest.raises(ConfigurationError, match=r"config\.json: a run of an earlier version"):
        finished(run, tmp_path, with_aflw2000=False, origin=origin)


def test_a_run_of_another_face_model_is_refused(run, done, data, tmp_path):
    mine = Origin.of(run.config, data, None)
    assert finished(run, done[0], with_aflw2000=False, origin=mine).face_model == mine.face_model
    other = replace(mine, face_model="another")
    with pytest.raises(ConfigurationError, match=r"config\.json: face_model: .* another$"):
        finished(run, done[0], with_aflw2000=False, origin=other)


def test_a_run_from_another_start_is_refused(run, done, data, tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"some weights")
    other = Origin.of(run.config, data, weights)
    with pytest.raises(ConfigurationError, match="backbone: the run has none, this command weig"):
        finished(run, done[0], with_aflw2000=False, origin=other)
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "result.json").write_bytes((done[0] / "result.json").read_bytes())
    described = json.loads((done[0] / "config.json").read_text())
    described["start"] = {"backbone": other.start["backbone"].replace("weights.pth", "moved.pth")}
    (moved / "config.json").write_text(json.dumps(described))
    assert finished(run, moved, with_aflw2000=False, origin=other) is not None
    with pytest.raises(ConfigurationError, match=r"backbone: the run has moved\.pth.* none$"):
        finished(run, moved, with_aflw2000=False, origin=Origin.of(run.config, data, None))
    with pytest.raises(ConfigurationError, match=r"gone\.pth: there is no such file"):
        Origin.of(run.config, data, tmp_path / "gone.pth")


def test_the_result_of_another_row_is_refused(run, done, tmp_path):
    (tmp_path / "result.json").write_text((done[0] / "result.json").read_text())
    assert finished(run, tmp_path, with_aflw2000=True) is not None
    other = Run("both-semi", run.config)
    with pytest.raises(DataError, match=r"result\.json: of top-down-semi, seed 0, not both-semi"):
        finished(other, tmp_path, with_aflw2000=False)


def test_a_folder_without_a_result_is_not_finished(run, done, tmp_path):
    assert finished(run, tmp_path / "none", with_aflw2000=False) is None
    (tmp_path / "config.json").write_text((done[0] / "config.json").read_text())
    assert finished(run, tmp_path, with_aflw2000=False) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "mlanet-ablation-1", "row": "x"}'])
def test_a_malformed_result_is_named(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(DataError, match=r"result\.json"):
        RunResult.load(tmp_path)


def test_an_interrupted_run_goes_on_and_a_missing_measurement_is_added(run, data, aflw2000, done):
    folder, result = done
    before = load_file(folder / "checkpoint.safetensors")
    again = folder.with_name("again")
    again.mkdir()
    for name in ("config.json", "checkpoint.safetensors", "metrics.jsonl"):
        (again / name).write_bytes((folder / name).read_bytes())
    steps = []
    measured = execute(run, data=data, folder=again, progress=lambda *report: steps.append(report))
    assert steps == []
    assert measured.aflw2000 is None
    assert finished(run, again, with_aflw2000=False) is not None
    assert finished(run, again, with_aflw2000=True) is None
    both = execute(run, data=data, folder=again, aflw2000=aflw2000)
    np.testing.assert_allclose(both.aflw2000.errors["original"], result.aflw2000.errors["original"])
    after = load_file(again / "checkpoint.safetensors")
    assert all(np.array_equal(before[name], after[name]) for name in before)
