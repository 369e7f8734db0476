from dataclasses import replace

import numpy as np
import pytest
import trimesh

from mlanet.export import cut_mesh, face_height
from mlanet.export.cut import cut_above
from mlanet.geometry import Mesh, connected_pieces
from mlanet.morphable import load_model


@pytest.fixture(scope="module")
def grid():
    """A square of 20 x 20 mm in triangles, with texture coordinates and a colour that is x."""
    x, y = np.meshgrid(np.linspace(-10.0, 10.0, 9), np.linspace(-10.0, 10.0, 9))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(81)], axis=1)
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).reshape(-1, 1)
    faces = np.concatenate([corner + half for half in ([[0, 1, 10]], [[0, 10, 9]])])
    uv = points[:, :2] / 20.0 + 0.5
    return Mesh(points, faces.astype(np.int32), uv[:, [0, 0, 0]], uv, faces.astype(np.int32))


@pytest.mark.parametrize(
    "height",
    [
        lambda p: 0.3 - p[:, 0],
        lambda p: p[:, 0] + 0.7 * p[:, 1] - 1.1,
        lambda p: p[:, 1] - 0.4,
    ],
)
def test_what_is_left_of_a_square_is_half_a_square(grid, height):
    """Area, orientation, colours and texture coordinates of a straight cut, by geometry."""
    left = cut_mesh(grid, height(grid.vertices))
    whole = trimesh.Trimesh(grid.vertices, grid.faces, process=False)
    surface = trimesh.Trimesh(left.vertices, left.faces, process=False)
    other = cut_mesh(grid, -height(grid.vertices))
    rest = trimesh.Trimesh(other.vertices, other.faces, process=False)
    assert surface.area + rest.area == pytest.approx(whole.area)
    assert height(left.vertices).min() >= -1e-9
    assert (surface.face_normals[:, 2] > 0.99).all()
    assert surface.area_faces.min() > 0.0
    np.testing.assert_allclose(left.colors[:, 0], left.vertices[:, 0] / 20.0 + 0.5)
    corners = left.vertices[left.faces][..., :2] / 20.0 + 0.5
    np.testing.assert_allclose(left.uv[left.uv_faces], corners)
    assert len(np.unique(left.faces)) == len(left.vertices)


def test_neighbours_share_the_vertices_of_the_cut(grid):
    cut = cut_above(grid.faces, grid.faces, 0.3 - grid.vertices[:, 0])
    points = cut.vertices(grid.vertices)
    assert len(np.unique(points.round(6), axis=0)) == len(points)
    assert len(cut.uv_ends) == len(cut.ends)


def test_a_cut_beside_the_mesh_changes_nothing(grid):
    same = cut_mesh(grid, np.ones(81))
    np.testing.assert_array_equal(same.vertices, grid.vertices)
    np.testing.assert_array_equal(same.faces, grid.faces)
    bare = cut_mesh(Mesh(grid.vertices, grid.faces), 0.3 - grid.vertices[:, 0])
    assert bare.uv is None
    assert bare.colors is None


def test_the_face_has_one_smooth_border_and_keeps_eyes_and_teeth():
    model = load_model()
    mesh = model.mesh_of(model.subdivide(model.shape.mean))
    height = face_height(model)
    for name in ("eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue"):
        assert (height[np.unique(mesh.faces[model.faces_of(name)])] > 0.0).all()
    skin = Mesh(mesh.vertices, mesh.faces[model.faces_of("skin")])
    face = cut_mesh(skin, height)
    surface = trimesh.Trimesh(face.vertices, face.faces, process=False)
    border = surface.edges[trimesh.grouping.group_rows(surface.edges_sorted, require_count=1)]
    loops = connected_pieces(border, len(face.vertices))
    assert len(np.unique(loops[border])) == 1
    assert (connected_pieces(surface.face_adjacency, len(surface.faces)) == 0).all()
    after = dict(border.tolist())
    order = [border[0, 0]]
    while len(order) < len(border):
        order.append(after[order[-1]])
    points = face.vertices[order]
    steps = np.roll(points, -1, axis=0) - points
    long = np.linalg.norm(steps, axis=1) > 0.5
    steps = steps[long] / np.linalg.norm(steps[long], axis=1, keepdims=True)
    turn_deg = np.degrees(np.arccos(np.clip((steps * np.roll(steps, -1, axis=0)).sum(1), -1, 1)))
    assert np.percentile(turn_deg, 95) < 15.0
    landmarks = model.landmarks.mean
    assert (np.abs(face.vertices[:, None] - landmarks[None, 17:]).sum(-1).min(0) < 5.0).all()
    ears = face.vertices[:, 0][np.abs(face.vertices[:, 2]) < 20.0]
    assert np.abs(ears).max(initial=0.0) < 40.0  # nothing as far back but the mouth's inside


def test_without_regions_there_is_no_face_alone():
    with pytest.raises(ValueError, match="no region"):
        face_height(replace(load_model(), regions={}))
