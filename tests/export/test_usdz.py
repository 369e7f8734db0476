import sys
import zipfile

import numpy as np
import pytest

from mlanet.errors import UsageError
from mlanet.export import write_usdz
from mlanet.geometry import Mesh


def test_pixars_library_reads_it_back(tmp_path, tetrahedron, quadrants):
    pytest.importorskip("pxr", reason="needs the extra usd")
    from pxr import Usd, UsdGeom, UsdShade

    path = tmp_path / "face.usdz"
    write_usdz(path, tetrahedron, quadrants)
    assert [entry.name for entry in tmp_path.iterdir()] == ["face.usdz"]
    names = zipfile.ZipFile(path).namelist()
    assert names[0].endswith(".usdc")
    assert any(name.endswith("texture.png") for name in names)
    stage = Usd.Stage.Open(str(path))
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Mesh"))
    points = np.array(mesh.GetPointsAttr().Get())
    faces = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
    np.testing.assert_allclose(
        points[faces], tetrahedron.vertices[tetrahedron.faces] / 1000.0, atol=1e-6
    )
    uv = np.array(UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").Get())
    np.testing.assert_allclose(uv[faces], tetrahedron.uv[tetrahedron.uv_faces], atol=1e-6)
    material, _ = UsdShade.MaterialBindingAPI(mesh).ComputeBoundMaterial()
    assert material.GetPrim().GetName() == "Material"


def test_without_a_texture_colours_are_kept(tmp_path, tetrahedron):
    pytest.importorskip("pxr", reason="needs the extra usd")
    from pxr import Usd, UsdGeom

    path = tmp_path / "face.usdz"
    write_usdz(path, Mesh(tetrahedron.vertices, tetrahedron.faces, tetrahedron.colors))
    stage = Usd.Stage.Open(str(path))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Mesh"))
    colors = np.array(mesh.GetDisplayColorAttr().Get())
    np.testing.assert_allclose(colors, tetrahedron.colors, atol=1e-6)


def test_without_the_library_one_line_says_how_to_add_it(tmp_path, tetrahedron, monkeypatch):
    for name in ("pxr", "pxr.Sdf"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install .*usd"):
        write_usdz(tmp_path / "face.usdz", tetrahedron)
    assert list(tmp_path.iterdir()) == []


def test_what_hangs_beside_the_mesh_has_its_own_picture(tmp_path, tetrahedron, quadrants, ribbon):
    pytest.importorskip("pxr", reason="needs the extra usd")
    from pxr import Usd, UsdGeom, UsdShade

    path = tmp_path / "face.usdz"
    write_usdz(path, tetrahedron, quadrants, parts={"Hair": ribbon})
    stage = Usd.Stage.Open(str(path))
    hair = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Hair"))
    points = np.array(hair.GetPointsAttr().Get())
    faces = np.array(hair.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
    np.testing.assert_allclose(points[faces], ribbon.vertices[ribbon.faces] / 1000.0, atol=1e-6)
    np.testing.assert_allclose(np.array(hair.GetNormalsAttr().Get()), ribbon.normals)
    files = []
    for name in ("Mesh", "Hair"):
        prim = stage.GetPrimAtPath(f"/Head/{name}")
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        shaders = {child.GetName(): child for child in material.GetPrim().GetChildren()}
        files.append(shaders["Texture"].GetAttribute("inputs:file").Get().path)
    assert files[0] != files[1]
    transparent = UsdShade.Shader(shaders["Surface"]).GetInput("opacity")
    assert bool(transparent) == (ribbon.texture.shape[2] == 4)
    threshold = UsdShade.Shader(shaders["Surface"]).GetInput("opacityThreshold")
    assert bool(threshold) == bool(transparent)
