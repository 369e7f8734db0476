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


def test_sizes_of_textures_have_limits():
    for size in (64, 4096):
        Outputs(texture_size=size).check()
    for size in (0, 63, 4097):
        with pytest.raises(UsageError, match=rf"^--texture-size must be 64 to 4096 .* got {size}$"):
            Outputs(texture_size=size).check()


def test_textures_need_a_model_that_has_them():
    model = replace(load_model(), base_uv=load_model().base_uv[:0])
    Outputs().check_model(model)
    for options in (
        {"texture": "delit"},
        {"texture_mask": True},
        {"texture_size": 512},
        {"detail": True},
    ):
        with pytest.raises(UsageError, match="has no texture coordinates"):
            Outputs(**options).check_model(model)


def test_textures_are_part_of_the_record():
    records = [
        Outputs().record(),
        Outputs(texture="both").record(),
        Outputs(texture_size=64).record(),
        Outputs(detail=True).record(),
    ]
    assert len({str(sorted(record.items())) for record in records}) == 4
