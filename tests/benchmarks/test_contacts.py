"""Gaps and depths on shapes whose answer is known."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from contacts import Part, Sphere, contact_figures, gap_mm, penetration_mm

from mlanet.geometry import MeshTopology

BALL = Sphere(np.array([3.0, 2.0, 1.0]), 12.0)
COLUMNS, ROWS = 121, 100


def lids(half_angle, distance=13.0):
    """Two shells before an eye that leave an opening of that angle above and below the middle."""
    turn = np.linspace(-1.2, 1.2, COLUMNS)
    corner = (np.arange(ROWS - 1)[:, None] * COLUMNS + np.arange(COLUMNS - 1)).reshape(-1, 1)
    halves = np.array([[0, 1, COLUMNS], [1, COLUMNS + 1, COLUMNS]])
    faces = np.concatenate([corner + half for half in halves])
    points = []
    for low, high in ((-1.2, -half_angle), (half_angle, 1.2)):
        up = np.linspace(low, high, ROWS)[:, None]
        ahead = np.cos(up) * np.cos(turn)
        points.append(np.stack([np.sin(turn) + 0 * up, np.sin(up) * np.cos(turn), ahead], axis=-1))
    vertices = np.concatenate([part.reshape(-1, 3) for part in points])
    return BALL.centre + distance * vertices, np.concatenate([faces, faces + ROWS * COLUMNS])


@pytest.mark.parametrize("half_angle", [0.02, 0.05, 0.15])
def test_the_gap_is_the_arc_on_the_eyeball(half_angle):
    assert gap_mm(*lids(half_angle), BALL) == pytest.approx(2 * half_angle * 12.0, abs=0.05)


@pytest.mark.parametrize("half_angle", [0.0, -0.1])
def test_lids_that_touch_or_overlap_leave_none(half_angle):
    assert gap_mm(*lids(half_angle), BALL) == 0.0


def test_what_lies_behind_the_eye_closes_nothing():
    vertices, faces = lids(0.1)
    behind = vertices * [1, 1, -1] + [0, 0, 2 * BALL.centre[2]]
    both = np.concatenate([vertices, behind])
    found = gap_mm(both, np.concatenate([faces, faces[:, ::-1] + len(vertices)]), BALL)
    assert found == gap_mm(vertices, faces, BALL)


def test_a_sphere_comes_back_from_a_part_of_it():
    points = np.random.default_rng(0).normal(size=(200, 3))
    points = points[points[:, 2] > 0.2]
    points = 12.0 * points / np.linalg.norm(points, axis=1, keepdims=True) + [1.0, 2.0, 3.0]
    found = Sphere.fitted(points)
    np.testing.assert_allclose(found.centre, [1.0, 2.0, 3.0])
    assert found.radius == pytest.approx(12.0)


def test_depths_are_signed(with_scipy):
    ball = trimesh.creation.icosphere(subdivisions=4, radius=12.0)
    part = Part(np.arange(len(ball.vertices)), MeshTopology(ball.faces, len(ball.vertices)))
    points = np.array([[0, 0, 11.5], [0, 0, 12.3], [0, 11.0, 0]])
    vertices = np.concatenate([ball.vertices, points])
    rows = np.arange(len(ball.vertices), len(vertices))
    np.testing.assert_allclose(part.distance(vertices, rows), [-0.5, 0.3, -1.0], atol=0.02)


def test_what_lies_beyond_a_sharp_edge_is_outside(with_scipy):
    """Of a thin wedge; its tip's smooth normals and its far side both call points inside."""
    points = np.array([[-1, 0, -8], [1, 0, -8], [0, 0, 0], [-1, 20, -8], [1, 20, -8], [0, 20, 0]])
    hull = trimesh.convex.convex_hull(points)
    rng = np.random.default_rng(0)
    around = rng.uniform([-3, -3, -11], [3, 23, 5], (2000, 3))
    vertices = np.concatenate([hull.vertices, around])
    count = len(hull.vertices)
    part = Part(np.arange(count), MeshTopology(hull.faces, count))
    found = part.distance(vertices, np.arange(count, len(vertices)))
    planes = ((around[:, None] - hull.triangles_center) * hull.face_normals).sum(axis=2)
    assert np.array_equal(found < 0, planes.max(axis=1) < 0)
    assert 20 < (found < 0).sum() < 1000


@dataclass
class Touching:
    """Skin before two eyes and two teeth; one person and one expression move parts of it."""

    def __post_init__(self):
        ball = trimesh.creation.icosphere(subdivisions=3, radius=12.0)
        tooth = trimesh.creation.icosphere(subdivisions=3, radius=5.0)
        self.layout = SimpleNamespace(identity=1, expression=1)
        self.mean, self.faces = [], {}
        for name, mesh, x, y in (
            ("eye_left", ball, 30, 0), ("eye_right", ball, -30, 0),
            ("teeth_upper", tooth, 10, -60), ("teeth_lower", tooth, -10, -60),
        ):  # fmt: skip
            start = sum(map(len, self.mean))
            self.mean.append(np.asarray(mesh.vertices) + np.array([x, y, 0.0]))
            self.faces[name] = np.asarray(mesh.faces) + start
        self.skin = sum(map(len, self.mean))
        # Before the left eye, behind it (does not count), and before the upper teeth.
        self.mean.append(np.array([[30, 0, 13], [30, 0, -11], [10, -60, 6]], float))
        self.faces["skin"] = np.array([[0, 1, 2]]) + self.skin
        self.mean = np.concatenate(self.mean)
        self.topology = MeshTopology(np.concatenate([*self.faces.values()]), len(self.mean))

    def faces_of(self, name):
        start = list(self.faces).index(name)
        before = sum(len(self.faces[k]) for k in list(self.faces)[:start])
        rows = np.arange(len(self.topology.faces))
        return (rows >= before) & (rows < before + len(self.faces[name]))

    def region(self, name):
        assert name == "lips"
        return (np.arange(len(self.mean)) == self.skin + 2).astype(np.float32)

    def vertices(self, identity, expression):
        moved = self.mean.copy()
        moved[self.skin, 2] -= 1.4 * expression[0]
        moved[self.skin + 2, 2] -= 2.0 * identity[0]
        return moved


def test_penetration_of_expressions_and_of_people(with_scipy):
    lids_mm, lips_mm = penetration_mm(Touching(), np.array([[0.2], [1.0], [-1.0]], np.float32))
    assert lids_mm == pytest.approx(0.4, abs=0.05)
    assert lips_mm == pytest.approx(1.0, abs=0.05)


def test_a_model_without_parts_has_no_figures():
    assert set(contact_figures(SimpleNamespace()).values()) == {None}
