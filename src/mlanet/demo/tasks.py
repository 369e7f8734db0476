"""What the worker makes of a photo: where its faces are, and the head of one of them."""

import base64
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.detection import Detection
from mlanet.errors import NoFaceError
from mlanet.fitting import refine_if_possible
from mlanet.image import read_image
from mlanet.reconstructor import Reconstructor, facing_others
from mlanet.viewing import view_page

PREVIEW_SIDE_PX = 1280
JPEG_QUALITY = 85

NAME = "photo"
"""What messages call the upload: its own name never gets here."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoTasks:
    """The tasks, each from the bytes of a photo to what is sent as JSON. Nothing is kept."""

    reconstructor: Reconstructor
    max_pixels: int

    def faces(self, photo: bytes) -> dict[str, Any]:
        """The photo, made small, and the boxes of its faces from left to right.

        If there is one face only, its head, too.

        Raises:
            ImageError: it is no picture.
            NoFaceError: there is no face in it.
        """
        image, detections = self._found(photo)
        height, width = image.shape[:2]
        boxes = [found.box_px / [width, height, width, height] for found in detections]
        return {
            "preview": base64.b64encode(_preview(image)).decode("ascii"),
            "boxes": [np.round(box, 5).tolist() for box in boxes],
            "head": self._files(image, detections, 0) if len(detections) == 1 else None,
        }

    def head(self, photo: bytes, number: int) -> dict[str, str]:
        """The files of one face: `number` counts from 0 on the left.

        Raises:
            ImageError: it is no picture.
            NoFaceError: there are not so many faces in it.
        """
        image, detections = self._found(photo)
        if number >= len(detections):
            raise NoFaceError(f"{NAME}: there is no face {number + 1} in it")
        return self._files(image, detections, number)

    def _found(self, photo: bytes) -> tuple[UInt8[np.ndarray, "h w 3"], list[Detection]]:
        """The picture, and its faces from left to right: at least one."""
        image = read_image(photo, name=NAME, max_pixels=self.max_pixels)
        detections = self.reconstructor.detect(image)
        if not detections:
            raise NoFaceError(f"{NAME}: no face found")
        return image, sorted(detections, key=lambda found: float(found.box_px[0]))

    def _files(
        self, image: UInt8[np.ndarray, "h w 3"], detections: list[Detection], number: int
    ) -> dict[str, str]:
        every = [self.reconstructor.reconstruct_detection(image, found) for found in detections]
        face = refine_if_possible(facing_others(every)[number])
        viewed = face.viewed("face")
        return {
            "glb": base64.b64encode(viewed.glb).decode("ascii"),
            "json": json.dumps(face.as_dict(), indent=1, allow_nan=False),
            "page": view_page([viewed], f"Face {number + 1}" if len(every) > 1 else "Face"),
        }


def _preview(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    from PIL import Image

    picture, encoded = Image.fromarray(image), io.BytesIO()
    picture.thumbnail((PREVIEW_SIDE_PX, PREVIEW_SIDE_PX), Image.Resampling.LANCZOS)
    picture.save(encoded, format="jpeg", quality=JPEG_QUALITY)
    return encoded.getvalue()
