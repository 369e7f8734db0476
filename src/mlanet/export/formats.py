"""The files that a face can be written as, by the names of their formats."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import UsageError, did_you_mean
from mlanet.export.avatar import write_avatar
from mlanet.export.blender import write_blender_camera
from mlanet.export.glb import write_glb
from mlanet.export.hair import HAIR, HairPart, part_mesh
from mlanet.export.obj import write_obj
from mlanet.export.placement import PhotoPlacement
from mlanet.export.ply import write_ply
from mlanet.export.pts import write_pts
from mlanet.export.usdz import write_usdz
from mlanet.extras import install_command
from mlanet.files import atomic_path
from mlanet.geometry import Mesh
from mlanet.image import write_image
from mlanet.morphable import MorphableModel

_LOG = logging.getLogger(__name__)

DEFAULT_FORMATS = ("glb", "json")

Extent: TypeAlias = Literal["head", "face"]
"""How much of the head meshes show: all of it, or the face alone."""


@dataclass(frozen=True, slots=True, eq=False)
class AvatarShape:
    """Whose head an avatar is: a model of which `can_be_avatar` holds, and coefficients.

    `detail` is the normal map of its skin, if it has one; `hair` stands off so far.
    """

    model: MorphableModel
    identity: Float[np.ndarray, "i"]
    expression: Float[np.ndarray, "e"]
    extent: Extent = "head"
    detail: UInt8[np.ndarray, "k k 3"] | None = None
    hair: Float[np.ndarray, "w 3"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FaceContent:
    """What a face's files hold.

    Attributes:
        name: of the face; files are called after it.
        mesh: in the model frame, mm, with the photo's expression.
        texture: of the mesh; its first row is v = 1.
        description: content of the JSON file.
        avatar: what makes the GLB file an avatar; without it, it holds the mesh as it is.
        view: what formats of the photo are made of; without it they are left out.
        pictures: more pictures, each written as `name`.KEY.png whatever the formats are.
        long_hair: what falls beside the mesh, which then has a texture.
    """

    name: str
    mesh: Mesh
    texture: UInt8[np.ndarray, "h w 3"] | None
    description: dict[str, Any]
    avatar: AvatarShape | None = None
    view: PhotoPlacement | None = None
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    long_hair: HairPart | None = None

    @property
    def parts(self) -> dict[str, HairPart]:
        """What files hold beside the mesh, by name."""
        return {} if self.long_hair is None else {HAIR: self.long_hair}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format: how a file with `suffix` is written (a function that returns all paths).

    `shows` says what of a face it needs; `package` is one that the extra `extra` brings.
    """

    suffix: str
    write: Callable[[Path, FaceContent], list[Path]]
    shows: Literal["mesh", "photo", "description"] = "mesh"
    package: str = ""
    extra: str = ""


def check_formats(names: Iterable[str]) -> None:
    """Nothing, if all formats can be written here.

    Raises:
        UsageError: there is no such format (the message lists them), or what it needs is not
            installed (the message says how to add it).
    """
    for name in names:
        if name not in FORMATS:
            hint = did_you_mean(name, FORMATS)
            raise UsageError(f"there is no format {name!r} among {', '.join(FORMATS)}{hint}")
        entry = FORMATS[name]
        if entry.package and find_spec(entry.package) is None:
            raise UsageError(f"the format {name} needs: {install_command(entry.extra)}")


def needs_texture(names: Iterable[str]) -> bool:
    """Whether one of the formats shows the mesh."""
    return any(FORMATS[name].shows == "mesh" for name in names)


def write_formats(content: FaceContent, folder: Path, names: Iterable[str]) -> list[Path]:
    """Write a face as files of these formats into a folder, which is made; returns the paths.

    Raises:
        UsageError: see `check_formats`.
        OSError: a file cannot be written.
        ImageError: a picture cannot be written.
    """
    wanted = dict.fromkeys(names)
    check_formats(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    _LOG.debug("%s: %s.*, formats %s", folder, content.name, ", ".join(wanted))
    for entry in (FORMATS[name] for name in wanted):
        if entry.shows != "photo" or content.view is not None:
            written += entry.write(folder / f"{content.name}{entry.suffix}", content)
    for kind, picture in content.pictures.items():
        written.append(folder / f"{content.name}.{kind}.png")
        write_image(written[-1], picture)
    return written


def colors_at_vertices(mesh: Mesh, texture: UInt8[np.ndarray, "h w 3"]) -> Mesh:
    """The mesh with the texture's colours at its vertices, at a seam those of one side."""
    import cv2

    assert mesh.uv is not None
    assert mesh.uv_faces is not None
    uv = np.zeros((len(mesh.vertices), 2), dtype=np.float32)
    uv[mesh.faces] = mesh.uv[mesh.uv_faces]
    height, width = texture.shape[:2]
    x, y = uv[:, :1] * width - 0.5, (1.0 - uv[:, 1:]) * height - 0.5
    border = cv2.BORDER_REPLICATE
    seen = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=border).reshape(-1, 3)
    return Mesh(mesh.vertices, mesh.faces, seen / np.float32(255.0))


def _covered(part: HairPart) -> Mesh:
    """A part with its colours at its vertices, without triangles of which nothing is covered."""
    mesh = part_mesh(part)
    colored = colors_at_vertices(mesh, part.texture[..., :3])
    if part.texture.shape[2] == 3:
        return colored
    alpha = colors_at_vertices(mesh, np.repeat(part.texture[..., 3:], 3, axis=2)).colors
    assert alpha is not None
    return replace(colored, faces=mesh.faces[(alpha[mesh.faces, 0] >= 0.5).any(axis=1)])


def _joined(first: Mesh, second: Mesh) -> Mesh:
    """Two meshes with colours as one, vertices in this order."""
    assert first.colors is not None
    assert second.colors is not None
    return Mesh(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.faces, second.faces + len(first.vertices)]),
        np.concatenate([first.colors, second.colors]),
    )


def _glb(path: Path, content: FaceContent) -> list[Path]:
    avatar, texture = content.avatar, content.texture
    if avatar is None or texture is None:
        write_glb(path, content.mesh, texture, name=content.name)
    else:
        shape = avatar.model, avatar.identity, avatar.expression
        write_avatar(
            path,
            *shape,
            texture,
            name=content.name,
            extent=avatar.extent,
            detail=avatar.detail,
            hair=avatar.hair,
            long_hair=content.long_hair,
        )
    return [path]


def _obj(path: Path, content: FaceContent) -> list[Path]:
    return write_obj(path, content.mesh, content.texture, parts=content.parts)


def _ply(path: Path, content: FaceContent) -> list[Path]:
    mesh, texture = content.mesh, content.texture
    if texture is not None:
        mesh = colors_at_vertices(mesh, texture)
        for part in content.parts.values():
            mesh = _joined(mesh, _covered(part))
    write_ply(path, mesh)
    return [path]


def _usdz(path: Path, content: FaceContent) -> list[Path]:
    write_usdz(path, content.mesh, content.texture, parts=content.parts)
    return [path]


def _json(path: Path, content: FaceContent) -> list[Path]:
    with atomic_path(path) as temporary:
        text = json.dumps(content.description, indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return [path]


def _pts(path: Path, content: FaceContent) -> list[Path]:
    assert content.view is not None
    write_pts(path, content.view.landmarks_px)
    return [path]


def _blender(path: Path, content: FaceContent) -> list[Path]:
    view = content.view
    assert view is not None
    write_blender_camera(path, view.camera, view.pose, view.size_px, f"{content.name}.glb")
    return [path]


FORMATS: dict[str, FileFormat] = {
    "glb": FileFormat(".glb", _glb),
    "obj": FileFormat(".obj", _obj),
    "ply": FileFormat(".ply", _ply),
    "usdz": FileFormat(".usdz", _usdz, package="pxr", extra="usd"),
    "json": FileFormat(".json", _json, "description"),
    "pts": FileFormat(".pts", _pts, "photo"),
    "blender": FileFormat(".blender.py", _blender, "photo"),
}
"""Every format by name, in the order in which they are listed."""
