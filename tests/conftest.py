import builtins
import importlib.util
import sys

import pytest
from hypothesis import settings

settings.register_profile("mlanet", deadline=None)  # no test is timed
settings.load_profile("mlanet")

BARE = importlib.util.find_spec("h5py") is None
"""Whether the extra `models` is missing, and `evaluate` with it: the tests have scipy, but mlanet
and what it imports must do without."""


def _hide_scipy():
    """Let mlanet and trimesh find no scipy, whatever is installed."""
    find, load = importlib.util.find_spec, builtins.__import__

    def hidden(name, depth):
        importer = sys._getframe(depth).f_globals.get("__name__", "")
        return name.split(".")[0] == "scipy" and importer.split(".")[0] in ("mlanet", "trimesh")

    def find_spec(name, package=None):
        return None if hidden(name, 2) else find(name, package)

    def import_module(name, *arguments, **options):
        if hidden(name, 2):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return load(name, *arguments, **options)

    importlib.util.find_spec, builtins.__import__ = find_spec, import_module


if BARE:
    _hide_scipy()


@pytest.fixture(scope="session")
def torch():
    """PyTorch. A test that asks for it is left out of a bare install; all others run there."""
    return pytest.importorskip("torch", reason="needs the extra train")


@pytest.fixture(scope="session")
def with_scipy():
    """A test of what needs scipy asks for this, and is left out of a bare install."""
    if BARE:
        pytest.skip("needs the extra models or evaluate")
