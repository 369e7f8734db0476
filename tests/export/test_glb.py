import json
import struct

import numpy as np
import pygltflib
import pytest
import trimesh

from mlanet.export import split_at_seams, write_glb
from mlanet.geometry import Mesh

COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
TYPES = {5125: np.uint32, 5126: np.float32}


def chunks(path):
    """The JSON and the binary chunk, read by the layout of the specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data, 0)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    start = 20 + size
    binary_size, binary_kind = struct.unpack_from("<I4s", data, start)
    assert binary_kind == b"BIN\0"
    assert size % 4 == 0
    assert start + 8 + binary_size == length
    return json.loads(data[20:start]), data[start + 8 :]


def values(document, binary, index):
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    width = COMPONENTS[accessor["type"]]
    found = np.frombuffer(
        binary,
        TYPES[accessor["componentType"]],
        count=accessor["count"] * width,
        offset=view.get("byteOffset", 0),
    )
    return found.reshape(-1, width), accessor, view


@pytest.fixture
def morphs(tetrahedron):
    jaw = np.zeros_like(tetrahedron.vertices)
    jaw[2, 1] = -10.0
    return {"jawOpen": jaw, "mouthSmileLeft": -2.0 * jaw}


def test_json_is_what_pygltflib_writes(tmp_path, tetrahedron, quadrants, morphs):
    path = tmp_path / "face.glb"
    write_glb(path, tetrahedron, quadrants, morph_targets=morphs)
    again = pygltflib.GLTF2.load_binary(str(path))
    theirs = b"".join(again.save_to_bytes())
    assert theirs == path.read_bytes()


def test_layout_follows_the_specification(tmp_path, tetrahedron, quadrants, morphs):
    path = tmp_path / "face.glb"
    write_glb(path, tetrahedron, quadrants, morph_targets=morphs)
    document, binary = chunks(path)
    assert document["buffers"] == [{"byteLength": len(binary)}]
    for view in document["bufferViews"]:
        assert view.get("byteOffset", 0) % 4 == 0
        assert view.get("byteOffset", 0) + view["byteLength"] <= len(binary)
    primitive = document["meshes"][0]["primitives"][0]
    attributes = primitive["attributes"]
    assert set(attributes) == {"POSITION", "NORMAL", "TEXCOORD_0"}
    positions = [attributes["POSITION"], *(t["POSITION"] for t in primitive["targets"])]
    for index in positions:
        found, accessor, view = values(document, binary, index)
        np.testing.assert_array_equal(accessor["min"], found.min(axis=0))
        np.testing.assert_array_equal(accessor["max"], found.max(axis=0))
        assert view["target"] == 34962
    indices, accessor, view = values(document, binary, primitive["indices"])
    assert view["target"] == 34963
    assert accessor["count"] == 12
    assert indices.max() == 11
    normals = values(document, binary, attributes["NORMAL"])[0]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)
    assert "extensionsRequired" not in document


def test_positions_are_metres_and_uv_starts_at_the_top(tmp_path, tetrahedron, quadrants):
    path = tmp_path / "face.glb"
    write_glb(path, tetrahedron, quadrants)
    document, binary = chunks(path)
    primitive = document["meshes"][0]["primitives"][0]
    split = split_at_seams(tetrahedron)
    found = values(document, binary, primitive["attributes"]["POSITION"])[0]
    np.testing.assert_allclose(found, split.vertices / 1000.0, atol=1e-7)
    uv = values(document, binary, primitive["attributes"]["TEXCOORD_0"])[0]
    np.testing.assert_allclose(uv, split.uv * [1, -1] + [0, 1], atol=1e-6)


def test_morph_targets_are_named_offsets_in_metres(tmp_path, tetrahedron, quadrants, morphs):
    path = tmp_path / "face.glb"
    write_glb(path, tetrahedron, quadrants, morph_targets=morphs)
    document, binary = chunks(path)
    mesh = document["meshes"][0]
    assert mesh["extras"]["targetNames"] == ["jawOpen", "mouthSmileLeft"]
    assert mesh["weights"] == [0.0, 0.0]
    source = split_at_seams(tetrahedron).source
    for target, offsets in zip(mesh["primitives"][0]["targets"], morphs.values(), strict=True):
        assert set(target) == {"POSITION"}
        found = values(document, binary, target["POSITION"])[0]
        np.testing.assert_allclose(found, offsets[source] / 1000.0, atol=1e-8)


@pytest.mark.parametrize("texture_format", ["jpeg", "png"])
def test_trimesh_reads_it_back(tmp_path, tetrahedron, quadrants, texture_format):
    path = tmp_path / "face.glb"
    write_glb(path, tetrahedron, quadrants, name="head", texture_format=texture_format)
    scene = trimesh.load(path, process=False)
    (surface,) = scene.geometry.values()
    corners = tetrahedron.vertices[tetrahedron.faces] / 1000.0
    np.testing.assert_allclose(surface.vertices[surface.faces], corners, atol=1e-7)
    merged = surface.copy()
    merged.merge_vertices(merge_tex=True, merge_norm=True)
    assert merged.is_watertight
    assert merged.volume == pytest.approx(0.1 * 0.2 * 0.3 / 6.0)
    assert surface.visual.material.metallicFactor == 0.0
    picture = np.asarray(surface.visual.material.baseColorTexture.convert("RGB"), dtype=int)
    uv = surface.visual.uv[surface.faces].mean(axis=1)
    row, column = ((1.0 - uv[:, 1]) * 64).astype(int), (uv[:, 0] * 64).astype(int)
    expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]]
    np.testing.assert_allclose(picture[row, column], expected, atol=4)


def test_colours_without_a_texture_are_linear(tmp_path, tetrahedron):
    path = tmp_path / "face.glb"
    bare = Mesh(tetrahedron.vertices, tetrahedron.faces, colors=tetrahedron.colors)
    write_glb(path, bare)
    document, binary = chunks(path)
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    found = values(document, binary, attributes["COLOR_0"])[0]
    np.testing.assert_allclose(found[0], [0.0, 0.21404, 1.0], atol=1e-5)
    assert document["accessors"][attributes["POSITION"]]["count"] == 4


def test_seams_double_only_the_vertices_on_them():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])
    joined = split_at_seams(Mesh(vertices, faces, uv=uv, uv_faces=faces))
    assert len(joined.vertices) == 4
    seam = Mesh(vertices, faces, uv=uv, uv_faces=np.array([[0, 1, 2], [0, 4, 3]]))
    split = split_at_seams(seam)
    assert sorted(split.source) == [0, 1, 2, 2, 3]
    np.testing.assert_array_equal(split.vertices[split.faces], vertices[faces])
    np.testing.assert_array_equal(split.uv[split.faces], uv[seam.uv_faces])


def test_bad_input_is_named(tmp_path, tetrahedron, quadrants):
    path = tmp_path / "face.glb"
    bare = Mesh(tetrahedron.vertices, tetrahedron.faces)
    with pytest.raises(ValueError, match="texture needs a mesh with uv"):
        write_glb(path, bare, quadrants)
    with pytest.raises(ValueError, match="texture must be"):
        write_glb(path, tetrahedron, quadrants / 255.0)
    with pytest.raises(ValueError, match=r"morph_targets\['jawOpen'\] must be"):
        write_glb(path, bare, morph_targets={"jawOpen": np.zeros((3, 3))})
    with pytest.raises(ValueError, match="vertices must be finite"):
        write_glb(path, Mesh(tetrahedron.vertices * np.nan, tetrahedron.faces))
    with pytest.raises(ValueError, match="the faces of vertices must be"):
        write_glb(path, Mesh(tetrahedron.vertices, tetrahedron.faces + 1))
    with pytest.raises(ValueError, match="uv and uv_faces must be given together"):
        write_glb(path, Mesh(tetrahedron.vertices, tetrahedron.faces, uv=tetrahedron.uv))
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_old_file(tmp_path, tetrahedron, monkeypatch):
    path = tmp_path / "face.glb"
    path.write_bytes(b"old")
    from pathlib import Path

    def refuse(self, data):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_glb(path, tetrahedron)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
