"""A checkpoint of an exported network (assets/checkpoint.py)."""

import runpy
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from mlanet.assets import asset_records
from mlanet.training.checkpoint import load_trained
from mlanet.training.config import TrainingConfig
from mlanet.training.data import LabelledFaces

SCRIPT = Path(__file__).resolve().parents[2] / "assets" / "checkpoint.py"


@pytest.fixture(scope="module")
def recovered(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("recovered") / "start.safetensors"
    network = asset_records()["mobile"].path
    words = [str(SCRIPT), str(network), "--data", str(data), "--out", str(out), "--batches", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return out


def test_answers_are_those_of_the_exported_network(recovered):
    network = load_trained(recovered).network
    rng = np.random.default_rng(0)
    crops = rng.random((3, 3, 128, 128), dtype=np.float32)
    session = onnxruntime.InferenceSession(asset_records()["mobile"].path)
    expected, *_ = session.run(None, {"crop": crops})
    found = network(torch.from_numpy(crops)).coefficients.numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_norms_hold_the_statistics_of_their_inputs(recovered, data):
    """So that in training mode, on the same crops, answers stay close to what they were."""
    network = load_trained(recovered).network
    config = TrainingConfig()
    batch = LabelledFaces(data, config.held_out).training_batch(0, 128, config)
    images = batch.pixels()
    expected = network(images).coefficients
    found = network.train()(images).coefficients
    assert float((found - expected).abs().mean()) < 0.02 * float(expected.abs().mean())
