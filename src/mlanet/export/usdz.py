"""USDZ, the format of Apple's Quick Look, through Pixar's own library."""

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import UsageError
from mlanet.export.corners import SplitMesh, checked_mesh, split_at_seams
from mlanet.export.gltf import in_metres
from mlanet.export.hair import HairPart, part_mesh
from mlanet.extras import install_command
from mlanet.files import atomic_path
from mlanet.geometry import Mesh
from mlanet.image import write_image

ROUGHNESS = 0.6
"""As of the skin in GLB files."""

CUT_OUT = 0.5
"""What covers less is not there, and all else is opaque: so viewers need not sort triangles."""


def write_usdz(
    path: str | os.PathLike[str],
    mesh: Mesh,
    texture: UInt8[np.ndarray, "h w 3"] | None = None,
    *,
    parts: Mapping[str, HairPart] | None = None,
) -> None:
    """Write a mesh of the model frame (mm) as a USDZ file: metres, y up, with its texture.

    Vertices are doubled at seams of the texture. Without a texture the mesh's colours, if any,
    are display colours. Parts beside the mesh are meshes of their own under their names.

    Raises:
        UsageError: usd-core is not installed; the message says how to add it.
        ValueError: a mesh or a texture is malformed.
        OSError: the file cannot be written.
    """
    checked_mesh(mesh, texture)
    try:
        sdf, utils = _pixars("Sdf", "UsdUtils")
    except ImportError as error:
        raise UsageError(f"USDZ files need: {install_command('usd')}") from error
    with TemporaryDirectory(prefix="mlanet-") as folder, atomic_path(path) as temporary:
        layer = Path(folder, "head.usdc")
        stage = _new_stage(layer)
        _add_mesh(stage, "Mesh", mesh, split_at_seams(mesh), texture, Path(folder, "texture.png"))
        for name, part in (parts or {}).items():
            own = part_mesh(part)
            split = split_at_seams(own)
            split = replace(split, normals=part.normals[split.source])
            _add_mesh(stage, name, own, split, part.texture, Path(folder, f"{name}.png"))
        stage.GetRootLayer().Save()
        if not utils.CreateNewUsdzPackage(sdf.AssetPath(str(layer)), str(temporary)):
            raise OSError(5, "USD could not write it", str(path))


def _new_stage(layer: Path) -> Any:
    usd, geom = _pixars("Usd", "UsdGeom")
    stage = usd.Stage.CreateNew(str(layer))
    geom.SetStageMetersPerUnit(stage, 1.0)
    geom.SetStageUpAxis(stage, geom.Tokens.y)
    stage.SetDefaultPrim(geom.Xform.Define(stage, "/Head").GetPrim())
    return stage


def _add_mesh(
    stage: Any,
    name: str,
    mesh: Mesh,
    split: SplitMesh,
    texture: UInt8[np.ndarray, "h w c"] | None,
    picture: Path,
) -> None:
    """A mesh and its material; the texture, if there is one, goes into `picture`."""
    geom, shade, vt = _pixars("UsdGeom", "UsdShade", "Vt")
    shape = geom.Mesh.Define(stage, f"/Head/{name}")
    points = in_metres(split.vertices)
    shape.CreatePointsAttr(vt.Vec3fArray.FromNumpy(points))
    shape.CreateExtentAttr(vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    shape.CreateFaceVertexCountsAttr(vt.IntArray(len(split.faces), 3))
    shape.CreateFaceVertexIndicesAttr(
        vt.IntArray.FromNumpy(split.faces.reshape(-1).astype(np.int32))
    )
    shape.CreateNormalsAttr(vt.Vec3fArray.FromNumpy(split.normals.astype(np.float32)))
    shape.SetNormalsInterpolation(geom.Tokens.vertex)
    shape.CreateSubdivisionSchemeAttr(geom.Tokens.none)
    shape.CreateDoubleSidedAttr(True)
    shown, transparent = None, False
    if texture is not None:
        write_image(picture, texture)
        shown, transparent = picture, texture.shape[2] == 4
    _add_surface(shape, mesh, split, shown)
    shade.MaterialBindingAPI.Apply(shape.GetPrim())
    material = "Material" if name == "Mesh" else f"{name}Material"
    made = _material(stage, f"/Head/{material}", shown, transparent)
    shade.MaterialBindingAPI(shape).Bind(made)


def _add_surface(shape: Any, mesh: Mesh, split: SplitMesh, picture: Path | None) -> None:
    """Texture coordinates, or else colours."""
    sdf, geom, vt = _pixars("Sdf", "UsdGeom", "Vt")
    primvars = geom.PrimvarsAPI(shape)
    if picture is not None:
        assert split.uv is not None
        uv = primvars.CreatePrimvar("st", sdf.ValueTypeNames.TexCoord2fArray, geom.Tokens.vertex)
        uv.Set(vt.Vec2fArray.FromNumpy(split.uv.astype(np.float32)))
    elif mesh.colors is not None:
        colors = np.clip(mesh.colors, 0.0, 1.0)[split.source].astype(np.float32)
        shape.CreateDisplayColorPrimvar(geom.Tokens.vertex).Set(vt.Vec3fArray.FromNumpy(colors))


def _material(stage: Any, place: str, picture: Path | None, transparent: bool) -> Any:
    sdf, shade = _pixars("Sdf", "UsdShade")
    types = sdf.ValueTypeNames
    material = shade.Material.Define(stage, place)
    surface = shade.Shader.Define(stage, f"{place}/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(ROUGHNESS)
    surface.CreateInput("metallic", types.Float).Set(0.0)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    color = surface.CreateInput("diffuseColor", types.Color3f)
    if picture is None:
        return material
    coordinates = shade.Shader.Define(stage, f"{place}/Coordinates")
    coordinates.CreateIdAttr("UsdPrimvarReader_float2")
    coordinates.CreateInput("varname", types.String).Set("st")
    image = shade.Shader.Define(stage, f"{place}/Texture")
    image.CreateIdAttr("UsdUVTexture")
    image.CreateInput("file", types.Asset).Set(f"./{picture.name}")
    image.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
    for direction in ("wrapS", "wrapT"):
        image.CreateInput(direction, types.Token).Set("clamp")
    coordinates.CreateOutput("result", types.Float2)
    image.CreateInput("st", types.Float2).ConnectToSource(coordinates.ConnectableAPI(), "result")
    image.CreateOutput("rgb", types.Float3)
    if transparent:
        image.CreateOutput("a", types.Float)
        opacity = surface.CreateInput("opacity", types.Float)
        opacity.ConnectToSource(image.ConnectableAPI(), "a")
        surface.CreateInput("opacityThreshold", types.Float).Set(CUT_OUT)
    color.ConnectToSource(image.ConnectableAPI(), "rgb")
    return material


def _pixars(*names: str) -> list[Any]:
    """Modules of Pixar's library, which has no types."""
    return [import_module(f"pxr.{name}") for name in names]
