"""Wavefront OBJ with its material and texture beside it."""

import os
import re
from hashlib import sha256
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
) -> list[Path]:
    """Write `name.obj` (mm) and, with a texture, `name.mtl` and `name.png` in the same folder.

    Readers take what follows a space, or a dash in front, for another word: where the name has
    such characters, material and texture have one of their own (`reference_name`).

    Returns:
        The paths written.

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
    written = [target]
    lines = ["# mlanet; millimetres, y up, z out of the face"]
    if texture is not None:
        name = reference_name(target.stem)
        material, picture = target.with_name(f"{name}.mtl"), target.with_name(f"{name}.png")
        written += [material, picture]
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
    return written


def reference_name(stem: str) -> str:
    """A name that OBJ and MTL files can refer to: the stem itself where it is one plain word.

    Else other characters become `_`, and a few digits keep names apart that become equal.
    """
    plain = re.sub(r"[^\w.+-]|^-", "_", stem)
    if plain == stem:
        return stem
    return f"{plain}_{sha256(os.fsencode(stem)).hexdigest()[:6]}"


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
