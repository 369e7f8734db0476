import json
import sys

import pytest

from mlanet import assets
from mlanet.assets import asset_records
from mlanet.cli import main
from mlanet.extras import package_versions
from mlanet.reconstructor import Reconstructor
from mlanet.sessions import DEVICES


def doctor(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(["doctor", *words])
    return stop.value.code, capsys.readouterr().out


def test_a_whole_installation_works(capsys):
    status, text = doctor(capsys)
    assert status == 0
    assert text.splitlines()[-1] == "everything works"
    assert "device     cpu: ready" in text.splitlines()
    assert f"weights    {asset_records()['mobile'].version}" in text.splitlines()
    for name in DEVICES:
        assert f"device     {name}: " in text
    for record in asset_records().values():
        assert f"asset      {record.name}: ok, sha256 {record.sha256}" in text
    assert "self-test  1 face in " in text


def test_scripts_read_one_object(capsys):
    status, text = doctor(capsys, "--json")
    found = json.loads(text)
    assert status == 0
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["packages"] == package_versions()
    assert found["devices"]["cpu"] == "ready"
    assert set(found["devices"]) == set(DEVICES)
    assert found["self_test"]["faces"] == 1
    for state in found["extras"].values():
        assert bool(state["missing"]) == ("install" in state)


def test_an_altered_file_is_a_problem(capsys, monkeypatch, tmp_path):
    class Altered:
        sha256, version = "0" * 64, "1.2"
        path = tmp_path / "mobile.onnx"

    Altered.path.write_bytes(b"altered")
    monkeypatch.setattr(assets, "asset_records", lambda: {"mobile": Altered})
    assets.verified_path.cache_clear()
    try:
        status, text = doctor(capsys)
    finally:
        assets.verified_path.cache_clear()
    assert status == 1
    assert "asset      mobile: FAILED" in text
    assert f"PROBLEM    {Altered.path}: the file was altered; reinstall mlanet" in text
    assert text.splitlines()[-1] == "something is broken"


def test_what_breaks_is_a_line_and_the_rest_is_looked_at(capsys, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(Reconstructor, "load", broken)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    status, text = doctor(capsys)
    assert status == 1
    assert "PROBLEM    the example photo: unexpected ZeroDivisionError: by zero" in text
    assert "PROBLEM    onnxruntime: " in text
    assert "asset      open_face: ok" in text


def test_no_face_in_the_example_is_a_problem(capsys, monkeypatch):
    monkeypatch.setattr(Reconstructor, "__call__", lambda *_: [])
    status, text = doctor(capsys, "--json")
    assert status == 1
    assert json.loads(text)["problems"] == ["the example photo: 0 faces found, there is 1"]
