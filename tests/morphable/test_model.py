import numpy as np
import pytest

from mlanet.errors import ConfigurationError
from mlanet.geometry import MeshTopology, vertex_normals


def subdivided_slowly(model, values):
    middle = []
    for index, weight in zip(model.midpoint_index, model.midpoint_weight, strict=True):
        middle.append(sum(w * values[i] for i, w in zip(index, weight, strict=True)))
    return np.concatenate([values, middle])


def test_subdivision_keeps_the_base_and_adds_midpoints(model):
    values = np.random.default_rng(0).normal(size=(2, model.num_base_vertices, 2))
    found = model.subdivide(values)
    np.testing.assert_array_equal(found[:, : model.num_base_vertices], values)
    np.testing.assert_allclose(found[1], subdivided_slowly(model, values[1]), atol=1e-12)
    np.testing.assert_allclose(model.subdivide(0 * values + 3.0), 3.0, rtol=1e-6)
    single = model.subdivide(values.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, found, atol=1e-5)


def test_subdividing_tensors_equals_the_sparse_product(model, torch):
    values = np.random.default_rng(1).normal(size=(2, model.num_base_vertices, 3))
    found = model.subdivide(torch.from_numpy(values))
    np.testing.assert_allclose(found.numpy(), model.subdivide(values), atol=1e-12)


def test_new_vertices_lie_at_the_edges_in_the_topology_s_order(model):
    edges = MeshTopology(model.base_faces, model.num_base_vertices).edges
    np.testing.assert_array_equal(np.sort(model.midpoint_index[:, :2], axis=1), edges)
    vertices = model.shape.mean
    straight = vertices[edges].mean(axis=1)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    away = np.linalg.norm(model.subdivide(vertices)[len(vertices) :] - straight, axis=1)
    # Most where ears fold; edges of less than a millimetre, of lids and teeth, may bend more.
    hidden = (model.regions["mouth"][edges] > 0.5).any(axis=1)
    # Walls behind the eyes are held back by the eyeballs' poles (tests/morphable/test_sockets.py).
    wall = np.isin(model.midpoint_index[:, 2:], model.eye_poles).any(axis=1)
    wall &= model.vertex_parts[edges[:, 0]] == model.part_names.index("skin")
    assert wall.sum() == 50
    assert (away < 0.7 * length + np.where(hidden, 0.6, 0.15))[~wall].all()
    assert 0 < np.median(away / length) < 0.1


def test_vertices_are_the_subdivided_shape(model):
    rng = np.random.default_rng(1)
    identity = rng.normal(size=(2, model.layout.identity)).astype(np.float32)
    expression = rng.uniform(size=(2, model.layout.expression)).astype(np.float32)
    found = model.vertices(identity, expression)
    assert found.shape == (2, model.topology.num_vertices, 3)
    for k in range(2):
        slow = model.shape.mean + model.shape.identity @ identity[k]
        slow = slow + model.shape.expression @ expression[k]
        np.testing.assert_allclose(found[k, : len(slow)], slow, atol=1e-3)


def test_mesh_is_complete_and_coloured(model):
    layout = model.layout
    mesh = model.mesh(
        np.zeros(layout.identity, np.float32),
        np.zeros(layout.expression, np.float32),
        np.zeros(layout.albedo, np.float32),
    )
    np.testing.assert_array_equal(mesh.vertices[: len(model.shape.mean)], model.shape.mean)
    assert mesh.colors is not None
    assert mesh.uv is not None
    assert len(mesh.vertices) == len(mesh.colors)
    assert mesh.uv_faces.shape == mesh.faces.shape
    assert mesh.uv_faces.max() == len(mesh.uv) - 1
    assert mesh.faces.max() == len(mesh.vertices) - 1
    expected = vertex_normals(mesh.vertices, mesh.faces, model.topology.faces_of_vertex)
    np.testing.assert_array_equal(model.normals(mesh.vertices), expected)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)


def test_torch_gives_the_same_numbers(model, torch):
    rng = np.random.default_rng(2)
    identity = rng.normal(size=(2, model.layout.identity)).astype(np.float32)
    expression = rng.uniform(size=(2, model.layout.expression)).astype(np.float32)
    shape = model.shape.convert(torch.from_numpy)
    tensors = [torch.from_numpy(part).requires_grad_() for part in (identity, expression)]
    found = model.subdivide(shape(*tensors))
    assert isinstance(found, torch.Tensor)
    expected = model.vertices(identity, expression)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-3)
    found.sum().backward()
    assert all(tensor.grad is not None for tensor in tensors)
    landmarks = model.landmarks.convert(torch.from_numpy)(*tensors)
    np.testing.assert_allclose(
        landmarks.detach().numpy(), model.landmarks(identity, expression), atol=1e-3
    )


def test_random_heads_stay_human(model):
    """Coefficients of unit normal give heads of plausible size, all turned outwards."""
    rng = np.random.default_rng(3)
    identity = rng.normal(size=(20, model.layout.identity)).astype(np.float32)
    points = model.landmarks(identity, np.zeros((20, model.layout.expression), np.float32))
    between_eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    assert ((between_eyes > 75) & (between_eyes < 105)).all()
    nose_to_chin = np.linalg.norm(points[:, 33] - points[:, 8], axis=1)
    assert ((nose_to_chin > 45) & (nose_to_chin < 85)).all()


def test_the_first_modes_alone(model):
    few = model.first_modes(7, 52, 3)
    assert (few.layout.identity, few.layout.expression, few.layout.albedo) == (7, 52, 3)
    rng = np.random.default_rng(0)
    identity, expression = rng.normal(size=7).astype(np.float32), rng.uniform(size=52)
    expression = expression.astype(np.float32)
    padded = np.zeros(model.layout.identity, np.float32)
    padded[:7] = identity
    np.testing.assert_allclose(
        few.vertices(identity, expression), model.vertices(padded, expression), atol=1e-4
    )
    assert few.mirrors_modes
    assert len(few.identity_names) == 7
    assert few.name == model.name
    for counts, message in (
        ((101, 52, 18), "identity: 101 of the model's 100 modes"),
        ((100, 52, -1), "albedo: -1 of"),
        ((100, 1, 18), "expression: mode 1 parts a pair"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            model.first_modes(*counts)
