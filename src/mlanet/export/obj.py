"""Wavefront OBJ with its material and texture beside it."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.export.corners import checked_mesh, smooth_normals
from mlanet.files import atomic_path
from mlanet.geometry import Mesh
from mlanet.image import write_image


def write_obj(
    path: str | os.PathLike[str],
    mesh: Mesh,
    texture: UInt8[np.ndarray, "h w 3"] | None = None,
    *,
    normals: bool = True,
) -> None:
    """Write `name.obj` (mm) and, with a texture, `name.mtl` and `name.png` in the same folder.

    Vertices keep their order and number: texture coordinates have indices of their own.
    Without a texture the mesh's colours, if any, follow the coordinates in each `v` line.
    Without normals and texture coordinates a face is three plain numbers, as any reader takes it.

    Raises:
        ValueError: the mesh or the texture is malformed.
        ImageError: the texture's file cannot be written.
        OSError: another file cannot be written.
    """
    checked_mesh(mesh, texture)
    target = Path(path)
    lines = ["# mlanet; millimetres, y up, z out of the face"]
    if texture is not None:
        material, picture = target.with_suffix(".mtl"), target.with_suffix(".png")
        write_image(picture, texture)
        _write_text(
            material,
            ["newmtl face", "Ka 0 0 0", "Kd 1 1 1", "Ks 0 0 0", f"map_Kd {picture.name}"],
        )
        lines.append(f"mtllib {material.name}")
    points = np.asarray(mesh.vertices)
    if texture is None and mesh.colors is not None:
        points = np.concatenate([points, np.clip(mesh.colors, 0.0, 1.0)], axis=1)
    lines += _rows("v", points, 4)
    if mesh.uv is not None:
        lines += _rows("vt", mesh.uv, 6)
    if normals:
        lines += _rows("vn", smooth_normals(mesh), 4)
    if texture is not None:
        lines.append("usemtl face")
    lines += _faces(mesh, normals)
    _write_text(target, lines)


def _rows(keyword: str, values: Float[np.ndarray, "n k"], digits: int) -> list[str]:
    pattern = " ".join([keyword] + [f"%.{digits}f"] * values.shape[1])
    return [pattern % tuple(row) for row in values.tolist()]


def _faces(mesh: Mesh, normals: bool) -> list[str]:
    if mesh.uv_faces is None:
        corner = "{0}//{0}" if normals else "{0}"
        pairs = mesh.faces[..., None] + 1
    else:
        corner = "{0}/{1}/{0}" if normals else "{0}/{1}"
        pairs = np.stack([mesh.faces, mesh.uv_faces], axis=2) + 1
    return ["f " + " ".join(corner.format(*c) for c in face) for face in pairs.tolist()]


def _write_text(path: Path, lines: list[str]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
