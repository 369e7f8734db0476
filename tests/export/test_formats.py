import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from mlanet.errors import UsageError
from mlanet.export import (
    FORMATS,
    FaceContent,
    PhotoPlacement,
    check_formats,
    formats,
    write_formats,
)
from mlanet.geometry import Camera, Mesh, Pose


@pytest.fixture
def content(tetrahedron, quadrants):
    view = PhotoPlacement(
        Camera(500.0, (320.0, 240.0)),
        Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 900.0])),
        np.ones((68, 3)),
        (640, 480),
    )
    return FaceContent("face_03", tetrahedron, quadrants, {"schema": 1}, view=view)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_writes_its_files_and_no_others(name, content, tmp_path):
    if FORMATS[name].package:
        pytest.importorskip(FORMATS[name].package)
    written = write_formats(content, tmp_path / "deep" / "er", [name, name])
    assert written[0].name == f"face_03{FORMATS[name].suffix}"
    assert set((tmp_path / "deep" / "er").iterdir()) == set(written)
    assert all(path.stat().st_size for path in written)


def test_formats_of_the_photo_need_one(content, tmp_path):
    bare = FaceContent(content.name, content.mesh, content.texture, {"a": 1})
    written = write_formats(bare, tmp_path, ["pts", "json", "blender"])
    assert [path.name for path in written] == ["face_03.json"]
    assert json.loads(written[0].read_text()) == {"a": 1}


def test_unknown_names_and_missing_packages_are_told_before_anything_is_written(
    content, tmp_path, monkeypatch
):
    with pytest.raises(UsageError, match=r"no format 'objj' among glb, .*did you mean obj\?"):
        write_formats(content, tmp_path / "out", ["glb", "objj"])
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"usdz needs: pip install .*\[usd\]"):
        write_formats(content, tmp_path / "out", ["glb", "usdz"])
    check_formats(["glb", "obj"])
    assert list(tmp_path.iterdir()) == []


def test_points_of_a_cloud_have_the_textures_colours(content, tetrahedron, quadrants, tmp_path):
    """The quadrant of a corner's texture coordinate gives its colour; no triangle shares two."""
    apart = Mesh(
        tetrahedron.vertices[tetrahedron.faces].reshape(-1, 3),
        np.arange(12, dtype=np.int32).reshape(4, 3),
        uv=tetrahedron.uv,
        uv_faces=tetrahedron.uv_faces,
    )
    write_formats(FaceContent("face", apart, quadrants, {}), tmp_path, ["ply"])
    read = trimesh.load(tmp_path / "face.ply", process=False)
    colors = np.asarray(read.visual.vertex_colors)[:, :3].reshape(4, 3, 3)
    expected = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]]
    for triangle, color in zip(colors, expected, strict=True):
        assert (triangle == color).all()


def test_a_full_disk_leaves_no_half_file(content, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_formats(content, tmp_path, ["pts"])
    assert raised.value.filename == str(tmp_path / "face_03.pts")
    assert list(tmp_path.iterdir()) == []


def test_clouds_hold_what_hangs_beside_the_mesh(content, tetrahedron, ribbon, tmp_path):
    write_formats(replace(content, long_hair=ribbon), tmp_path, ["ply"])
    read = trimesh.load(tmp_path / "face_03.ply", process=False)
    both = np.concatenate([tetrahedron.vertices, ribbon.vertices])
    np.testing.assert_allclose(read.vertices, both, atol=1e-4)
    np.testing.assert_array_equal(read.faces[4:], ribbon.faces + 4)
    colors = np.asarray(read.visual.vertex_colors)[4:, :3]
    np.testing.assert_array_equal(colors, np.tile(ribbon.texture[0, 0, :3], (4, 1)))


def test_triangles_of_clouds_are_covered(content, ribbon, tmp_path):
    hole = np.concatenate([ribbon.texture[..., :3], np.zeros((8, 16, 1), np.uint8)], axis=2)
    hole[-2:, :2, 3] = 255  # at the corner u = v = 0, which one of the two triangles has
    cut = SimpleNamespace(**(vars(ribbon) | {"texture": hole}))
    write_formats(replace(content, long_hair=cut), tmp_path, ["ply"])
    read = trimesh.load(tmp_path / "face_03.ply", process=False)
    np.testing.assert_array_equal(read.faces[4:], ribbon.faces[:1] + 4)
