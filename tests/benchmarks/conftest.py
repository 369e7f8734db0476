import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))


@pytest.fixture(autouse=True, scope="session")
def _scripts():
    """The scripts import each other as they do when they are run."""
    yield
    sys.path.remove(str(BENCHMARKS))
