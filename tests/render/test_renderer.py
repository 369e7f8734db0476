import numpy as np
import pytest
import torch

from mlanet.errors import RenderError
from mlanet.geometry import Mesh, MeshTopology, Pose
from mlanet.render import (
    Renderer,
    ambient_light,
    headlight,
    interpolate,
    rasterize,
    render_mesh,
    shade,
    viewer_normals,
)


@pytest.fixture(scope="module")
def renderer(sphere):
    return Renderer(MeshTopology(sphere.faces, len(sphere.vertices)), (100, 100))


def test_arrays_and_tensors_give_one_picture(sphere, frontal, camera, renderer):
    light = headlight()
    array = renderer(sphere.vertices, frontal, camera, light, albedo=sphere.colors)
    pose = Pose(torch.from_numpy(frontal.rotation), torch.from_numpy(frontal.translation))
    tensor = renderer(
        torch.from_numpy(sphere.vertices),
        pose,
        camera,
        torch.from_numpy(light).double(),
        albedo=torch.from_numpy(sphere.colors),
    )
    for name in ("image", "mask", "depth", "normals"):
        np.testing.assert_allclose(
            getattr(array, name), getattr(tensor, name), atol=2e-5, rtol=1e-5, err_msg=name
        )


def test_a_batch_is_its_pictures(sphere, camera, renderer):
    turn = np.diag([1.0, -1.0, -1.0])
    places = np.array([[0.0, 0.0, 1000.0], [30.0, -20.0, 900.0]])
    lights = np.stack([headlight(), ambient_light()])
    heads = np.stack([sphere.vertices, sphere.vertices * 1.1])
    colors = np.stack([sphere.colors, 1.0 - sphere.colors])
    batch = renderer(heads, Pose(np.stack([turn] * 2), places), camera, lights, albedo=colors)
    for k in range(2):
        one = renderer(heads[k], Pose(turn, places[k]), camera, lights[k], albedo=colors[k])
        for name in ("image", "mask", "depth", "normals"):
            np.testing.assert_allclose(getattr(batch, name)[k], getattr(one, name), atol=1e-6)


def test_normals_and_depth_of_a_sphere(sphere, frontal, camera, renderer):
    found = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors)
    rows, columns = np.nonzero(found.hit)
    depth = found.depth[rows, columns]
    x = (columns + 0.5 - 50.0) / 250.0 * depth
    y = (rows + 0.5 - 50.0) / 250.0 * depth
    expected = np.stack([x, -y, 1000.0 - depth], axis=1) / 100.0
    inner = np.hypot(x, y) < 90.0
    np.testing.assert_allclose(found.normals[rows, columns][inner], expected[inner], atol=0.03)
    assert not found.normals[~found.hit].any()


def test_without_light_albedo_is_shown(sphere, frontal, camera, renderer):
    plain = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors)
    white = renderer(sphere.vertices, frontal, camera, ambient_light(), albedo=sphere.colors)
    np.testing.assert_allclose(plain.image, white.image, atol=1e-5)


def test_background_shows_where_the_mesh_is_not(sphere, frontal, camera, renderer):
    background = np.random.default_rng(0).uniform(size=(100, 100, 3)).astype(np.float32)
    found = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors, background=background)
    alone = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors)
    np.testing.assert_array_equal(found.mask, alone.mask)
    np.testing.assert_array_equal(found.image[found.mask == 0], background[found.mask == 0])
    np.testing.assert_array_equal(found.image[found.mask == 1], alone.image[found.mask == 1])
    partial = (found.mask > 0.3) & (found.mask < 0.7)
    mixed = alone.image + (1.0 - alone.mask[..., None]) * background
    assert np.abs(found.image - mixed)[partial].mean() < 0.12  # colours are those of neighbours


def test_shading_is_that_of_an_integrated_light():
    """A light given by its radiance in all directions, integrated over the hemisphere."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(200_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    from mlanet.geometry import harmonics_basis

    coefficients = rng.normal(size=(9, 3)) * 0.3
    coefficients[0] += 3.0
    radiance = harmonics_basis(directions) @ coefficients
    normals = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.0, -0.8, 0.6]])
    cosine = np.maximum(directions @ normals.T, 0.0)
    irradiance = 4.0 * np.pi * (cosine.T @ radiance) / len(directions) / np.pi
    albedo = np.full((3, 3), 0.4)
    np.testing.assert_allclose(shade(albedo, normals, coefficients), albedo * irradiance, rtol=0.02)


def test_memory_and_devices_are_checked(sphere, frontal, camera, renderer):
    with pytest.raises(RenderError, match="albedo or texture must be given"):
        renderer(sphere.vertices, frontal, camera)
    both = {"albedo": sphere.colors, "texture": np.zeros((4, 4, 3))}
    with pytest.raises(RenderError, match="albedo or texture must be given"):
        renderer(sphere.vertices, frontal, camera, **both)
    with pytest.raises(RenderError, match="texture needs uv"):
        renderer(sphere.vertices, frontal, camera, texture=np.zeros((4, 4, 3)))
    bad = sphere.vertices.copy()
    bad[7, 1] = np.nan
    with pytest.raises(RenderError, match="vertices must be finite; vertex 7"):
        renderer(bad, frontal, camera, albedo=sphere.colors)


PLACES = torch.tensor([[0, 0, 1.0], [9, 1, 2.0], [1, 9, 3.0]])
FACE = np.array([[0, 1, 2]])


@pytest.mark.parametrize(
    ("vertices", "faces", "size", "message"),
    [
        (PLACES * torch.tensor([1, float("nan"), 1]), FACE, (9, 9), "vertices must be finite"),
        (torch.stack([PLACES, PLACES * float("inf")]), FACE, (9, 9), "vertex 0 of image 1"),
        (PLACES.int(), FACE, (9, 9), "vertices must be floats"),
        (PLACES[:, :2], FACE, (9, 9), "vertices must be"),
        (PLACES[None, None], FACE, (9, 9), "vertices must be"),
        (PLACES, FACE + 1, (9, 9), "faces must index 3 vertices, got 1 to 3"),
        (PLACES, torch.from_numpy(FACE - 1), (9, 9), "faces must index"),
        (PLACES, torch.from_numpy(FACE).double(), (9, 9), "faces must be integers"),
        (PLACES, FACE, (9, 0), "image_size must be at least 1 x 1"),
        (PLACES, torch.from_numpy(FACE).to("meta"), (9, 9), "faces must be on cpu, got meta"),
    ],
)
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_bad_tensors_are_named(vertices, faces, size, message, backend):
    with pytest.raises(RenderError, match=message):
        rasterize(vertices, faces, size, backend=backend)


def test_empty_and_degenerate_meshes_draw_nothing():
    for vertices in (torch.zeros((0, 3)), torch.ones((3, 3)), torch.ones((2, 3, 3))):
        for faces in (np.zeros((0, 3), dtype=np.int32), FACE):
            if len(faces) and not vertices.shape[-2]:
                continue
            for backend in ("numba", "torch"):
                places = vertices.clone().requires_grad_()
                found = rasterize(places, faces, (4, 5), backend=backend)
                assert not found.mask.any()
                (found.depth.sum() + found.barycentric.sum()).backward()
                assert not places.grad.any()


def test_slivers_stay_finite():
    """Triangles whose area rounding makes or turns: finite weights, finite gradients."""
    rng = np.random.default_rng(0)
    middle = rng.uniform(0.0, 8.0, (500, 1, 2))
    corners = middle + rng.normal(size=(500, 3, 2)) * [0.002, 3.0]
    places = np.concatenate([corners, np.full((500, 3, 1), 2.0)], axis=2).reshape(-1, 3)
    faces = np.arange(1500).reshape(-1, 3)
    for backend in ("numba", "torch"):
        tensors = torch.from_numpy(places).requires_grad_()
        found = rasterize(tensors, faces, (8, 8), backend=backend)
        assert found.mask.any()
        assert (found.barycentric.detach() >= -0.25).all()
        assert (found.barycentric.detach() <= 1.5).all()
        found.depth.sum().backward()
        assert torch.isfinite(tensors.grad).all()


def test_views_that_are_not_contiguous(sphere, frontal, camera):
    projected = camera.project(frontal.apply(sphere.vertices))
    expected = rasterize(projected, sphere.faces, (100, 100))
    wide = np.zeros((len(projected), 6))
    wide[:, ::2] = projected
    views = (wide[:, ::2], np.asfortranarray(projected))
    for view in views:
        found = rasterize(view, np.asfortranarray(sphere.faces), (100, 100))
        np.testing.assert_array_equal(found.face_index, expected.face_index)
        tensors = torch.from_numpy(projected.T.copy()).T
        found = rasterize(tensors, torch.from_numpy(sphere.faces.T.copy()).T, (100, 100))
        np.testing.assert_array_equal(found.face_index, expected.face_index)
    colors = torch.rand((3, len(projected))).T
    assert interpolate(found, sphere.faces, colors).shape == (100, 100, 3)


def test_normals_of_a_batch_of_arrays(sphere, frontal):
    topology = MeshTopology(sphere.faces, len(sphere.vertices))
    points = frontal.apply(sphere.vertices)
    both = viewer_normals(np.stack([points, points * 2.0]), topology)
    np.testing.assert_allclose(both[0], both[1])
    np.testing.assert_allclose(both[0], viewer_normals(points, topology))


def test_pictures_keep_to_their_range(sphere, frontal, camera):
    bright = render_mesh(
        Mesh(sphere.vertices, sphere.faces), frontal, camera, (100, 100), 3.0 * headlight()
    )
    assert bright.image.max() == 1.0
    assert bright.mask.max() <= 1.0
    assert bright.mask.min() >= 0.0
