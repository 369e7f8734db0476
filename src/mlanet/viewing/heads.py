"""What a page shows: a GLB file, and the photo that it was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError
from mlanet.files import one_line, parsing, read_bytes
from mlanet.geometry import Pose
from mlanet.viewing.pieces import glb_header

MAX_GLB_BYTES = 128 * 1024**2

READ_EXTENSIONS = ("EXT_texture_webp", "KHR_lights_punctual", "KHR_materials_")
"""Beginnings of the extensions that a page can read where a file requires them."""

READ_EXTENSIONS_EXACTLY = ("KHR_mesh_quantization", "KHR_texture_transform")


@dataclass(frozen=True, slots=True, eq=False)
class PhotoView:
    """A part of the photo, and the head's place in it.

    Attributes:
        jpeg: the picture.
        size_px: its width and height.
        focal_length_px: of the camera, in the picture's pixels.
        principal_point_px: x and y in the picture.
        pose: model to camera, mm.
    """

    jpeg: bytes
    size_px: tuple[int, int]
    focal_length_px: float
    principal_point_px: tuple[float, float]
    pose: Pose


@dataclass(frozen=True, slots=True)
class FilmView:
    """A film that the heads of a page move by.

    Attributes:
        address: of the film, relative to the page: a page does not hold it.
        size_px: its width and height.
    """

    address: str
    size_px: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class ViewedHead:
    """One head of a page.

    Attributes:
        name: of the file it is downloaded as, without the ending.
        glb: the content of the file.
        photo: where it comes from; None if that is not known.
        shape_modes: offsets of the vertices of each mesh by its name, mm, at one standard
            deviation of a face model's first identity modes; empty where they are not known.
    """

    name: str
    glb: bytes
    photo: PhotoView | None = None
    shape_modes: dict[str, Float[np.ndarray, "k n 3"]] | None = None


def head_of_file(path: Path) -> ViewedHead:
    """The content of a GLB file, whoever wrote it.

    Raises:
        DataError: it is no GLB file, or needs what a page cannot give: other files or extensions
            that pack their data. The message begins with the path.
    """
    glb = read_bytes(path, DataError, MAX_GLB_BYTES)
    header = glb_header(glb, path)
    with parsing(path, "is malformed", DataError):
        lacking = _lacking(header)
    if lacking:
        raise DataError(f"{path}: {lacking}")
    return ViewedHead(path.stem, glb)


def _lacking(header: dict[str, Any]) -> str:
    """Why a page cannot show a file; empty if it can."""
    if not header.get("meshes"):
        return "has no mesh"
    for entry in [*header.get("buffers", []), *header.get("images", [])]:
        uri = entry.get("uri", "data:")
        if not uri.startswith("data:"):
            return f"refers to another file, {one_line(uri)}; a page shows what is inside one"
    for name in header.get("extensionsRequired", []):
        if name not in READ_EXTENSIONS_EXACTLY and not name.startswith(READ_EXTENSIONS):
            return f"requires the extension {one_line(name)}, which the viewer does not read"
    for view in header.get("bufferViews", []):
        int(view.get("byteOffset", 0))
    return ""
