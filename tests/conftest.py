import pytest


@pytest.fixture(scope="session")
def torch():
    """PyTorch. A test that asks for it is left out of a bare install; all others run there."""
    return pytest.importorskip("torch", reason="needs the extra train")
