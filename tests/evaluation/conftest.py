import pytest

from mlanet.morphable import load_model


@pytest.fixture(scope="session")
def model():
    """The embedded face model."""
    return load_model()
