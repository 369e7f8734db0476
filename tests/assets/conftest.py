import sys
from pathlib import Path

import pytest

ASSETS = Path(__file__).resolve().parents[2] / "assets"


@pytest.fixture(autouse=True, scope="module")
def _scripts():
    """The scripts import each other as they do when they are run."""
    sys.path.insert(0, str(ASSETS))
    yield
    sys.path.remove(str(ASSETS))
