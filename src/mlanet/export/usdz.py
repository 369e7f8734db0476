"""USDZ, the format of Apple's Quick Look, through Pixar's own library."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import UsageError
from mlanet.export.corners import SplitMesh, checked_mesh, split_at_seams
from mlanet.export.gltf import in_metres
from mlanet.extras import install_command
from mlanet.files import atomic_path
from mlanet.geometry import Mesh
from mlanet.image import write_image

ROUGHNESS = 0.6
"""As of the skin in GLB files."""


def write_usdz(
    path: str | os.PathLike[str],
    mesh: Mesh,
    texture: UInt8[np.ndarray, "h w 3"] | None = None,
) -> None:
    """Write a mesh of the model frame (mm) as a USDZ file: metres, y up, one textured mesh.

    Vertices are doubled at seams of the texture. Without a texture the mesh's colours, if any,
    are display colours.

    Raises:
        UsageError: usd-core is not installed; the message says how to add it.
        ValueError: the mesh or the texture is malformed.
        OSError: the file cannot be written.
    """
    checked_mesh(mesh, texture)
    try:
        from pxr import Sdf, UsdUtils
    except ImportError as error:
        raise UsageError(f"USDZ files need: {install_command('usd')}") from error
    with TemporaryDirectory(prefix="mlanet-") as folder, atomic_path(path) as temporary:
        layer = Path(folder, "head.usdc")
        picture = None if texture is None else Path(folder, "texture.png")
        if picture is not None and texture is not None:
            write_image(picture, texture)
        _write_stage(layer, mesh, picture)
        if not UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(layer)), str(temporary)):
            raise OSError(5, "USD could not write it", str(path))


def _write_stage(layer: Path, mesh: Mesh, picture: Path | None) -> None:
    from pxr import Usd, UsdGeom, UsdShade, Vt

    split = split_at_seams(mesh)
    stage: Any = Usd.Stage.CreateNew(str(layer))
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    root: Any = UsdGeom.Xform.Define(stage, "/Head")
    stage.SetDefaultPrim(root.GetPrim())
    shape: Any = UsdGeom.Mesh.Define(stage, "/Head/Mesh")
    points = in_metres(split.vertices)
    shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    shape.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    shape.CreateFaceVertexCountsAttr(Vt.IntArray(len(split.faces), 3))
    shape.CreateFaceVertexIndicesAttr(
        Vt.IntArray.FromNumpy(split.faces.reshape(-1).astype(np.int32))
    )
    shape.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(split.normals.astype(np.float32)))
    shape.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateDoubleSidedAttr(True)
    _add_surface(stage, shape, mesh, split, picture)
    UsdShade.MaterialBindingAPI.Apply(shape.GetPrim())
    UsdShade.MaterialBindingAPI(shape).Bind(_material(stage, picture))
    stage.GetRootLayer().Save()


def _add_surface(
    stage: Any, shape: Any, mesh: Mesh, split: SplitMesh, picture: Path | None
) -> None:
    """Texture coordinates, or else colours."""
    from pxr import Sdf, UsdGeom, Vt

    primvars: Any = UsdGeom.PrimvarsAPI(shape)
    if picture is not None:
        assert split.uv is not None
        uv: Any = primvars.CreatePrimvar(
            "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex
        )
        uv.Set(Vt.Vec2fArray.FromNumpy(split.uv.astype(np.float32)))
    elif mesh.colors is not None:
        colors = np.clip(mesh.colors, 0.0, 1.0)[split.source].astype(np.float32)
        shape.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(Vt.Vec3fArray.FromNumpy(colors))


def _material(stage: Any, picture: Path | None) -> Any:
    from pxr import Sdf, UsdShade

    types = Sdf.ValueTypeNames
    material: Any = UsdShade.Material.Define(stage, "/Head/Material")
    surface: Any = UsdShade.Shader.Define(stage, "/Head/Material/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(ROUGHNESS)
    surface.CreateInput("metallic", types.Float).Set(0.0)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    color: Any = surface.CreateInput("diffuseColor", types.Color3f)
    if picture is None:
        return material
    coordinates: Any = UsdShade.Shader.Define(stage, "/Head/Material/Coordinates")
    coordinates.CreateIdAttr("UsdPrimvarReader_float2")
    coordinates.CreateInput("varname", types.String).Set("st")
    image: Any = UsdShade.Shader.Define(stage, "/Head/Material/Texture")
    image.CreateIdAttr("UsdUVTexture")
    image.CreateInput("file", types.Asset).Set(f"./{picture.name}")
    image.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
    for direction in ("wrapS", "wrapT"):
        image.CreateInput(direction, types.Token).Set("clamp")
    coordinates.CreateOutput("result", types.Float2)
    image.CreateInput("st", types.Float2).ConnectToSource(coordinates.ConnectableAPI(), "result")
    image.CreateOutput("rgb", types.Float3)
    color.ConnectToSource(image.ConnectableAPI(), "rgb")
    return material
