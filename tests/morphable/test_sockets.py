"""Nobody sees through the head beside its eyeballs, whatever it does and wherever one stands."""

import numpy as np
import pytest
from scipy import ndimage

from mlanet.geometry import matrix_from_euler
from mlanet.render import rasterize

SIZE, PIXELS_PER_MM = 768, 3.0
EYE_MM = 22.0
"""Around an eyeball's centre; what is seen of an eye lies nearer."""

INSIDE_MM = 13.0
"""From an eyeball's centre; nothing of the skin but the walls lies so near."""


def heads(model):
    """Identities and expressions of the mean and of random heads, at rest and with open mouths."""
    rng = np.random.default_rng(8)
    identity = rng.normal(size=(6, model.layout.identity)).astype(np.float32)
    expression = np.zeros((6, model.layout.expression), np.float32)
    identity[0] = 0.0
    expression[3:, model.expression_names.index("jawOpen")] = 1.0
    expression[4, model.expression_names.index("eyeWideLeft")] = 1.0
    expression[5, model.expression_names.index("eyeLookOutLeft")] = 1.0
    return zip(identity, expression, strict=True)


def seen_through(vertices, faces, centre):
    """How many pixels around an eye no surface covers though the head encloses them."""
    points = (vertices - centre) * PIXELS_PER_MM + [SIZE / 2, SIZE / 2, 2000.0]
    found = rasterize(points, faces, (SIZE, SIZE), cull_backfaces=True).face_index
    apart, _ = ndimage.label(found < 0)
    border = np.unique(np.concatenate([apart[0], apart[-1], apart[:, 0], apart[:, -1]]))
    rows, columns = np.indices(found.shape) - SIZE / 2
    near = np.hypot(rows, columns) < EYE_MM * PIXELS_PER_MM
    return int((near & (apart > 0) & ~np.isin(apart, border)).sum())


@pytest.mark.parametrize("yaw_deg", [0.0, 30.0, -30.0, 45.0, -45.0])
def test_no_background_shows_inside_the_eyes(model, yaw_deg):
    turn = matrix_from_euler(np.radians([0.0, yaw_deg, 0.0])).T
    for identity, expression in heads(model):
        vertices = model.vertices(identity, expression).astype(float)
        for centre in model.eye_centres(vertices) @ turn:
            assert seen_through(vertices @ turn, model.topology.faces, centre) == 0


def test_the_check_finds_an_open_socket(model):
    """Without the walls behind the eyeballs there are holes."""
    turn = matrix_from_euler(np.radians([0.0, 45.0, 0.0])).T
    vertices = model.vertices(
        np.zeros(model.layout.identity, np.float32), np.zeros(model.layout.expression, np.float32)
    )
    vertices = vertices.astype(float) @ turn
    skin, faces = model.faces_of("skin"), model.topology.faces
    holes = 0
    for centre in model.eye_centres(vertices):
        inside = np.linalg.norm(vertices - centre, axis=1) < INSIDE_MM
        kept = ~(skin & inside[faces].any(axis=1))
        holes += seen_through(vertices, faces[kept], centre)
    assert holes > 0


def test_the_wall_lies_behind_the_front_of_the_eyeball(model):
    """Decoded middles of its edges are half-way to the ball's centre."""
    rest = np.zeros(model.layout.identity, np.float32)
    vertices = model.vertices(rest, np.zeros(model.layout.expression, np.float32))
    skin = np.unique(model.topology.faces[model.faces_of("skin")])
    for centre in model.eye_centres(vertices):
        distance = np.linalg.norm(vertices[skin] - centre, axis=1)
        within = distance < INSIDE_MM
        assert within.sum() == 25
        assert distance[within].max() < 9.0
