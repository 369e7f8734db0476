"""onnxruntime is opened in one place and reports to nobody."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlanet.assets import verified_path
from mlanet.errors import AssetError
from mlanet.sessions import TELEMETRY_OFF, open_session

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
