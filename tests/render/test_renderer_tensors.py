"""The renderer on tensors."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.errors import RenderError
from mlanet.geometry import MeshTopology, Pose
from mlanet.render import Renderer, interpolate, key_light, rasterize, viewer_normals

PLACES = torch.tensor([[0, 0, 1.0], [9, 1, 2.0], [1, 9, 3.0]])
FACE = np.array([[0, 1, 2]])


@pytest.fixture(scope="module")
def renderer(sphere):
    return Renderer(MeshTopology(sphere.faces, len(sphere.vertices)), (100, 100))


def test_arrays_and_tensors_give_one_picture(sphere, frontal, camera, renderer):
    light = key_light()
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


def test_half_precision_is_refused():
    for backend in ("numba", "torch"):
        with pytest.raises(RenderError, match="vertices must be floats of 32 or 64 bits"):
            rasterize(PLACES.half(), FACE, (9, 9), backend=backend)


def test_changes_before_the_backward_pass_are_noticed():
    places = PLACES.clone().requires_grad_()
    found = rasterize(places, FACE, (9, 9))
    found.face_index[:] = 2**30
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        found.depth.sum().backward()
    faces = torch.from_numpy(FACE.astype(np.int32))
    found = rasterize(places, faces, (9, 9))
    faces[:] = 2**30
    found.depth.sum().backward()
    assert torch.isfinite(places.grad).all()
    places.grad = None
    rasterize(places, FACE, (9, 9)).depth.sum().backward()


def test_a_vertex_at_the_camera_spoils_no_gradient(sphere, frontal, camera, renderer):
    vertices = torch.from_numpy(sphere.vertices).clone()
    vertices[3] = torch.tensor([0.0, 0.0, 1000.0])  # 1,000 mm before the frontal pose's origin
    vertices.requires_grad_()
    pose = Pose(torch.from_numpy(frontal.rotation), torch.from_numpy(frontal.translation))
    drawn = renderer(vertices, pose, camera, albedo=torch.from_numpy(sphere.colors))
    (drawn.image.sum() + drawn.depth.sum()).backward()
    assert torch.isfinite(vertices.grad).all()
    assert vertices.grad.abs().max() > 0.0


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


def test_a_tensor_beside_arrays_is_refused(sphere, frontal, camera, renderer):
    with pytest.raises(RenderError, match="albedo must be an array"):
        renderer(sphere.vertices, frontal, camera, albedo=torch.zeros((642, 3)))


def test_options_are_checked():
    with pytest.raises(RenderError, match="backend must be one of numba, torch, got 'cuda'"):
        rasterize(PLACES, FACE, (9, 9), backend="cuda")
    with pytest.raises(RenderError, match="threads must be positive"):
        rasterize(PLACES, FACE, (9, 9), threads=0)
    with pytest.raises(RenderError, match="image_size must be"):
        rasterize(PLACES, FACE, (3.7, 5))


def test_too_few_vertices_are_refused(sphere):
    topology = MeshTopology(sphere.faces, len(sphere.vertices))
    with pytest.raises(RenderError, match=r"vertices must be \(…, 642, 3\)"):
        viewer_normals(torch.zeros((5, 3)), topology)


def test_views_that_are_not_contiguous(sphere, frontal, camera):
    projected = camera.project(frontal.apply(sphere.vertices))
    expected = rasterize(projected, sphere.faces, (100, 100))
    tensors = torch.from_numpy(projected.T.copy()).T
    found = rasterize(tensors, torch.from_numpy(sphere.faces.T.copy()).T, (100, 100))
    np.testing.assert_array_equal(found.face_index, expected.face_index)
    colors = torch.rand((3, len(projected))).T
    assert interpolate(found, sphere.faces, colors).shape == (100, 100, 3)
