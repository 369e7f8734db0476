import numpy as np
import pytest
import trimesh

from mlanet.geometry import (
    MeshTopology,
    face_normals,
    points_on_surface,
    subdivide_faces,
    vertex_normals,
)

SQUARE = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
CORNERS = np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]])


@pytest.fixture(scope="module")
def bumpy():
    """A closed mesh without symmetry: vertices (v, 3) and faces."""
    ball = trimesh.creation.icosphere(subdivisions=2)
    noise = np.random.default_rng(0).normal(size=ball.vertices.shape)
    return np.asarray(ball.vertices) * [70, 100, 90] + 3 * noise, np.asarray(ball.faces, np.int32)


def test_face_normals_point_outwards_and_are_twice_the_area_long(bumpy):
    vertices, faces = bumpy
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    normals = face_normals(vertices, faces)
    np.testing.assert_allclose(normals, mesh.face_normals * 2 * mesh.area_faces[:, None], atol=1e-9)
    outward = (normals * vertices[faces].mean(axis=1)).sum(axis=1)
    assert (outward > 0).all()


def test_vertex_normals_are_trimesh_s_area_weighted_ones(bumpy):
    vertices, faces = bumpy
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    expected = trimesh.geometry.weighted_vertex_normals(
        len(vertices), faces, mesh.face_normals, np.repeat(mesh.area_faces[:, None], 3, axis=1)
    )
    table = MeshTopology(faces, len(vertices)).faces_of_vertex
    found = vertex_normals(vertices, faces, table)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    batch = vertex_normals(np.stack([vertices, -vertices]), faces, table)
    np.testing.assert_allclose(batch[0], found)
    np.testing.assert_allclose(batch[1], found)  # both factors of the cross product changed sign


def test_lonely_and_degenerate_vertices_have_zero_normals():
    vertices = np.concatenate([CORNERS, [[9.0, 9, 9]]])
    topology = MeshTopology(np.array([[0, 1, 2], [3, 3, 3]]), 5)
    normals = vertex_normals(vertices, topology.faces, topology.faces_of_vertex)
    np.testing.assert_allclose(normals[:3], [[0, 0, 1]] * 3)
    np.testing.assert_array_equal(normals[3:], 0)


def test_topology_agrees_with_trimesh(bumpy):
    vertices, faces = bumpy
    topology = MeshTopology(faces, len(vertices))
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert topology.edges.tolist() == sorted(sorted(edge) for edge in mesh.edges_unique.tolist())
    assert len(vertices) - len(topology.edges) + len(faces) == 2  # Euler
    for vertex, row in enumerate(topology.faces_of_vertex):
        around = sorted(set(row.tolist()) - {len(faces)})
        assert around == sorted(np.flatnonzero((faces == vertex).any(axis=1)).tolist())


def test_faces_beyond_the_vertices_are_refused():
    with pytest.raises(ValueError, match="faces must index 3 vertices"):
        MeshTopology(SQUARE, 3)
    with pytest.raises(ValueError, match="faces must index 4 vertices"):
        MeshTopology(SQUARE - 1, 4)
    assert len(MeshTopology(np.zeros((0, 3), np.int32), 2).edges) == 0


def test_subdivision_of_a_square():
    faces, edges = subdivide_faces(SQUARE, 4)
    assert edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]
    assert faces.shape == (8, 3)
    points = np.concatenate([CORNERS, CORNERS[edges].mean(axis=1)])
    areas = face_normals(points, faces)[:, 2] / 2
    np.testing.assert_allclose(areas, 0.5)  # a quarter of each triangle, turned the same way
    assert faces[0].tolist() == [0, 4, 5]


def test_subdivision_counts_shape_and_orientation(bumpy):
    vertices, faces = bumpy
    finer, edges = subdivide_faces(faces, len(vertices))
    points = np.concatenate([vertices, vertices[edges].mean(axis=1)])
    assert len(finer) == 4 * len(faces)
    assert finer.max() == len(points) - 1
    before = trimesh.Trimesh(vertices, faces, process=False)
    after = trimesh.Trimesh(points, finer, process=False)
    assert after.is_watertight
    assert after.is_winding_consistent
    assert after.area == pytest.approx(before.area)
    assert after.volume == pytest.approx(before.volume)
    # Four in a row replace one, the corner triangles in its corners' order.
    np.testing.assert_array_equal(finer.reshape(-1, 4, 3)[:, [0, 1, 2], [0, 1, 2]], faces)
    normals = face_normals(points, finer).reshape(-1, 4, 3)
    np.testing.assert_allclose(normals, face_normals(vertices, faces)[:, None] / 4 + 0 * normals)


def test_points_on_surface(bumpy):
    vertices, faces = bumpy
    rng = np.random.default_rng(1)
    index = rng.integers(0, len(faces), 30)
    weights = rng.dirichlet(np.ones(3), 30)
    found = points_on_surface(vertices, faces, index, weights)
    slow = [w @ vertices[faces[i]] for i, w in zip(index, weights, strict=True)]
    np.testing.assert_allclose(found, slow)
    corners = points_on_surface(vertices, faces, index, np.tile([0.0, 1.0, 0.0], (30, 1)))
    np.testing.assert_array_equal(corners, vertices[faces[index, 1]])
    batch = points_on_surface(np.stack([vertices, 2 * vertices]), faces, index, weights)
    np.testing.assert_allclose(batch[1], 2 * found)


def test_torch_gives_the_same_numbers(bumpy, torch):
    vertices, faces = bumpy
    table = MeshTopology(faces, len(vertices)).faces_of_vertex
    index, weights = np.arange(5), np.full((5, 3), 1 / 3)
    batch = np.stack([vertices, vertices * 1.1])
    tensors = torch.from_numpy(batch), torch.from_numpy(faces).long()
    found = vertex_normals(*tensors, torch.from_numpy(table))
    np.testing.assert_allclose(found.numpy(), vertex_normals(batch, faces, table), atol=1e-12)
    np.testing.assert_allclose(face_normals(*tensors).numpy(), face_normals(batch, faces))
    points = points_on_surface(*tensors, torch.from_numpy(index), torch.from_numpy(weights))
    np.testing.assert_allclose(points.numpy(), points_on_surface(batch, faces, index, weights))


def test_gradients(torch):
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    faces = torch.from_numpy(tetrahedron)
    table = torch.from_numpy(MeshTopology(tetrahedron, 4).faces_of_vertex)
    vertices = torch.from_numpy(np.random.default_rng(2).normal(size=(4, 3))).requires_grad_()
    weights = torch.from_numpy(np.random.default_rng(3).dirichlet(np.ones(3), 2)).requires_grad_()
    index = torch.tensor([3, 0])
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, faces, table), vertices)
    assert torch.autograd.gradcheck(
        lambda v, w: points_on_surface(v, faces, index, w), (vertices, weights)
    )


def test_the_border_is_where_one_triangle_ends(bumpy):
    vertices, faces = bumpy
    closed = MeshTopology(faces, len(vertices))
    assert not closed.border_vertices.any()
    opened = MeshTopology(faces[1:], len(vertices))
    assert set(np.flatnonzero(opened.border_vertices)) == set(faces[0].tolist())
    assert MeshTopology(SQUARE, 5).border_vertices.tolist() == [True] * 4 + [False]
