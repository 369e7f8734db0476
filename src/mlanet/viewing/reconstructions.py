"""Reconstructions as heads of a page."""

import io
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.export import identity_offsets
from mlanet.geometry import Camera, Pose
from mlanet.image import Crop
from mlanet.morphable import MorphableModel
from mlanet.viewing.heads import PhotoView, ViewedHead
from mlanet.viewing.page import write_page

MAX_HEADS = 24
"""On one page; further faces of a crowd have their files alone."""

PHOTO_PER_CROP = 1.6
"""Side of the part of the photo that is shown, over the side of the face's crop."""

PHOTO_SIDE_PX = 640
"""At most."""

JPEG_QUALITY = 85

NUM_SHAPE_MODES = 8


class Viewable(Protocol):
    """What a page needs of a reconstruction (`mlanet.Reconstruction` is one)."""

    @property
    def crop(self) -> Crop: ...  # noqa: D102
    @property
    def camera(self) -> Camera: ...  # noqa: D102
    @property
    def pose(self) -> Pose: ...  # noqa: D102
    @property
    def model(self) -> MorphableModel: ...  # noqa: D102
    def write_glb(self, path: str | os.PathLike[str], name: str) -> None: ...  # noqa: D102


def write_view(
    faces: Iterable[Viewable],
    image: UInt8[np.ndarray, "h w 3"],
    path: str | os.PathLike[str],
    title: str = "face",
) -> None:
    """Write a page on which the faces of a photo can be turned: whole or not at all.

    Args:
        faces: of the photo, at least one; the first `MAX_HEADS` are shown.
        image: the photo.
        path: where to.
        title: of the page.

    Raises:
        ValueError: there is no face.
        OSError: the file cannot be written.
    """
    heads = [
        viewed(face, image, f"face_{number:02d}")
        for number, face in enumerate(islice(faces, MAX_HEADS))
    ]
    write_page(path, heads, title)


def viewed(face: Viewable, image: UInt8[np.ndarray, "h w 3"], name: str) -> ViewedHead:
    """A face as the head of a page."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "face.glb"
        face.write_glb(file, name)
        glb = file.read_bytes()
    modes = identity_offsets(face.model, NUM_SHAPE_MODES)
    return ViewedHead(name, glb, _photo_view(face, image), modes)


def _photo_view(face: Viewable, image: UInt8[np.ndarray, "h w 3"]) -> PhotoView:
    """The photo around the face, made small."""
    from PIL import Image

    left, top, right, bottom = _window_px(face.crop.square_px, image.shape[1], image.shape[0])
    scale = min(PHOTO_SIDE_PX / max(right - left, bottom - top), 1.0)
    size = (max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1))
    picture = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
    encoded = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0).save(
        encoded, format="jpeg", quality=JPEG_QUALITY
    )
    x, y = face.camera.principal_point_px
    return PhotoView(
        encoded.getvalue(),
        size,
        face.camera.focal_length_px * scale,
        ((x - left) * scale, (y - top) * scale),
        face.pose,
    )


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
