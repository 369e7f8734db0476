"""onnxruntime is opened in one place and reports to nobody."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mlanet.sessions
from mlanet.assets import verified_path
from mlanet.errors import AssetError, UsageError
from mlanet.network.runtime import CoefficientRegressor
from mlanet.reconstructor import Reconstructor
from mlanet.sessions import (
    CPU,
    DEVICES,
    TELEMETRY_OFF,
    Device,
    chosen_device,
    device_states,
    open_session,
)

SOURCE = Path(__file__).parents[1] / "src/mlanet"


def test_telemetry_is_off_before_onnxruntime_is_imported():
    code = (
        "import os, sys\nos.environ.pop('ORT_DISABLE_TELEMETRY', None)\nimport mlanet\n"
        "from mlanet.detection import CenterFace\nassert 'onnxruntime' not in sys.modules\n"
        "CenterFace.load()\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != TELEMETRY_OFF}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "1"
    assert done.stderr == ""


def test_nothing_else_opens_sessions():
    opening = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"InferenceSession(\(|\):)", path.read_text(encoding="utf-8"))
    ]
    assert opening == ["sessions.py"]


def test_a_pickled_session_is_opened_anew():
    session = open_session(verified_path("mobile"), 1)
    content = pickle.dumps(session)
    assert len(content) < 1000
    crops = np.random.default_rng(0).uniform(size=session.get_inputs()[0].shape[1:])
    given = {"crop": crops[None].astype(np.float32)}
    for one, other in zip(
        session.run(None, given), pickle.loads(content).run(None, given), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_bad_models_are_named(tmp_path):
    with pytest.raises(AssetError, match="missing"):
        open_session(tmp_path / "missing.onnx", 1)
    with pytest.raises(AssetError, match="the ONNX model"):
        open_session(b"nothing", 1)
    with pytest.raises(ValueError, match="threads"):
        open_session(verified_path("detector"), 0)


@pytest.fixture
def _anew():
    mlanet.sessions._starts.cache_clear()
    yield
    mlanet.sessions._starts.cache_clear()


class Listing:
    """An onnxruntime that lists some providers."""

    def __init__(self, *names):
        self._names = [DEVICES[name].provider for name in ("cpu", *names)]

    def __getattr__(self, name):
        import onnxruntime

        return getattr(onnxruntime, name)

    def get_available_providers(self):
        return self._names


@pytest.mark.usefixtures("_anew")
def test_a_device_that_is_not_there_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setattr(mlanet.sessions, "_onnxruntime", Listing)
    states = device_states()
    assert states["cpu"] == "ready"
    assert chosen_device("auto") == "cpu"
    for name, package in (("cuda", "onnxruntime-gpu"), ("openvino", "onnxruntime-openvino")):
        remedy = f"pip uninstall onnxruntime; pip install {package}"
        assert states[name] == remedy
        with pytest.raises(UsageError, match=f"^the device {name} is not there: {remedy}$"):
            Reconstructor.load(device=name)
    with pytest.raises(UsageError, match="there is no device 'abacus'; there are auto, cpu, cuda"):
        open_session(verified_path("mobile"), 1, "abacus")


@pytest.mark.usefixtures("_anew")
def test_a_device_without_its_driver_is_not_there(monkeypatch):
    monkeypatch.setattr(mlanet.sessions, "_onnxruntime", lambda: Listing("cuda"))
    assert device_states()["cuda"] == (
        "onnxruntime has it, but its driver or its libraries are missing"
    )
    assert chosen_device("auto") == "cpu"
    with pytest.raises(UsageError, match="driver"):
        chosen_device("cuda")


def test_settings_hold_the_number_of_threads_where_a_device_counts_them():
    assert DEVICES["openvino"].settings(3)["num_of_threads"] == "3"
    assert CPU.settings(3) == {}
    assert Device("Some", "some", {"a": "b"}).settings(2) == {"a": "b"}


@pytest.mark.parametrize("name", [name for name in DEVICES if name != "cpu"])
def test_every_device_sees_the_same_face(name):
    if device_states()[name] != "ready":
        pytest.skip(f"{name}: {device_states()[name]}")
    photo = verified_path("example-image")
    (expected,), (found,) = (
        Reconstructor.load(device="cpu")(photo),
        Reconstructor.load(device=name)(photo),
    )
    np.testing.assert_allclose(found.landmarks_px, expected.landmarks_px, atol=1e-3)
    np.testing.assert_allclose(found.vertices, expected.vertices, atol=1e-3)
    crops = np.repeat(expected.crop.image[None], 3, axis=0)
    regressor = pickle.loads(pickle.dumps(CoefficientRegressor.load(device=name)))
    for one in regressor(crops):
        np.testing.assert_allclose(one, CoefficientRegressor.load()(crops[:1])[0], atol=1e-4)
