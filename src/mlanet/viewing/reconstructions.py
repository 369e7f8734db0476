"""Reconstructed faces on a page."""

import io
import os
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import Camera, Pose
from mlanet.viewing.heads import PhotoView, ViewedHead
from mlanet.viewing.page import write_page

MAX_HEADS = 24
"""On one page; further faces of a crowd have their files alone."""

PHOTO_PER_CROP = 1.6
"""Side of the part of the photo that is shown, over the side of the face's crop."""

PHOTO_SIDE_PX = 640
"""At most."""

JPEG_QUALITY = 85


class Viewable(Protocol):
    """What can be shown: `mlanet.Reconstruction`."""

    def viewed(self, name: str) -> ViewedHead:
        """The head of a page, called `name`."""
        ...


def write_view(
    faces: Iterable[Viewable], path: str | os.PathLike[str], title: str = "face"
) -> None:
    """Write a page on which the faces of a photo can be turned: whole or not at all.

    Args:
        faces: of the photo, at least one; the first `MAX_HEADS` are shown.
        path: where to.
        title: of the page.

    Raises:
        ValueError: there is no face.
        OSError: the file cannot be written.
    """
    shown = islice(faces, MAX_HEADS)
    write_page(
        path, [face.viewed(f"face_{number:02d}") for number, face in enumerate(shown)], title
    )


def content_of(write: Callable[[Path], object]) -> bytes:
    """What `write` writes into the file it is given."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "face.glb"
        write(file)
        return file.read_bytes()


def photo_view(
    image: UInt8[np.ndarray, "h w 3"],
    square_px: Float[np.ndarray, "4"],
    camera: Camera,
    pose: Pose,
) -> PhotoView:
    """The photo around a face, made small.

    Args:
        image: the photo.
        square_px: of the face's crop: left, top, right, bottom in pixels of the photo.
        camera: of the photo.
        pose: model to camera, mm.
    """
    from PIL import Image

    left, top, right, bottom = _window_px(square_px, image.shape[1], image.shape[0])
    scale = min(PHOTO_SIDE_PX / max(right - left, bottom - top), 1.0)
    size = (max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1))
    picture = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
    encoded = io.BytesIO()
    smaller = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    smaller.save(encoded, format="jpeg", quality=JPEG_QUALITY)
    x, y = camera.principal_point_px
    focal_length_px = camera.focal_length_px * scale
    point = ((x - left) * scale, (y - top) * scale)
    return PhotoView(encoded.getvalue(), size, focal_length_px, point, pose)


def _window_px(
    square_px: Float[np.ndarray, "4"], width: int, height: int
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part to be shown: inside of the photo, never empty."""
    corners = square_px.reshape(2, 2)
    center = corners.mean(axis=0)
    half = PHOTO_PER_CROP * np.abs(corners[1] - corners[0]).max() / 2.0
    low = np.floor(np.clip(center - half, 0, [width - 1, height - 1])).astype(int)
    high = np.ceil(np.clip(center + half, low + 1, [width, height])).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
