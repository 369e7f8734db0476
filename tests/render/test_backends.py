"""The compiled loops and the tensor operations find, weigh and blend the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.geometry import Camera, MeshTopology, Pose, matrix_from_euler, vertex_normals
from mlanet.geometry import viewer_from_camera as turned
from mlanet.morphable import load_model
from mlanet.render import Fragments, interpolate, rasterize, shade, viewer_normals
from mlanet.render._torch.antialias import antialias_tensors
from mlanet.render._torch.rasterize import nearest_faces
from mlanet.render.weights import interpolated

from .scenes import bumpy_balls, triangle_soup

SIZE = (23, 31)


def heads(count, size):
    """Projected vertices (count, v, 3) of random heads and their topology."""
    model = load_model()
    rng = np.random.default_rng(0)
    layout = model.layout
    vertices = model.vertices(
        rng.normal(size=(count, layout.identity)) * 0.5,
        rng.uniform(0.0, 0.3, (count, layout.expression)),
    )
    rotation = matrix_from_euler(rng.normal(size=(count, 3)) * [0.2, 0.6, 0.2])
    pose = Pose(rotation, np.tile([0.0, 0.0, 1000.0], (count, 1)))
    return Camera.of_crop(size).project(pose.apply(vertices)), model.topology


@pytest.mark.parametrize("cull_backfaces", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_tensors_alone_find_what_the_loops_find(seed, cull_backfaces):
    vertices, faces = triangle_soup(seed)
    options = {"cull_backfaces": cull_backfaces}
    arrays = rasterize(vertices, faces, SIZE, **options)
    loops = rasterize(torch.from_numpy(vertices), faces, SIZE, backend="numba", **options)
    alone = rasterize(
        torch.from_numpy(vertices), torch.from_numpy(faces), SIZE, backend="torch", **options
    )
    np.testing.assert_array_equal(loops.face_index, arrays.face_index)
    np.testing.assert_array_equal(alone.face_index, arrays.face_index)
    torch.testing.assert_close(alone.barycentric, loops.barycentric, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(alone.depth, loops.depth, rtol=1e-12, atol=0.0)
    assert (arrays.face_index >= 0).sum() > 50


@pytest.mark.parametrize("cull_backfaces", [False, True])
def test_heads_in_a_batch(cull_backfaces):
    projected, topology = heads(3, 96)
    batch = rasterize(projected, topology.faces, (96, 96), cull_backfaces=cull_backfaces, threads=2)
    tensors = torch.from_numpy(projected)
    for backend in ("numba", "torch"):
        found = rasterize(
            tensors, topology.faces, (96, 96), cull_backfaces=cull_backfaces, backend=backend
        )
        np.testing.assert_array_equal(found.face_index, batch.face_index)
    for k in range(3):
        single = rasterize(projected[k], topology.faces, (96, 96), cull_backfaces=cull_backfaces)
        np.testing.assert_array_equal(single.face_index, batch.face_index[k])
        np.testing.assert_array_equal(single.barycentric, batch.barycentric[k])


def test_parts_that_bound_the_memory_change_nothing(monkeypatch):
    vertices, faces = triangle_soup(3)
    arguments = torch.from_numpy(vertices)[None], torch.from_numpy(faces).long(), SIZE, False
    whole = nearest_faces(*arguments)
    monkeypatch.setattr("mlanet.render._torch.rasterize.CANDIDATES", 50)
    torch.testing.assert_close(nearest_faces(*arguments), whole)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_weights_and_depth_agree(seed):
    vertices, faces = triangle_soup(seed)
    places = torch.from_numpy(vertices).requires_grad_()
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn((*SIZE, 4), dtype=torch.float64, generator=generator)
    gradients = []
    for backend in ("numba", "torch"):
        found = rasterize(places, faces, SIZE, backend=backend)
        total = (found.barycentric * weights[..., :3]).sum() + (found.depth * weights[..., 3]).sum()
        gradients.append(torch.autograd.grad(total, places)[0])
    scale = float(gradients[0].abs().max())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-7, atol=1e-9 * scale)
    assert scale > 0.0


@pytest.mark.parametrize("scene", ["soup", "balls", "head"])
def test_outlines_agree(scene):
    if scene == "soup":
        vertices, faces = triangle_soup(1)
        topology = MeshTopology(faces, len(vertices))
    elif scene == "balls":
        vertices, topology, _, _ = bumpy_balls(5, count=2, size=30)
    else:
        projected, topology = heads(1, 64)
        vertices = projected[0]
    size = (64, 64) if scene == "head" else SIZE
    generator = torch.Generator().manual_seed(0)
    colors = torch.rand((len(vertices), 3), dtype=torch.float64, generator=generator)
    places = torch.from_numpy(np.ascontiguousarray(vertices)).requires_grad_()
    found = rasterize(places, topology.faces, size, cull_backfaces=scene != "soup")
    flat = Fragments(
        found.face_index, found.barycentric.detach(), found.depth.detach(), found.cull_backfaces
    )
    image = interpolate(flat, topology.faces, colors).requires_grad_()
    weights = torch.randn(image.shape, dtype=torch.float64, generator=generator)
    results = []
    for backend in ("numba", "torch"):
        blended = antialias_tensors(image, flat, places, topology.edge_opposites, backend=backend)
        results.append(
            [blended.detach(), *torch.autograd.grad((blended * weights).sum(), (image, places))]
        )
    for first, second in zip(*results, strict=True):
        scale = float(second.abs().max())
        torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-9 * scale)
    assert float((results[0][0] - image.detach()).abs().max()) > 0.05


def test_interpolation_is_the_array_formula():
    projected, topology = heads(2, 48)
    generator = torch.Generator().manual_seed(0)
    colors = torch.rand((2, topology.num_vertices, 5), dtype=torch.float64, generator=generator)
    colors.requires_grad_()
    found = rasterize(torch.from_numpy(projected), topology.faces, (48, 48))
    weights = found.barycentric.detach().requires_grad_()
    fragments = Fragments(found.face_index, weights, found.depth)
    fast = interpolate(fragments, topology.faces, colors)
    slow = interpolated(found.face_index, weights, torch.from_numpy(topology.faces).long(), colors)
    torch.testing.assert_close(fast, slow)
    other = torch.rand(fast.shape, dtype=torch.float64, generator=generator)
    first = torch.autograd.grad((fast * other).sum(), (weights, colors))
    second = torch.autograd.grad((slow * other).sum(), (weights, colors))
    hit = found.mask[..., None]
    torch.testing.assert_close(first[0], second[0] * hit)
    torch.testing.assert_close(first[1], second[1])
    arrays = interpolate(
        rasterize(projected, topology.faces, (48, 48)), topology.faces, colors.detach().numpy()
    )
    np.testing.assert_allclose(arrays, fast.detach(), atol=1e-5)


def test_normals_are_the_array_formula():
    projected, topology = heads(2, 48)
    places = torch.from_numpy(projected).requires_grad_()
    normals = viewer_normals(places, topology)
    faces = torch.from_numpy(topology.faces).long()
    around = torch.from_numpy(topology.faces_of_vertex).long()
    slow = turned(vertex_normals(places, faces, around).transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(normals, slow, rtol=1e-7, atol=1e-9)
    weights = torch.randn(
        normals.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    first, second = (torch.autograd.grad((n * weights).sum(), places)[0] for n in (normals, slow))
    torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(viewer_normals(projected, topology), normals.detach(), atol=1e-9)


def test_light_is_the_array_formula():
    generator = torch.Generator().manual_seed(0)
    normals = torch.randn((2, 50, 3), dtype=torch.float64, generator=generator)
    normals = (normals / normals.norm(dim=-1, keepdim=True)).requires_grad_()
    lighting = torch.randn((2, 9, 3), dtype=torch.float64, generator=generator).requires_grad_()
    albedo = torch.rand((2, 50, 3), dtype=torch.float64, generator=generator)
    fast = shade(albedo, normals, lighting)
    slow = shade(albedo, normals, lighting, backend="torch")
    torch.testing.assert_close(fast, slow)
    weights = torch.randn(fast.shape, dtype=torch.float64, generator=generator)
    first, second = (
        torch.autograd.grad((lit * weights).sum(), (normals, lighting)) for lit in (fast, slow)
    )
    for mine, theirs in zip(first, second, strict=True):
        torch.testing.assert_close(mine, theirs)
    alone = shade(albedo[1], normals[1], lighting[1])
    torch.testing.assert_close(alone, fast[1])
    array = shade(*(tensor[1].detach().numpy() for tensor in (albedo, normals, lighting)))
    np.testing.assert_allclose(array, alone.detach(), atol=1e-12)
