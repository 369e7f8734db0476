from dataclasses import replace

import pytest

from mlanet.cli.outputs import Outputs
from mlanet.errors import UsageError
from mlanet.morphable import load_model


def test_names_are_taken_once_and_in_any_order():
    outputs = Outputs(formats="json, glb,json", draw="pose,overlay, pose")
    assert outputs.format_names == ("json", "glb")
    assert outputs.pictures == ("overlay", "pose")
    same = Outputs(formats="glb,json", draw="pose")
    assert outputs.record() == same.record()
    assert outputs.record() != Outputs(draw="pose", mesh="face").record()


def test_a_missing_extra_is_wrong_usage(monkeypatch):
    monkeypatch.setattr("mlanet.export.formats.find_spec", lambda _: None)
    Outputs().check()
    with pytest.raises(UsageError, match=r"pip install .*\[usd\]"):
        Outputs(formats="glb,usdz").check()


def test_the_face_alone_needs_a_model_with_regions():
    model = load_model()
    bare = replace(model, regions={})
    Outputs(mesh="face").check_model(model)
    Outputs().check_model(bare)
    with pytest.raises(UsageError, match=r"--mesh face: the face model open-5.* has no region"):
        Outputs(mesh="face").check_model(bare)
