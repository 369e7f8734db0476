import importlib.metadata
import json
import shlex
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from mlanet import extras

WHEEL = {"archive_info": {}, "url": "https://example.org/mlanet-1-py3-none-any.whl"}


def installed(monkeypatch, recorded):
    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return recorded

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed())


@pytest.mark.parametrize(
    "recorded",
    [
        json.dumps(WHEEL),
        json.dumps({"dir_info": {}, "url": "file:///nowhere/mlanet"}),
        json.dumps({"dir_info": {}}),
        None,
        "damaged",
    ],
)
def test_from_an_index_the_name_is_enough(monkeypatch, recorded):
    installed(monkeypatch, recorded)
    assert extras.install_command("train") == "pip install 'mlanet[train]'"


def test_the_command_of_a_checkout_works_from_any_folder(monkeypatch, tmp_path):
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text("")
    described = {"dir_info": {"editable": True}, "url": checkout.as_uri()}
    installed(monkeypatch, json.dumps(described))
    monkeypatch.chdir(checkout)
    assert extras.install_command("usd") == "pip install '.[usd]'"
    monkeypatch.chdir(tmp_path)
    assert shlex.split(extras.install_command("usd"))[-1] == f"{checkout}[usd]"


def test_a_folder_on_the_path_is_its_own_checkout(monkeypatch):
    def absent(_):
        raise PackageNotFoundError("mlanet")

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    root = Path(__file__).parents[1]
    monkeypatch.chdir(root)
    monkeypatch.setattr(extras, "__file__", str(root / "src/mlanet/extras.py"))
    assert extras.install_command("heic") == "pip install '.[heic]'"
    monkeypatch.setattr(extras, "__file__", "/lib/site-packages/mlanet/extras.py")
    assert extras.install_command("heic") == "pip install 'mlanet[heic]'"


def test_what_is_missing_is_told_by_the_packages_own_record(monkeypatch):
    lines = [
        "numpy>=1.26",
        "absent-package>=1",
        "pytest>=8; extra == 'dev'",
        'missing-one>=2; extra == "web"',
        "numpy; python_version > '3' and extra == 'web'",
        "numpy; extra == 'fine'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: lines)
    extras._requirements.cache_clear()
    try:
        assert extras.missing_extras() == {"web": ("missing-one",), "fine": ()}
        versions = extras.package_versions()
        assert versions == {"numpy": importlib.metadata.version("numpy"), "absent-package": None}
    finally:
        extras._requirements.cache_clear()
