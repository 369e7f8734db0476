import subprocess
import sys

import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.render import interpolate, rasterize, rasterize_naive
from mlanet.render.coverage import nearest_depth

from .scenes import triangle_soup

SIZE = (23, 31)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("cull_backfaces", [False, True])
def test_agrees_with_the_naive_loop(seed, cull_backfaces):
    vertices, faces = triangle_soup(seed)
    fast = rasterize(vertices, faces, SIZE, cull_backfaces=cull_backfaces)
    slow = rasterize_naive(vertices, faces, SIZE, cull_backfaces=cull_backfaces)
    np.testing.assert_array_equal(fast.face_index, slow.face_index)
    np.testing.assert_allclose(fast.barycentric, slow.barycentric, atol=1e-6)
    np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-6)
    assert len(np.unique(fast.face_index)) > 5


def hits(vertices, faces, size):
    """How many triangles own each pixel, each drawn alone."""
    return sum(rasterize(vertices, face[None], size).mask.astype(int) for face in faces)


@pytest.mark.parametrize(
    ("step", "size", "jitter"), [(4.0, 20, 0.0), (1.0, 12, 0.0), (0.5, 6, 0.0), (3.0, 21, 0.9)]
)
def test_grid_owns_each_pixel_once(step, size, jitter):
    position = np.arange(0.0, size + step, step)
    x, y = (grid.reshape(-1) for grid in np.meshgrid(position, position))
    n = len(position)
    inner = (x > 0) & (x < x.max()) & (y > 0) & (y < y.max())
    shift = np.random.default_rng(0).uniform(-jitter, jitter, (2, n * n)) * inner
    vertices = np.stack([x + shift[0], y + shift[1], np.ones(n * n)], axis=1)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).reshape(-1)
    above = np.stack([corner, corner + 1, corner + n + 1], axis=1)
    below = np.stack([corner, corner + n, corner + n + 1], axis=1)
    faces = np.concatenate([above, below])
    assert (hits(vertices, faces, (size, size)) == 1).all()


def test_closed_convex_mesh_is_hit_once_from_each_side(sphere, frontal, camera):
    projected = camera.project(frontal.apply(sphere.vertices))
    whole = rasterize(projected, sphere.faces, (100, 100))
    ab, ac = (projected[sphere.faces[:, k], :2] - projected[sphere.faces[:, 0], :2] for k in (1, 2))
    signed = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    front = sphere.faces[signed < 0]
    np.testing.assert_array_equal(hits(projected, front, (100, 100)), whole.mask)
    culled = rasterize(projected, sphere.faces, (100, 100), cull_backfaces=True)
    np.testing.assert_array_equal(culled.face_index, whole.face_index)


def test_depths_alone_are_those_of_the_nearest_triangles(sphere, frontal, camera):
    projected = camera.project(frontal.apply(sphere.vertices))
    faces = sphere.faces[::2].astype(np.int32)  # through the holes the inside is seen
    whole = rasterize(projected, faces, (100, 100))
    depth = nearest_depth(projected, faces, (100, 100))
    assert 0 < whole.mask.sum() < whole.mask.size
    np.testing.assert_allclose(depth[whole.mask], whole.depth[whole.mask], rtol=1e-3)
    assert (depth[~whole.mask] > 1e20).all()


def test_ties_go_to_the_lower_index():
    vertices = np.array([[0, 0, 2.0], [9, 1, 3.0], [2, 8, 4.0]])
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        fragments = rasterize(vertices, np.array([[0, 1, 2], order]), (10, 10))
        assert set(np.unique(fragments.face_index)) == {-1, 0}


def test_nearer_wins_whatever_the_order():
    near = np.array([[0, 0, 1.0], [9, 0, 1.0], [0, 9, 1.0]])
    vertices = np.concatenate([near + np.array([0, 0, 1]), near])
    faces = np.arange(6).reshape(2, 3)
    assert rasterize(vertices, faces, (10, 10)).face_index.max() == 1
    assert rasterize(vertices, faces[::-1], (10, 10)).face_index.max() == 0


def test_weights_are_perspective_correct(camera):
    corners = np.array([[-150.0, -120.0, 700.0], [180.0, -90.0, 1100.0], [-20.0, 160.0, 1500.0]])
    fragments = rasterize(camera.project(corners), np.array([[0, 1, 2]]), (100, 100))
    points = interpolate(fragments, np.array([[0, 1, 2]]), corners)[fragments.mask]
    row, column = np.nonzero(fragments.mask)
    projected = camera.project(points.astype(np.float64))
    assert len(points) > 500
    # Corners are rounded to 1/256 px.
    np.testing.assert_allclose(projected[:, 0], column + 0.5, atol=4e-3)
    np.testing.assert_allclose(projected[:, 1], row + 0.5, atol=4e-3)
    np.testing.assert_allclose(projected[:, 2], fragments.depth[fragments.mask], rtol=1e-6)
    np.testing.assert_allclose(fragments.barycentric.sum(-1), fragments.mask, atol=1e-6)


def test_triangles_that_cannot_be_drawn_are_left_out():
    inside = [[0, 0, 1.0], [9, 0, 1.0], [0, 9, 1.0]]
    for spoilt in ([0, 9, 0.0], [0, 9, -1.0], [0, 1e10, 1.0], [4.5, 0, 1.0]):
        vertices = np.array([*inside[:2], spoilt])
        assert not rasterize(vertices, np.array([[0, 1, 2]]), (10, 10)).mask.any()
    behind = np.array([*inside[:2], [np.inf, -np.inf, 0.0]])
    assert not rasterize(behind, np.array([[0, 1, 2]]), (10, 10)).mask.any()


def test_huge_triangles_cover_everything():
    vertices = np.array([[-2e6, -2e6, 1.0], [2e6, -2e6, 1.0], [0, 2e6, 1.0]])
    fragments = rasterize(vertices, np.array([[0, 1, 2]]), (10, 10))
    assert fragments.mask.all()
    np.testing.assert_allclose(fragments.barycentric.mean((0, 1)), [0.25, 0.25, 0.5], atol=1e-4)


def test_nothing_to_draw():
    for vertices in (np.zeros((0, 3)), np.ones((3, 3))):
        fragments = rasterize(vertices, np.zeros((0, 3), dtype=np.int32), (4, 5))
        assert fragments.image_size == (4, 5)
        assert (fragments.face_index == -1).all()
        assert not fragments.depth.any()


TRIANGLE = np.array([[0, 0, 1.0], [9, 0, 1.0], [0, 9, 1.0]])
FACE = np.array([[0, 1, 2]])


@pytest.mark.parametrize(
    ("vertices", "faces", "size", "message"),
    [
        (TRIANGLE * [1, np.nan, 1], FACE, (9, 9), "vertices must be finite; vertex 0"),
        (TRIANGLE * [1, 1, np.inf], FACE, (9, 9), "vertices must be finite"),
        (TRIANGLE[:, :2], FACE, (9, 9), r"vertices must be \(v, 3\)"),
        (TRIANGLE, FACE + 1, (9, 9), "faces must index 3 vertices, got 1 to 3"),
        (TRIANGLE, FACE - 1, (9, 9), "faces must index"),
        (TRIANGLE, FACE.astype(float), (9, 9), "faces must be integers"),
        (TRIANGLE, FACE[:, :2], (9, 9), r"faces must be \(f, 3\)"),
        (TRIANGLE, FACE, (0, 9), "image_size must be at least 1 x 1"),
    ],
)
def test_bad_input_is_named(vertices, faces, size, message):
    for draw in (rasterize, rasterize_naive):
        with pytest.raises(RenderError, match=message):
            draw(vertices, faces, size)


def test_compiles_without_a_writable_cache():
    from mlanet.geometry.compiling import compiled

    namespace = {}
    exec("def double(x):\n    return 2 * x", namespace)  # no source file, hence no cache
    assert compiled(namespace["double"])(21) == 42


def test_import_is_cheap():
    code = (
        "import sys, mlanet.render, mlanet.export;"
        "print({'numba', 'cv2', 'scipy', 'trimesh', 'pygltflib', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
