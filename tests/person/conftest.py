from dataclasses import replace

import numpy as np
import pytest

from mlanet.coefficients import Coefficients
from mlanet.geometry import AMBIENT_WHITE, Camera, decode_pose, matrix_from_euler, six_d_from_matrix
from mlanet.image import crop_square
from mlanet.morphable import AlbedoModel, load_model
from mlanet.reconstruction import Reconstruction
from mlanet.render import composite, render_mesh

SIZE = 160


@pytest.fixture(scope="session")
def model():
    return load_model(None)


def photographed(model, identity, yaw_deg, tint=(1.0, 1.0, 1.0), given=None):
    """A photo of a neutral head; the reconstruction has the identity `given`, or the true one."""
    rest = np.zeros(model.layout.expression, np.float32)
    coefficients = Coefficients(
        identity=identity,
        expression=rest,
        albedo=np.zeros(model.layout.albedo, np.float32),
        rotation=six_d_from_matrix(matrix_from_euler(np.radians([0.0, yaw_deg, 0.0]))).astype(
            np.float32
        ),
        translation=np.array([0.0, 0.0, -0.05], np.float32),
        lighting=np.zeros(27, np.float32),
    )
    colored = AlbedoModel.load().on(model)
    mesh = colored.mesh(identity, rest, np.zeros(colored.layout.albedo, np.float32))
    light = np.zeros((9, 3))
    light[0], light[1] = 0.8 * AMBIENT_WHITE, 0.5
    pose = decode_pose(coefficients.rotation, coefficients.translation)
    drawn = render_mesh(mesh, pose, Camera.of_crop(SIZE), (SIZE, SIZE), light * np.array(tint))
    picture = composite(drawn, np.full((SIZE, SIZE, 3), 0.5, np.float32))
    image = np.rint(255.0 * picture).clip(0, 255).astype(np.uint8)
    crop = crop_square(image, np.array([0.0, 0.0, SIZE, SIZE]), SIZE)
    seen = coefficients if given is None else replace(coefficients, identity=given)
    return Reconstruction(image, None, crop, seen, "6d", model)


@pytest.fixture(scope="session")
def identity(model):
    values = np.zeros(model.layout.identity, np.float32)
    values[:30] = np.random.default_rng(0).normal(size=30)
    return values


@pytest.fixture(scope="session")
def photos(model, identity):
    """Three photos, of which the second is bluer and the third darker."""
    tints = ((1.0, 1.0, 1.0), (0.8, 0.9, 1.1), (0.7, 0.7, 0.7))
    yaws = (0.0, -45.0, 45.0)
    return [photographed(model, identity, *each) for each in zip(yaws, tints, strict=True)]
