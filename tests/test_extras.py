import importlib.metadata
import json
from importlib.metadata import PackageNotFoundError

import pytest

from mlanet import extras

CHECKOUT = {"dir_info": {"editable": True}, "url": "file:///home/me/mlanet"}
WHEEL = {"archive_info": {}, "url": "https://example.org/mlanet-1-py3-none-any.whl"}


@pytest.mark.parametrize(
    ("recorded", "command"),
    [
        (json.dumps(CHECKOUT), "pip install '.[train]'"),
        (json.dumps(WHEEL), "pip install 'mlanet[train]'"),
        (None, "pip install 'mlanet[train]'"),
        ("damaged", "pip install 'mlanet[train]'"),
    ],
)
def test_the_command_fits_the_installation(monkeypatch, recorded, command):
    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return recorded

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed())
    assert extras.install_command("train") == command


def test_a_folder_on_the_path_is_no_installation(monkeypatch):
    def absent(_):
        raise PackageNotFoundError("mlanet")

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    assert extras.install_command("heic") == "pip install 'mlanet[heic]'"
