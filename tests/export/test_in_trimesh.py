import numpy as np
import pytest

from mlanet.export import mesh_to_trimesh
from mlanet.geometry import Mesh


def test_texture_lies_where_it_belongs(tetrahedron, quadrants):
    surface = mesh_to_trimesh(tetrahedron, quadrants)
    corners = tetrahedron.vertices[tetrahedron.faces]
    np.testing.assert_allclose(surface.vertices[surface.faces], corners)
    uv = surface.visual.uv[surface.faces].mean(axis=1)
    colors = surface.visual.material.to_color(uv)[:, :3]
    expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]]
    np.testing.assert_array_equal(colors, expected)


def test_colours_stand_in_for_a_texture(tetrahedron):
    bare = Mesh(tetrahedron.vertices, tetrahedron.faces, colors=tetrahedron.colors)
    surface = mesh_to_trimesh(bare)
    found = surface.visual.vertex_colors[:, :3]
    np.testing.assert_array_equal(found, np.rint(tetrahedron.colors * 255.0))
    assert surface.is_watertight


def test_bad_input_is_named(tetrahedron, quadrants):
    with pytest.raises(ValueError, match="texture needs a mesh with uv"):
        mesh_to_trimesh(Mesh(tetrahedron.vertices, tetrahedron.faces), quadrants)
