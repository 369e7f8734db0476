import pytest
from hypothesis import settings

settings.register_profile("mlanet", deadline=None)  # no test is timed
settings.load_profile("mlanet")


@pytest.fixture(scope="session")
def torch():
    """PyTorch. A test that asks for it is left out of a bare install; all others run there."""
    return pytest.importorskip("torch", reason="needs the extra train")
