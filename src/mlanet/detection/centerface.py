"""CenterFace: boxes and five points of faces, on the CPU (Xu et al., 2019, arXiv 1911.03599)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.assets import verified_path
from mlanet.detection.decoding import Candidates, decode_maps, suppress
from mlanet.detection.detection import Detection
from mlanet.sessions import open_session

if TYPE_CHECKING:
    import onnxruntime

LONG_SIDE_PX = 384
"""First look: the picture's longer side as the network sees it."""

FINE_LONG_SIDE_PX = 960
"""Second look, where the first found nothing or only small faces."""

FILLING_LONG_SIDE_PX = 128
"""Look for a face that fills the whole picture: the picture small, in a wide grey frame."""

FILLING_MARGIN_PX = 64
"""Width of that frame."""

SMALL_FACE_PX = 32.0
"""A face of fewer pixels in the first look suggests that smaller ones were overlooked."""

SCORE_THRESHOLD = 0.35
MAX_OVERLAP = 0.3

_MULTIPLE = 32
"""The network halves its input five times."""

_FRAME_GREY = 128


@dataclass(frozen=True, slots=True, eq=False)
class CenterFace:
    """Finds faces from about 10 pixels of the network's input up to the whole picture.

    `detector(image)` is safe to call from several threads.
    """

    session: "onnxruntime.InferenceSession"
    threshold: float = SCORE_THRESHOLD

    @classmethod
    def load(cls, threads: int = 1, threshold: float = SCORE_THRESHOLD) -> "CenterFace":
        """The shipped detector, run on `threads` threads; `threshold` is the least score.

        Raises:
            AssetError: the shipped file is missing or altered.
            ValueError: `threads` is not positive or `threshold` not in (0, 1).
        """
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"threshold must lie between 0 and 1, got {threshold}")
        session = open_session(verified_path("detector"), threads)
        return cls(session, threshold)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Faces in an RGB picture, best score first; an empty list if there are none."""
        long_side = max(image.shape[:2])
        found = self._look(image, LONG_SIDE_PX)
        if not len(found):
            found = self._look(image, FILLING_LONG_SIDE_PX, FILLING_MARGIN_PX)
        if long_side > LONG_SIDE_PX and _smallest(found) * LONG_SIDE_PX < SMALL_FACE_PX * long_side:
            fine = self._look(image, min(FINE_LONG_SIDE_PX, long_side))
            found = suppress(found.joined(fine), MAX_OVERLAP)
        return [
            Detection(box, points, float(score))
            for box, points, score in zip(found.boxes, found.landmarks, found.scores, strict=True)
        ]

    def _look(
        self, image: UInt8[np.ndarray, "h w 3"], long_side: int, margin: int = 0
    ) -> Candidates:
        """Run the network on the picture resized to `long_side`; results in its own pixels."""
        height, width = image.shape[:2]
        scale = long_side / max(height, width)
        rows, cols = max(1, round(height * scale)), max(1, round(width * scale))
        batch = _network_input(image, rows, cols, margin)
        maps = [np.asarray(output) for output in self.session.run(None, {"image": batch})]
        heat, log_size, offset, landmarks = maps
        found = suppress(
            decode_maps(heat, log_size, offset, landmarks, self.threshold), MAX_OVERLAP
        )
        x_scale, y_scale = width / cols, height / rows
        return found.mapped((x_scale, y_scale), (-margin * x_scale, -margin * y_scale))


def _smallest(found: Candidates) -> float:
    """Geometric mean side of the smallest box; 0 if there is none."""
    sizes = found.boxes[:, 2:] - found.boxes[:, :2]
    return float(np.sqrt(sizes.prod(axis=1)).min()) if len(found) else 0.0


def _network_input(
    image: UInt8[np.ndarray, "h w 3"], rows: int, cols: int, margin: int
) -> Float[np.ndarray, "1 3 a b"]:
    """The picture resized to `rows` x `cols` in a grey frame, 0 to 255.

    The frame is `margin` pixels wide, on the right and below wider up to multiples of 32.
    """
    import cv2

    how = cv2.INTER_AREA if rows < image.shape[0] else cv2.INTER_LINEAR
    shape = [math.ceil((side + 2 * margin) / _MULTIPLE) * _MULTIPLE for side in (rows, cols)]
    batch = np.full((1, 3, *shape), _FRAME_GREY, dtype=np.float32)
    small = cv2.resize(image, (cols, rows), interpolation=how)
    batch[0, :, margin : margin + rows, margin : margin + cols] = small.transpose(2, 0, 1)
    return batch
