"""Wavefront OBJ with its material and texture beside it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.export.corners import checked_mesh, smooth_normals
from mlanet.export.hair import HairPart, part_mesh
from mlanet.files import atomic_path
from mlanet.geometry import Mesh
from mlanet.image import write_image


def write_obj(
    path: str | os.PathLike[str],
    mesh: Mesh,
    texture: UInt8[np.ndarray, "h w 3"] | None = None,
    *,
    normals: bool = True,
    parts: Mapping[str, HairPart] | None = None,
) -> list[Path]:
    """Write `name.obj` (mm) and, with a texture, `name.mtl` and `name.png` in the same folder.

    Parts beside the mesh follow it as objects of their own, with their names; the texture of one
    called PART is `name.PART.png`.

    Readers take what follows a space, or a dash in front, for another word: where the name has
    such characters, material and texture have one of their own (`reference_name`).

    Returns:
        The paths written.

    The mesh's vertices keep their order and number: texture coordinates have indices of their own.
    Without a texture the mesh's colours, if any, follow the coordinates in each `v` line.
    Without normals and texture coordinates a face is three plain numbers, as any reader takes it.

    Raises:
        ValueError: the mesh or the texture is malformed.
        ImageError: the texture's file cannot be written.
        OSError: another file cannot be written.
    """
    checked_mesh(mesh, texture)
    target = Path(path)
    name = reference_name(target.stem)
    surfaces = [_Surface("face", mesh, smooth_normals(mesh) if normals else None, texture)]
    for part, hung in (parts or {}).items():
        surfaces.append(
            _Surface(part, part_mesh(hung), hung.normals if normals else None, hung.texture)
        )
    lines = ["# mlanet; millimetres, y up, z out of the face"]
    written, material = [target], target.with_name(f"{name}.mtl")
    materials: list[str] = []
    for surface in surfaces:
        if surface.texture is not None:
            ending = "" if surface is surfaces[0] else f".{surface.name}"
            picture = target.with_name(f"{name}{ending}.png")
            write_image(picture, surface.texture)
            written.append(picture)
            materials += [f"newmtl {surface.name}", "Ka 0 0 0", "Kd 1 1 1", "Ks 0 0 0"]
            materials.append(f"map_Kd {picture.name}")
            if surface.texture.shape[2] == 4:
                materials.append(f"map_d -imfchan m {picture.name}")
    if materials:
        _write_text(material, materials)
        written.insert(1, material)
        lines.append(f"mtllib {material.name}")
    first, first_uv = 1, 1
    for surface in surfaces:
        if surface is not surfaces[0]:
            lines.append(f"o {surface.name}")
        lines += surface.lines(first, first_uv)
        own = surface.mesh
        first, first_uv = (
            first + len(own.vertices),
            first_uv + (0 if own.uv is None else len(own.uv)),
        )
    _write_text(target, lines)
    return written


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    name: str
    mesh: Mesh
    normals: Float[np.ndarray, "v 3"] | None
    texture: UInt8[np.ndarray, "h w c"] | None

    def lines(self, first: int, first_uv: int) -> list[str]:
        """Of the file, whose next vertex and texture coordinate have these numbers."""
        mesh, points = self.mesh, np.asarray(self.mesh.vertices)
        if self.texture is None and mesh.colors is not None:
            points = np.concatenate([points, np.clip(mesh.colors, 0.0, 1.0)], axis=1)
        lines = _rows("v", points, 4)
        if mesh.uv is not None:
            lines += _rows("vt", mesh.uv, 6)
        if self.normals is not None:
            lines += _rows("vn", self.normals, 4)
        if self.texture is not None:
            lines.append(f"usemtl {self.name}")
        uv_faces = None if mesh.uv_faces is None else mesh.uv_faces + first_uv
        return lines + _faces(mesh.faces + first, uv_faces, self.normals is not None)


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


def _faces(
    faces: Int[np.ndarray, "f 3"], uv_faces: Int[np.ndarray, "f 3"] | None, normals: bool
) -> list[str]:
    """Lines of triangles whose numbers count from one."""
    if uv_faces is None:
        corner = "{0}//{0}" if normals else "{0}"
        pairs = faces[..., None]
    else:
        corner = "{0}/{1}/{0}" if normals else "{0}/{1}"
        pairs = np.stack([faces, uv_faces], axis=2)
    return ["f " + " ".join(corner.format(*c) for c in face) for face in pairs.tolist()]


def _write_text(path: Path, lines: list[str]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
