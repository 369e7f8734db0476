import pytest

from mlanet.morphable import MorphableModel


@pytest.fixture(scope="session")
def model():
    """The embedded face model."""
    return MorphableModel.load()
