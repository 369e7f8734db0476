"""Outlines: their place, their gradients, their limits."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.errors import RenderError
from mlanet.geometry import MeshTopology
from mlanet.render import antialias, interpolate, rasterize

from .scenes import bumpy_balls

SIZE = 40
STEP_PX = 0.005


class Scene:
    """Bumpy balls of one colour each before one of another, weighed by smooth weights."""

    def __init__(self, seed, count):
        vertices, self.topology, colors, self.ball = bumpy_balls(seed, count, SIZE)
        rng = np.random.default_rng(1000 + seed)
        self.vertices = torch.from_numpy(vertices)
        self.colors = torch.from_numpy(colors)
        self.background = torch.from_numpy(rng.uniform(0.0, 1.0, 3))
        rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE
        waves = [
            np.sin(rng.uniform(1, 5) * columns + rng.uniform(1, 5) * rows + rng.uniform(0, 6))
            for _ in range(3)
        ]
        self.weights = torch.from_numpy(np.stack(waves, axis=-1))

    def draw(self, vertices, scale=1, *, outlines=True):
        """The picture, or the same `scale` times as large."""
        places = vertices * torch.tensor([scale, scale, 1.0], dtype=torch.float64)
        size = (SIZE * scale, SIZE * scale)
        found = rasterize(places, self.topology.faces, size, cull_backfaces=True)
        image = interpolate(found, self.topology.faces, self.colors)
        image = torch.where(found.mask[..., None], image, self.background)
        if not outlines:
            return image
        return antialias(image, found, places, self.topology.edge_opposites)

    def value(self, vertices):
        return (self.draw(vertices) * self.weights).sum()

    def true_value(self, vertices, scale=16):
        """The same of the exact coverage, by many samples in each pixel."""
        image = self.draw(vertices, scale, outlines=False)
        return (image.reshape(SIZE, scale, SIZE, scale, 3).mean(dim=(1, 3)) * self.weights).sum()

    def motions(self):
        """Shifts, growth and rotation of each ball, of about a pixel at its outline."""
        for number in range(int(self.ball.max()) + 1):
            own = torch.from_numpy(self.ball == number)[:, None]
            away = self.vertices - self.vertices[own[:, 0]].mean(dim=0)
            x, y, zero = away[:, 0] / 10.0, away[:, 1] / 10.0, torch.zeros_like(away[:, 0])
            one = torch.ones_like(zero)
            for motion in ((one, zero), (zero, one), (x, y), (-y, x)):
                yield own * torch.stack([*motion, zero], dim=1)

    def gradient(self):
        places = self.vertices.clone().requires_grad_()
        return torch.autograd.grad(self.value(places), places)[0]

    def differences(self, function, step):
        with torch.no_grad():
            return torch.stack(
                [
                    (function(self.vertices + step * m) - function(self.vertices - step * m))
                    / (2.0 * step)
                    for m in self.motions()
                ]
            )


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("seed", range(20))
def test_gradient_of_an_outline_is_that_of_finite_differences(seed):
    scene = Scene(seed, 1)
    gradient = scene.gradient()
    found = torch.stack([(gradient * motion).sum() for motion in scene.motions()])
    assert relative(found, scene.differences(scene.value, STEP_PX)) < 0.02


@pytest.mark.parametrize("seed", range(6))
def test_gradient_is_near_that_of_the_exact_coverage(seed):
    scene = Scene(seed, 1)
    gradient = scene.gradient()
    found = torch.stack([(gradient * motion).sum() for motion in scene.motions()])
    assert relative(found, scene.differences(scene.true_value, 0.25)) < 0.08
    image, exact = scene.value(scene.vertices), scene.true_value(scene.vertices)
    hard = (scene.draw(scene.vertices, outlines=False) * scene.weights).sum()
    assert abs(float(image - exact)) < 0.5 * abs(float(hard - exact)) + 0.05


def test_occlusion_has_gradients():
    """Two balls: the picture changes with the near one's outline on the far one.

    Where three surfaces meet in a pixel one of them is not known: the error is larger.
    """
    errors = []
    for seed in range(8):
        scene = Scene(seed, 2)
        gradient = scene.gradient()
        found = torch.stack([(gradient * motion).sum() for motion in scene.motions()])
        errors.append(relative(found, scene.differences(scene.true_value, 0.25)))
    assert np.median(errors) < 0.12


@pytest.mark.parametrize("angle_deg", [0.0, 20.0, 45.0, 70.0, 90.0])
def test_a_moving_edge_moves_the_picture_evenly(angle_deg):
    """A half plane at any angle: the picture's sum is linear in its place, across pixels."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    corners = np.array([[0.0, -90.0], [-90.0, -90.0], [-90.0, 90.0], [0.0, 90.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    topology = MeshTopology(faces, 4)
    rotation = np.array([[c, -s], [s, c]])
    sums = []
    places = np.linspace(-1.5, 1.5, 61)
    for place in places:
        turned = (corners + np.array([place, 0.0])) @ rotation.T + 10.0
        vertices = np.concatenate([turned, np.ones((4, 1))], axis=1)
        found = rasterize(vertices, faces, (20, 20))
        mask = found.mask.astype(np.float32)[..., None]
        blended = antialias(mask, found, vertices, topology.edge_opposites)
        assert blended.min() >= 0.0
        assert blended.max() <= 1.0
        sums.append(blended.sum())
    slope, middle = np.polyfit(places, sums, 1)
    length = 20.0 / max(c, s)  # of the edge in the picture
    assert slope == pytest.approx(length, rel=0.05)
    assert np.abs(np.polyval([slope, middle], places) - sums).max() < 0.6


def test_a_thin_strip_keeps_its_area():
    """A strip of 1.2 px always covers a pixel's centre: its mask adds up to its area."""
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    for left in np.linspace(4.0, 5.0, 11):
        corners = [[left, -9.0], [left + 1.2, -9.0], [left + 1.2, 30.0], [left, 30.0]]
        vertices = np.concatenate([corners, np.ones((4, 1))], axis=1)
        found = rasterize(vertices, faces, (10, 12))
        edges = MeshTopology(faces, 4).edge_opposites
        blended = antialias(found.mask.astype(np.float32)[..., None], found, vertices, edges)
        assert blended.sum() == pytest.approx(12.0, abs=0.05)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("angle", [0.0, 1e-6, 1e-5, 1e-4, 1e-3])
def test_the_mask_stays_a_share(backend, angle):
    """Edges so nearly level that rounding turns them: still between nothing and everything."""
    rng = np.random.default_rng(0)
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    edges = MeshTopology(faces, 4).edge_opposites
    square = np.array([[-5.0, -5.0], [5.0, -5.0], [5.0, 5.0], [-5.0, 5.0]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for _ in range(300):
        corners = square @ turn.T + rng.uniform(8.0, 12.0, 2)
        places = torch.from_numpy(np.concatenate([corners, np.ones((4, 1))], axis=1))
        found = rasterize(places, faces, (20, 20), backend=backend)
        mask = antialias(found.mask.double()[..., None], found, places, edges, backend=backend)
        assert float(mask.min()) >= 0.0
        assert float(mask.max()) <= 1.0
        assert float(mask.sum()) == pytest.approx(100.0, abs=1.0)


def test_edges_inside_a_surface_change_nothing():
    side = np.arange(7) * 4.3 - 2.0
    x, y = (grid.reshape(-1) for grid in np.meshgrid(side, side))
    corner = (np.arange(6)[:, None] * 7 + np.arange(6)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 8], axis=1),
            np.stack([corner, corner + 8, corner + 7], axis=1),
        ]
    ).astype(np.int32)
    vertices = np.stack([x, y, 2.0 + 0.05 * x], axis=1)
    found = rasterize(vertices, faces, (20, 20))
    image = np.random.default_rng(0).uniform(size=(20, 20, 3)).astype(np.float32)
    edges = MeshTopology(faces, 49).edge_opposites
    np.testing.assert_array_equal(antialias(image, found, vertices, edges), image)


def test_hidden_outlines_change_nothing():
    """A small square behind a large one."""
    large = np.array([[-9, -9, 1.0], [40, -9, 1.0], [40, 40, 1.0], [-9, 40, 1.0]])
    small = np.array([[5.2, 5.2, 2.0], [12.7, 5.2, 2.0], [12.7, 12.7, 2.0], [5.2, 12.7, 2.0]])
    quads = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    faces = np.concatenate([quads, quads + 4])
    edges = MeshTopology(faces, 8).edge_opposites
    image = np.random.default_rng(0).uniform(size=(20, 20, 1)).astype(np.float32)
    vertices = np.concatenate([large, small])
    hidden = antialias(image, rasterize(vertices, faces, (20, 20)), vertices, edges)
    np.testing.assert_array_equal(hidden, image)
    vertices[4:, 2] = 0.5
    shown = antialias(image, rasterize(vertices, faces, (20, 20)), vertices, edges)
    assert (shown != image).any(axis=-1).sum() > 20


def test_bad_input_is_named():
    scene = Scene(0, 1)
    found = rasterize(scene.vertices, scene.topology.faces, (SIZE, SIZE))
    edges = scene.topology.edge_opposites
    image = torch.zeros((SIZE, SIZE, 3), dtype=torch.float64)
    with pytest.raises(RenderError, match="image must be"):
        antialias(image[1:], found, scene.vertices, edges)
    with pytest.raises(RenderError, match=r"edges must be \(e, 4\)"):
        antialias(image, found, scene.vertices, edges[:, :2])
    with pytest.raises(RenderError, match="vertices do not fit"):
        antialias(image, found, scene.vertices[None], edges)
