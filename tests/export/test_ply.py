import numpy as np
import trimesh

from mlanet.export import write_ply
from mlanet.geometry import Mesh


def test_trimesh_reads_it_back(tmp_path, tetrahedron):
    path = tmp_path / "face.ply"
    write_ply(path, tetrahedron)
    assert path.read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\n")
    surface = trimesh.load(path, process=False)
    np.testing.assert_allclose(surface.vertices, tetrahedron.vertices, atol=1e-4)
    np.testing.assert_array_equal(surface.faces, tetrahedron.faces)
    assert surface.is_watertight
    assert surface.volume > 0
    colors = surface.visual.vertex_colors[:, :3]
    np.testing.assert_array_equal(colors, np.rint(tetrahedron.colors * 255.0))


def test_colours_are_optional(tmp_path, tetrahedron):
    path = tmp_path / "face.ply"
    write_ply(path, Mesh(tetrahedron.vertices, tetrahedron.faces))
    header = path.read_bytes().split(b"end_header")[0]
    assert b"red" not in header
    assert b"element vertex 4" in header
    assert b"element face 4" in header
