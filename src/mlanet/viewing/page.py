"""The page: the built viewer and what it shows, in one file."""

import html
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlanet.assets import verified_path
from mlanet.files import atomic_path
from mlanet.viewing.heads import FilmView, PhotoView, ViewedHead
from mlanet.viewing.pieces import Pieces

PLACE_OF_TITLE = "<title>mlanet</title>"
PLACE_OF_DATA = "<!--mlanet:data-->"
"""What the built viewer has where the head's data go."""

PLACE_OF_POLICY = "img-src "
"""Before which in the page's content-security policy films are allowed, where there is one."""

SHAPE_UNITS_PER_MM = 100
"""Offsets of identity modes are whole numbers of 10 µm."""

FRAME_HEIGHT_PX = 560


def view_page(heads: Sequence[ViewedHead], title: str, film: FilmView | None = None) -> str:
    """The content of a page that shows heads and loads nothing but a film beside it, if there is.

    Heads whose files are animated can be played.

    Raises:
        ValueError: there is no head.
        DataError: one of them is no GLB file.
        AssetError: the viewer that ships is missing or altered.
    """
    if not heads:
        raise ValueError("a page shows at least one head")
    pieces = Pieces()
    described: dict[str, Any] = {
        "title": title,
        "heads": [_described(head, pieces) for head in heads],
        "pieces": pieces.described,
    }
    if film is not None:
        described["film"] = {"address": film.address, "size_px": film.size_px}
    text = json.dumps(described, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    data = (
        f'<script type="application/json" id="page">{text}</script>\n'
        f'<script type="text/plain" id="data">{pieces.packed()}</script>'
    )
    page = verified_path("viewer").read_text(encoding="utf-8")
    if film is not None:
        page = page.replace(PLACE_OF_POLICY, f"media-src 'self' file:; {PLACE_OF_POLICY}", 1)
    page = page.replace(PLACE_OF_TITLE, f"<title>{html.escape(title)}</title>", 1)
    return page.replace(PLACE_OF_DATA, data, 1)


def write_page(
    path: str | os.PathLike[str],
    heads: Sequence[ViewedHead],
    title: str = "face",
    film: FilmView | None = None,
) -> None:
    """Write `view_page`: whole or not at all.

    Raises:
        ValueError: there is no head.
        DataError: one of them is no GLB file.
        OSError: the file cannot be written.
    """
    page = view_page(heads, title, film)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def as_frame(page: str) -> str:
    """A page as a part of another one, a notebook's say, that cannot reach what is around it."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts allow-downloads" '
        f'title="3D head" style="width: 100%; height: {FRAME_HEIGHT_PX}px; border: 0"></iframe>'
    )


def _described(head: ViewedHead, pieces: Pieces) -> dict[str, Any]:
    described: dict[str, Any] = {"name": head.name, "glb": pieces.add_glb(head.glb)}
    if head.photo is not None:
        described["photo"] = _described_photo(head.photo, pieces)
    if head.shape_modes:
        described["shape"] = {
            name: pieces.add(np.round(modes * SHAPE_UNITS_PER_MM).astype("<i2").tobytes())
            for name, modes in head.shape_modes.items()
        }
    return described


def _described_photo(photo: PhotoView, pieces: Pieces) -> dict[str, Any]:
    x, y = photo.principal_point_px
    return {
        "jpeg": pieces.add(photo.jpeg, of_numbers=False),
        "size_px": photo.size_px,
        "focal_length_px": float(photo.focal_length_px),
        "principal_point_px": [float(x), float(y)],
        "rotation": np.asarray(photo.pose.rotation, dtype=np.float64).tolist(),
        "translation_mm": np.asarray(photo.pose.translation, dtype=np.float64).tolist(),
    }
