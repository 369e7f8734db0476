"""Steps of a learner with labelled and unlabelled samples, and by several processes."""

import json
import os
import socket
import subprocess
import sys
import tarfile
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from mlanet.errors import ConfigurationError
from mlanet.network import PRESETS
from mlanet.training import LossWeights, RenderedWeights, SourceConfig, Stage, train
from mlanet.training.data import LabelledFaces
from mlanet.training.learner import Learner, cut_batch

TWO = """
import json, sys
from pathlib import Path
import torch
from mlanet.training import TrainingConfig, train
torch.set_num_threads(1)
losses = []
config = TrainingConfig.read(Path(sys.argv[1]))
train(config, data=Path(sys.argv[2]), out=Path(sys.argv[3]),
      progress=lambda done, total, loss: losses.append(loss))
if losses:
    Path(sys.argv[4]).write_text(json.dumps(losses))
"""


@pytest.fixture(scope="module")
def semi(tiny):
    return replace(
        tiny,
        steps=3,
        batch_size=4,
        stages=(Stage(1.0, 32),),
        unlabelled=0.5,
        unlabelled_warmup=0.0,
        sources=(SourceConfig("aflw_train", 0.5), SourceConfig(heads=8, share=0.5)),
        unlabelled_sources=(SourceConfig("ytf68"),),
        weights=LossWeights(
            wing=0.1, coefficients=0.5, weighted_coefficients=0.5, vertices=0.01, shape=0.01
        ),
        unlabelled_weights=RenderedWeights(flip=0.1, symmetry=0.1, edges=0.1),
        frozen_norms=True,
    )


@pytest.fixture(scope="module")
def batch(data, semi):
    return LabelledFaces.of(semi, data).training_batch(0, 32, semi)


def test_a_step_reports_the_terms_of_both_parts(semi, batch):
    learner = Learner.start(semi)
    report = learner.step(0, batch)
    used = {f"unlabelled_{name}" for name in RenderedWeights.__slots__}
    used -= {"unlabelled_identity_features", "unlabelled_albedo_uniformity"}
    labelled = {n for n in LossWeights.__slots__ if getattr(semi.weights, n) > 0}
    assert set(report.terms) == used | labelled
    weights = asdict(semi.weights)
    weights |= {f"unlabelled_{n}": w for n, w in asdict(semi.unlabelled_weights).items()}
    expected = sum(weights[name] * value for name, value in report.terms.items())
    assert report.loss == pytest.approx(expected, rel=1e-4)


def test_labels_of_unlabelled_samples_have_no_effect(semi, batch):
    wrong = {
        name: torch.cat([getattr(batch, name)[:2], 3.0 + 2.0 * getattr(batch, name)[2:]])
        for name in ("landmarks_px", "weight", "coefficients")
    }
    first = Learner.start(semi).step(0, batch)
    assert Learner.start(semi).step(0, replace(batch, **wrong)) == first


def test_known_coefficients_alone_are_compared(semi, batch):
    learner = Learner.start(semi)
    wrong = batch.coefficients + 7.0 * (1.0 - batch.known)
    same = Learner.start(semi).step(0, replace(batch, coefficients=wrong))
    assert same.terms["coefficients"] == learner.step(0, batch).terms["coefficients"]
    nothing = replace(batch, known=torch.zeros_like(batch.known))
    terms = Learner.start(semi).step(0, nothing).terms
    names = ("coefficients", "weighted_coefficients", "vertices", "shape")
    assert [terms[name] for name in names] == [0.0] * 4


def test_labelled_samples_may_be_rendered_too(semi, batch):
    report = Learner.start(replace(semi, labelled_rendered=0.5)).step(0, batch)
    assert {"rendered_photometric", "unlabelled_photometric"} <= set(report.terms)
    assert report.loss > Learner.start(semi).step(0, batch).loss


def test_terms_of_unlabelled_samples_grow(semi, batch):
    config = replace(semi, steps=100, unlabelled_warmup=0.5)
    assert [config.unlabelled_factor_at(k) for k in (0, 24, 49, 99)] == [0.02, 0.5, 1.0, 1.0]
    early = Learner.start(config).step(0, batch)
    assert early.loss < Learner.start(replace(config, unlabelled_warmup=0.0)).step(0, batch).loss


def test_parts_of_a_step_sum_to_the_step(semi, batch):
    """With frozen norms, accumulated gradients are those of the whole batch."""
    free = replace(semi, gradient_clip=1e9)  # clipping would hide a factor
    whole, parted = Learner.start(free), Learner.start(replace(free, accumulation=2))
    one, other = whole.step(0, batch), parted.step(0, batch)
    assert other.loss == pytest.approx(one.loss, rel=1e-5)
    for mine, theirs in zip(whole.network.parameters(), parted.network.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=2e-3, atol=2e-3)


def test_parts_hold_each_sample_once(batch):
    parts = cut_batch(batch, 2)
    assert [part.labelled.tolist() for part in parts] == [[True, False]] * 2
    rows = torch.cat([part.images for part in parts])
    np.testing.assert_array_equal(rows, batch.images[[0, 2, 1, 3]])


def test_sixteen_bits_are_near_thirty_two(semi, batch):
    exact = Learner.start(semi).step(0, batch)
    mixed = Learner.start(replace(semi, precision="bf16"))
    assert mixed.step(0, batch).loss == pytest.approx(exact.loss, rel=0.05)
    assert all(parameter.dtype == torch.float32 for parameter in mixed.network.parameters())


def test_half_precision_needs_a_gpu(semi):
    with pytest.raises(ConfigurationError, match="precision: fp16 needs a GPU"):
        Learner.start(replace(semi, precision="fp16"))


def test_frozen_norms_stay(semi, batch):
    def statistics(frozen):
        learner = Learner.start(replace(semi, frozen_norms=frozen))
        before = learner.network.backbone.body.bn1.running_mean.clone()
        learner.step(0, batch)
        return before, learner.network.backbone.body.bn1.running_mean

    assert torch.equal(*statistics(True))
    assert not torch.equal(*statistics(False))


@pytest.mark.parametrize("count", [0, 2, 4])
def test_frozen_stages_stay_and_the_rest_learns(semi, batch, count, tmp_path):
    config = replace(semi, frozen_norms=False, frozen_stages=count, learning_rate=0.1)
    learner = Learner.start(config)
    torch.nn.init.normal_(learner.network.heads["identity"].weight)
    before = {name: each.clone() for name, each in learner.network.state_dict().items()}
    learner.step(0, batch)
    after = learner.network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    body = "backbone.body."
    first_moved = {0: 0, 2: 3, 4: 7}[count]
    stem = {f"{body}conv_stem.weight", f"{body}bn1.running_mean"}
    assert moved.isdisjoint(stem) if count else stem <= moved
    numbers = {int(name.split(".")[3]) for name in moved if name.startswith(f"{body}blocks.")}
    assert numbers == set(range(first_moved, 7))
    assert any(name.startswith("fusion.") for name in moved)
    learner.save(tmp_path / "checkpoint.safetensors", 1)
    assert Learner.start(config).load(tmp_path / "checkpoint.safetensors") == 1


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_two_processes_train_as_one(make_faces, make_folder, semi, tmp_path):
    """The same losses and, after three steps, the same weights; norms are frozen.

    Every third picture is broken: whichever process meets one, the run's log names it.
    """
    config = replace(semi, sources=(), unlabelled_sources=())
    data = tmp_path / "data"
    pictures = [np.full((64, 64, 3), 10 * number, np.uint8) for number in range(18)]
    make_folder(data / "aflw_train", make_faces(18).landmarks_px, pictures)
    for path in sorted((data / "aflw_train").glob("*.tar")):
        with tarfile.open(path) as archive:
            members = [m.offset_data for m in archive if int(m.name[5:10]) % 3 == 1]
        with path.open("r+b") as file:
            for offset in members:
                file.seek(offset)
                file.write(bytes(16))
    met = []
    for rank in range(2):
        faces = LabelledFaces.of(config, data)
        for step in range(config.steps):
            faces.training_batch(step, 32, config, rank, 2)
        met.append(set(faces.broken))
    assert met[1] - met[0]
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(asdict(config)))
    port, jobs = str(free_port()), []
    for rank in range(2):
        world = {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        words = [settings, data, tmp_path / "two", tmp_path / "losses.json"]
        command = [sys.executable, "-c", TWO, *(str(word) for word in words)]
        jobs.append(
            subprocess.Popen(command, env=os.environ | world, stderr=subprocess.PIPE, text=True)
        )
    for job in jobs:
        _, errors = job.communicate(timeout=240)
        assert job.returncode == 0, errors[-800:]
    losses: list[float] = []
    train(
        config,
        data=data,
        out=tmp_path / "one",
        progress=lambda done, total, loss: losses.append(loss),
    )
    assert json.loads((tmp_path / "losses.json").read_text()) == pytest.approx(losses, rel=1e-4)
    from safetensors.torch import load_file

    one, two = (load_file(tmp_path / run / "checkpoint.safetensors") for run in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        if name.startswith("network."):
            torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-3, msg=name)
    logs = {
        run: [json.loads(line) for line in (tmp_path / run / "metrics.jsonl").open()]
        for run in ("one", "two")
    }
    assert sum("held_out_nme" in line for line in logs["two"]) == 1
    named = {
        run: {text for line in lines for text in line.get("broken", ())}
        for run, lines in logs.items()
    }
    assert named["two"] == named["one"]
    assert len(named["two"]) >= len(met[0] | met[1])


def test_samples_that_processes_cannot_share_are_refused(semi):
    from mlanet.training.processes import Processes

    with pytest.raises(ConfigurationError, match="batch_size: 2 labelled samples"):
        Processes(0, 4).check(semi)


def test_the_papers_weights_can_be_trained_with(semi, batch, tmp_path):
    from mlanet.training import TrainingConfig, paper_weights

    path = tmp_path / "paper.json"
    path.write_text('{"weights": "paper", "unlabelled_weights": "paper"}')
    config = TrainingConfig.read(path)
    assert (config.weights, config.unlabelled_weights) == paper_weights(PRESETS["mobile"].layout)
    assert config.unlabelled_weights.identity_features == 0.35
    no_faces = replace(config.unlabelled_weights, identity_features=0.0)
    learner = Learner.start(replace(semi, weights=config.weights, unlabelled_weights=no_faces))
    assert {"emphasised_landmarks", "unlabelled_albedo_uniformity"} <= set(
        learner.step(0, batch).terms
    )
