import re

import numpy as np
import pytest
import trimesh

from mlanet.export import write_obj
from mlanet.geometry import Mesh


def test_trimesh_reads_mesh_and_texture_back(tmp_path, tetrahedron, quadrants):
    write_obj(tmp_path / "face.obj", tetrahedron, quadrants)
    assert {path.name for path in tmp_path.iterdir()} == {"face.obj", "face.mtl", "face.png"}
    surface = trimesh.load(tmp_path / "face.obj", process=False)
    corners = tetrahedron.vertices[tetrahedron.faces]
    np.testing.assert_allclose(surface.vertices[surface.faces], corners, atol=1e-4)
    uv = tetrahedron.uv[tetrahedron.uv_faces]
    np.testing.assert_allclose(surface.visual.uv[surface.faces], uv, atol=1e-6)
    picture = np.asarray(surface.visual.material.image.convert("RGB"))
    np.testing.assert_array_equal(picture, quadrants)
    colors = surface.visual.material.to_color(uv.mean(axis=1))[:, :3]
    expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]]
    np.testing.assert_array_equal(colors, expected)


def test_files_name_each_other_relatively(tmp_path, tetrahedron, quadrants):
    write_obj(tmp_path / "my.face.obj", tetrahedron, quadrants)
    obj = (tmp_path / "my.face.obj").read_text().splitlines()
    assert "mtllib my.face.mtl" in obj
    assert "map_Kd my.face.png" in (tmp_path / "my.face.mtl").read_text().splitlines()
    assert "f 1/1/1 3/2/3 2/3/2" in obj
    assert sum(line.startswith("v ") for line in obj) == 4
    assert sum(line.startswith("vt ") for line in obj) == 12
    assert sum(line.startswith("vn ") for line in obj) == 4


@pytest.mark.parametrize("stem", ["my face", "-face", "a#b", "müller (1)"])
def test_material_and_texture_have_names_of_one_word(tmp_path, tetrahedron, quadrants, stem):
    """MeshLab ends the name of a texture at a space, and takes a dash for an option."""
    written = write_obj(tmp_path / f"{stem}.obj", tetrahedron, quadrants)
    assert set(written) == set(tmp_path.iterdir())
    obj, material, picture = written
    assert obj.name == f"{stem}.obj"
    assert f"mtllib {material.name}" in obj.read_text(encoding="utf-8").splitlines()
    assert f"map_Kd {picture.name}" in material.read_text(encoding="utf-8").splitlines()
    for path in (material, picture):
        assert re.fullmatch(r"[\w.]+", path.name), path.name
    surface = trimesh.load(obj, process=False)
    found = np.asarray(surface.visual.material.image.convert("RGB"))
    np.testing.assert_array_equal(found, quadrants)


def test_names_that_become_one_word_stay_apart(tmp_path, tetrahedron, quadrants):
    for stem in ("a b", "a_b", "a\tb"):
        write_obj(tmp_path / f"{stem}.obj", tetrahedron, quadrants)
    assert len(list(tmp_path.iterdir())) == 9


def test_without_normals_faces_are_as_plain_as_may_be(tmp_path, tetrahedron, quadrants):
    path = tmp_path / "face.obj"
    for mesh, texture, face in (
        (Mesh(tetrahedron.vertices, tetrahedron.faces), None, "f 1 3 2"),
        (tetrahedron, quadrants, "f 1/1 3/2 2/3"),
    ):
        write_obj(path, mesh, texture, normals=False)
        lines = path.read_text().splitlines()
        assert face in lines
        assert not any(line.startswith("vn ") for line in lines)


def test_without_texture_colours_follow_the_coordinates(tmp_path, tetrahedron):
    bare = Mesh(tetrahedron.vertices, tetrahedron.faces, colors=tetrahedron.colors)
    write_obj(tmp_path / "face.obj", bare)
    assert [path.name for path in tmp_path.iterdir()] == ["face.obj"]
    surface = trimesh.load(tmp_path / "face.obj", process=False)
    assert surface.is_watertight
    found = surface.visual.vertex_colors[:, :3] / 255.0
    np.testing.assert_allclose(found, tetrahedron.colors, atol=0.004)


def test_bad_input_is_named(tmp_path, tetrahedron):
    with pytest.raises(ValueError, match="colors must be"):
        write_obj(
            tmp_path / "face.obj",
            Mesh(tetrahedron.vertices, tetrahedron.faces, colors=np.ones((2, 3))),
        )
    with pytest.raises(ValueError, match=r"faces must be \(f, 3\)"):
        write_obj(tmp_path / "face.obj", Mesh(tetrahedron.vertices, tetrahedron.faces[:0]))


def test_what_hangs_beside_the_mesh_is_an_object_with_its_own_picture(
    tmp_path, tetrahedron, quadrants, ribbon
):
    path = tmp_path / "my face.obj"
    written = write_obj(path, tetrahedron, quadrants, parts={"Hair": ribbon})
    assert set(written) == set(tmp_path.iterdir())
    assert len(written) == 4
    shapes = trimesh.load(path, process=False).geometry
    assert set(shapes) == {"face", "Hair"}
    corners = tetrahedron.vertices[tetrahedron.faces]
    head, hair = shapes["face"], shapes["Hair"]
    np.testing.assert_allclose(head.vertices[head.faces], corners, atol=1e-4)
    np.testing.assert_allclose(hair.vertices[hair.faces], ribbon.vertices[ribbon.faces], atol=1e-4)
    np.testing.assert_allclose(hair.visual.uv[hair.faces], ribbon.uv[ribbon.faces], atol=1e-6)
    np.testing.assert_allclose(hair.vertex_normals, ribbon.normals, atol=1e-4)
    picture = np.asarray(hair.visual.material.image)
    np.testing.assert_array_equal(picture, ribbon.texture)
    np.testing.assert_array_equal(np.asarray(head.visual.material.image), quadrants)
    rows = [line.split()[1:] for line in path.read_text().splitlines() if line.startswith("v ")]
    np.testing.assert_allclose(np.array(rows[:4], float), tetrahedron.vertices)
