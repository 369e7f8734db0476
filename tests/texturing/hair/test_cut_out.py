import numpy as np
import pytest

from mlanet.texturing.hair.cut_out import cut_out

SIDE = 64


def grid(cells):
    """A square of 100 mm with its uv, in triangles."""
    u, v = (each.reshape(-1) for each in np.meshgrid(*2 * [np.linspace(0.0, 1.0, cells + 1)]))
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).reshape(-1)
    right, up = corner + 1, corner + cells + 1
    faces = np.concatenate(
        [np.stack([corner, right, up], axis=1), np.stack([right, up + 1, up], axis=1)]
    )
    uv = np.stack([u, v], axis=1)
    return faces.astype(np.int32), np.column_stack([100.0 * uv, 0.0 * u]), uv


def areas(faces, vertices):
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)[:, 2] / 2.0


def disc(radius):
    """Cover that falls off over two texels at a circle around the middle."""
    x, y = np.meshgrid(*2 * [(np.arange(SIDE) + 0.5) / SIDE - 0.5])
    edge = (radius - np.hypot(x, y)) * SIDE / 2.0 + 0.5
    return np.rint(255.0 * np.clip(edge, 0.0, 1.0)).astype(np.uint8)


@pytest.mark.parametrize("cells", [6, 12])
def test_a_disc_is_cut_from_a_square_along_its_circle(cells):
    faces, vertices, uv = grid(cells)
    kept, points, places = cut_out(faces, vertices, uv, disc(0.35))
    size = areas(kept, points)
    assert (size >= 0.0).all()  # none is turned over
    assert size.sum() == pytest.approx(np.pi * 35.0**2, rel=0.01)
    reach = np.linalg.norm(points[kept] - [50.0, 50.0, 0.0], axis=-1)
    assert reach.max() < 36.5
    np.testing.assert_array_equal(points[: len(vertices)], vertices)
    np.testing.assert_allclose(points[:, :2], 100.0 * places, atol=1e-9)


def test_what_is_covered_stays_and_what_is_not_goes():
    faces, vertices, uv = grid(3)
    for value, left in ((255, faces), (0, faces[:0])):
        kept, points, _ = cut_out(faces, vertices, uv, np.full((8, 8), value, np.uint8))
        np.testing.assert_array_equal(kept, left)
        assert len(points) == len(vertices)
