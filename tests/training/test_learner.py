from dataclasses import replace

import numpy as np
import pytest
import torch

from mlanet.errors import ConfigurationError
from mlanet.training import Stage, TrainingConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.learner import Learner, learning_rate, update_average
from mlanet.training.samples import Samples


@pytest.fixture(scope="module")
def eight(make_faces, make_folder, tmp_path_factory):
    """Nine faces, one of them held out."""
    root = tmp_path_factory.mktemp("eight")
    make_folder(root / "aflw_train", make_faces(9, seed=4).landmarks_px)
    return root


def test_the_loss_falls_when_eight_faces_are_learnt_by_heart(eight, neutral):
    config = TrainingConfig(
        steps=40,
        batch_size=8,
        learning_rate=5e-4,
        held_out=9,
        stages=(Stage(1.0, 32),),
        augmentation=neutral,
    )
    learner = Learner.start(config)
    faces = LabelledFaces(eight, config.held_out)
    assert len(faces.training) == 8
    batch = faces.training_batch(0, 32, config)
    reports = [learner.step(step, batch) for step in range(40)]
    landmarks = [report.terms["landmarks"] for report in reports]
    assert np.mean(landmarks[-3:]) < 0.4 * landmarks[0]
    assert reports[-1].loss < 0.5 * reports[0].loss
    assert all(report.rate == learning_rate(config, step) for step, report in enumerate(reports))


def test_the_rate_warms_up_and_falls_to_a_thousandth():
    config = TrainingConfig(steps=200, warmup=0.1, learning_rate=0.4)
    rates = [learning_rate(config, step) for step in range(200)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == pytest.approx(0.4)
    assert 19 <= int(np.argmax(rates)) <= 20
    assert (np.diff(rates[20:]) < 0).all()
    assert rates[-1] == pytest.approx(0.0004, rel=0.1)


def test_the_average_follows_weights_and_statistics():
    torch.manual_seed(0)
    network, average = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    torch.nn.init.constant_(network.weight, 5.0)
    network.running_mean.fill_(2.0)
    network.num_batches_tracked.fill_(7)
    update_average(average, network, 0.9, step=10_000)
    assert average.weight.tolist() == pytest.approx([0.9 * 1 + 0.1 * 5] * 3)
    assert average.running_mean.tolist() == pytest.approx([0.2] * 3)
    assert average.num_batches_tracked.item() == 7


def test_the_average_is_quicker_at_the_start():
    network, average = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, 1.0)
    torch.nn.init.constant_(average.weight, 0.0)
    update_average(average, network, 0.998, step=0)
    assert average.weight.item() == pytest.approx(0.9)


def test_norms_and_biases_do_not_decay(tiny):
    groups = Learner.start(replace(tiny, weight_decay=0.3)).optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert {p.ndim for p in groups[0]["params"]} == {4}
    assert {p.ndim for p in groups[1]["params"]} == {1}


def test_the_seed_decides_the_initial_weights(tiny):
    def stem(seed):
        network = Learner.start(replace(tiny, seed=seed)).network
        return network.state_dict()["backbone.body.conv_stem.weight"]

    assert torch.equal(stem(0), stem(0))
    assert not torch.equal(stem(0), stem(1))


def test_pictures_reach_the_network_as_channels_first_in_0_1(data, tiny):
    batch = LabelledFaces(data, 4).training_batch(0, 32, tiny)
    images = batch.pixels()
    assert images.shape == (4, 3, 32, 32)
    assert images.dtype == torch.float32
    np.testing.assert_allclose(
        images.permute(0, 2, 3, 1).numpy() * 255.0, batch.images, rtol=0, atol=1e-4
    )
    assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("change", "device", "message"),
    [
        ({"preset": "giant"}, "cpu", "preset: 'giant' is none of mobile, large, paper, small"),
        ({}, "toaster", "device: 'toaster'"),
    ],
)
def test_impossible_runs_are_refused(tiny, change, device, message):
    with pytest.raises(ConfigurationError, match=message):
        Learner.start(replace(tiny, **change), device=device)


def test_a_loss_that_is_no_number_stops_the_run(data, tiny):
    learner = Learner.start(tiny)
    torch.nn.init.constant_(learner.network.heads["depth"].bias, float("nan"))
    batch = LabelledFaces(data, 4).training_batch(0, 32, tiny)
    with pytest.raises(ConfigurationError, match="became nan at step 0"):
        learner.step(0, batch)


def test_a_run_can_start_from_another_runs_average(tmp_path):
    config = TrainingConfig(steps=5, batch_size=2, seed=1)
    first = Learner.start(config)
    with torch.no_grad():
        for parameter in first.average.parameters():
            parameter.add_(0.125)
    first.save(tmp_path / "first.safetensors", 5)
    second = Learner.start(replace(config, seed=2), init=tmp_path / "first.safetensors")
    for mine, theirs in zip(second.network.parameters(), first.average.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)
        assert mine.requires_grad
    assert second.optimizer.state_dict()["state"] == {}


def sure(config):
    weights = replace(config.weights, likelihood=1.0)
    return replace(config, preset="small", weights=weights)


def test_a_finished_network_learns_how_sure_it_is_and_nothing_else(data, tiny, tmp_path):
    first = Learner.start(replace(tiny, preset="small", seed=5))
    first.save(tmp_path / "first.safetensors", 3)
    config = replace(sure(tiny), trained="uncertainty")
    learner = Learner.start(config, init=tmp_path / "first.safetensors")
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    faces = LabelledFaces(data, 4)
    for step in range(2):
        report = learner.step(step, faces.training_batch(step, 32, config))
    assert np.isfinite(report.terms["likelihood"])
    for name, value in first.average.state_dict().items():
        assert torch.equal(value, before[name])
        assert torch.equal(value, learner.network.state_dict()[name])
        assert torch.equal(value, learner.average.state_dict()[name])
    for name in ("uncertainty.weight", "uncertainty.bias"):
        assert not torch.equal(before[name], learner.network.state_dict()[name])


def test_the_uncertainty_is_learnt_beside_all_else_without_changing_it(data, tiny):
    faces = LabelledFaces(data, 4)
    batch = faces.training_batch(0, 32, tiny)
    weights = []
    for config in (replace(tiny, preset="small"), sure(tiny)):
        # The norm of the whole gradient is no part of the question.
        learner = Learner.start(replace(config, gradient_clip=1e9))
        learner.step(0, batch)
        weights.append(learner.network.state_dict())
    plain, with_head = weights
    assert set(with_head) - set(plain) == {"uncertainty.weight", "uncertainty.bias"}
    for name, value in plain.items():
        torch.testing.assert_close(with_head[name], value, rtol=0, atol=0)


def test_a_run_without_the_term_starts_from_one_that_had_it(tiny, tmp_path):
    Learner.start(sure(tiny)).save(tmp_path / "first.safetensors", 3)
    config = replace(tiny, preset="small")
    learner = Learner.start(config, init=tmp_path / "first.safetensors")
    assert learner.network.uncertainty is None


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
    samples = Samples(
        images=torch.zeros(4, 32, 32, 3, dtype=torch.uint8, device="meta"),
        extent_px=some(4, 2),
        landmarks_px=some(4, 68, 3),
        weight=some(4, 68),
        has_depth=some(4),
        coefficients=some(4, size),
        known=some(4, size),
        squares_px=some(4, 3),
        labelled=torch.ones(4, dtype=torch.bool, device="meta"),
        person=torch.full((4,), -1, device="meta"),
    )
    loss, terms = learner.objective(vector, some(4, 3, 32, 32), samples)
    loss.backward()
    assert vector.grad.device.type == "meta"
    assert {"shape", "vertices", "photometric", "landmarks"} <= set(terms)
