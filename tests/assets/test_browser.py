"""The browser package's fixtures are what Python says today, so that both stay alike."""

import json
from pathlib import Path

import numpy as np

from mlanet.morphable import load_model
from mlanet.network.runtime import CoefficientRegressor

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "web" / "face" / "tests" / "fixtures" / "pictures"


def test_samples_are_what_the_pure_parts_make():
    from browser import samples

    assert json.loads(samples.FILE.read_text()) == json.loads(json.dumps(samples.samples()))


def test_answers_are_what_is_found_in_the_pictures():
    from browser import answers

    kept = json.loads((PICTURES / answers.FILE).read_text())
    found = answers.answers(PICTURES)
    assert found.keys() == kept.keys()
    for name, faces in found.items():
        assert len(faces) == len(kept[name]) > 0
        for face, before in zip(faces, kept[name], strict=True):
            np.testing.assert_allclose(face["landmarks_px"], before["landmarks_px"], atol=0.05)


def test_the_packed_model_is_the_same_each_time_and_holds_the_network_s_input():
    from browser.face_model import packed_model

    model, regressor = load_model(), CoefficientRegressor.load()
    packed = packed_model(model, regressor)
    assert packed == packed_model(model, regressor)
    length = int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4 : 4 + length])
    assert header["network"]["input_size"] == regressor.config.input_size
    assert len(header["expressions"]) == len(model.expression_names)
