"""What a strict look at the embedded face model's pictures asks for."""

import numpy as np
import pytest

from mlanet.geometry import matrix_from_euler
from mlanet.render import rasterize

SIZE, PIXELS_PER_MM = 768, 4.0
LOWER_LID = [46, 47]
"""Landmarks of the left eye."""

FRONT = matrix_from_euler(np.zeros(3)).T


def seen(model, vertices):
    """Triangle and depth of every pixel, from the front."""
    points = vertices @ FRONT * PIXELS_PER_MM + [SIZE / 2, SIZE / 2, 4000.0]
    return rasterize(points, model.topology.faces, (SIZE, SIZE), cull_backfaces=True)


@pytest.mark.parametrize("seed", range(6))
def test_a_closed_upper_lid_ends_where_the_lower_one_begins(model, seed):
    """It does not hang over it: so far below the open eye the lower lid is seen."""
    identity = np.random.default_rng(seed).normal(size=model.layout.identity) * (seed > 0)
    identity = identity.astype(np.float32)
    expression = np.zeros(model.layout.expression, np.float32)
    opened = model.vertices(identity, expression).astype(float)
    lids = model.landmarks(identity, expression)[LOWER_LID].astype(float)
    expression[model.expression_names.index("eyeBlinkLeft")] = 1.0
    closed = model.vertices(identity, expression).astype(float)
    fallen = (opened - closed)[model.topology.faces, 1].max(axis=1) > 3.0  # of the upper lid
    first, second = sorted((lids @ FRONT)[:, 0] * PIXELS_PER_MM + SIZE / 2)
    columns = np.linspace(first, second, 5).astype(int)
    open_eye = seen(model, opened).face_index[:, columns]
    upper_lid = seen(model, closed).face_index[:, columns]
    eye = (open_eye >= 0) & model.faces_of("eye_left")[open_eye]
    lid = (upper_lid >= 0) & fallen[upper_lid]
    lowest = [SIZE - 1 - mask[::-1].argmax(axis=0) for mask in (eye, lid)]
    assert (lowest[1] - lowest[0]).max() / PIXELS_PER_MM < 1.4  # lower lids give way by up to 1 mm


@pytest.mark.parametrize("extent", [0.5, 1.0])
def test_an_open_mouth_shows_the_upper_incisors(model, face_with, extent):
    found = seen(model, model.subdivide(face_with(jawOpen=extent)).astype(float)).face_index
    teeth = np.where(found >= 0, model.faces_of("teeth_upper")[found], False)
    middle = teeth[:, SIZE // 2 + 8 : SIZE // 2 + 24].sum(axis=0) / PIXELS_PER_MM
    assert 0.7 < np.median(middle) < 3.0  # mm


def test_skin_is_brown_from_dark_to_light(model):
    face = (model.region("face") > 0.95) & (model.region("eyes", "mouth", "brows", "lips") < 0.05)
    colors = []
    for deviations in (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0):
        albedo = np.zeros(model.layout.albedo, np.float32)
        albedo[model.albedo_names.index("skin tone")] = deviations
        colors.append(np.median(model.albedo(albedo)[face], axis=0))
    red, green, blue = np.transpose(colors)
    assert ((red > green + 0.05) & (green > blue + 0.02)).all()
    assert (green > 0.55 * red).all()  # neither red-black
    assert (blue < 0.9 * green).all()  # nor mauve
    np.testing.assert_allclose(255 * np.array(colors[0]), [66, 41, 29], atol=8)


def test_lips_go_along_with_the_skin(model):
    lips = model.region("lips") > 0.95
    cheeks = (model.region("cheeks") > 0.8) & (model.region("face") > 0.95)
    albedo = np.zeros((2, model.layout.albedo), np.float32)
    albedo[:, model.albedo_names.index("skin tone")] = -3.0, 2.0
    for color in model.albedo(albedo):
        share = np.median(color[lips], axis=0) / np.median(color[cheeks], axis=0)
        assert 0.6 < share[1] < 0.9
        assert share[0] > share[1]
