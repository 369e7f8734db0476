import numpy as np
import pytest

from mlanet.morphable import load_model


@pytest.fixture(scope="session")
def model():
    """The embedded face model."""
    return load_model()


@pytest.fixture(scope="session")
def face_with(model):
    """Base vertices or landmarks of the mean face with some expressions at given extents."""

    def shape_of(part="shape", **extents):
        expression = np.zeros(model.layout.expression, np.float32)
        for name, extent in extents.items():
            expression[model.expression_names.index(name)] = extent
        return getattr(model, part)(np.zeros(model.layout.identity, np.float32), expression)

    return shape_of
