"""Faces of photos without labels: found, and cut out when they are asked for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.datasets.dataset import Sample, SkippedSamples
from mlanet.datasets.detections import DetectionCache
from mlanet.detection import Detection, square_from_detection
from mlanet.detection.centerface import SCORE_THRESHOLD
from mlanet.errors import DataError
from mlanet.image import Crop, crop_square, read_image

CACHE = ".mlanet"
"""Folder of the detections below the photos."""

MIN_FACE_PX = 40.0

MARGIN = 1.25
"""Side of a crop over that of the square in it that networks are shown."""


class PhotoFolder:
    """All faces of a folder of photos as square crops; nothing is known of them.

    Opening looks for faces in new and changed photos, and keeps what it found
    (`DetectionCache`). The middle `1 / margin` of a crop is the square that networks are shown of
    a detection; the rest leaves room for shifts and turns.

    Args:
        root: Photos, also in its folders.
        size: Side of the crops in pixels.
        margin: Side of the crops over that of the detection's square.
        min_face_px: Faces whose box has a smaller side (geometric mean) are left out.
        threshold: Least score of a detection.
        cache: Folder for detections, of this folder alone; by default `.mlanet` in `root`.
        threads: Photos that are looked at at the same time.
        progress: Called with the numbers of photos looked at and of all.

    Attributes:
        size, margin: As given.
        names: `PHOTO#NUMBER` of each face; a photo's best face is number 0.
        detections: Of each face, in pixels of the upright photo.
        without_face: Photos in which no face of that size was found.
        skipped: Photos that cannot be read, and samples that `read_samples` found broken.

    Raises:
        DataError: there is no folder or no face in any photo, or the cache cannot be written.
    """

    size: int
    margin: float
    names: tuple[str, ...]
    detections: tuple[Detection, ...]
    without_face: tuple[str, ...]
    skipped: SkippedSamples

    def __init__(
        self,
        root: Path,
        *,
        size: int = 160,
        margin: float = MARGIN,
        min_face_px: float = MIN_FACE_PX,
        threshold: float = SCORE_THRESHOLD,
        cache: Path | None = None,
        threads: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        if not root.is_dir():
            raise DataError(f"{root}: no such folder of photos")
        if size < 1 or not margin > 0.0:
            raise ValueError(f"size and margin must be positive, got {size} and {margin}")
        self._root, self.size, self.margin = root, size, margin
        self.skipped = SkippedSamples()
        known = DetectionCache(cache or root / CACHE, threshold)
        faces: list[tuple[str, Detection]] = []
        without: list[str] = []
        for photo, record in known.update(root, threads, progress).items():
            if record.error:
                self.skipped.add(photo, f"{root / photo}: {record.error}")
                continue
            large = [
                (f"{photo}#{number}", face)
                for number, face in enumerate(record.detections())
                if face.size_px >= min_face_px
            ]
            faces += large
            without += [] if large else [photo]
        self.names = tuple(name for name, _ in faces)
        self.detections = tuple(face for _, face in faces)
        self.without_face = tuple(without)
        if not faces:
            raise DataError(
                f"{root}: no face of {min_face_px:g} pixels in {len(without)} photos;"
                f" {len(self.skipped)} files cannot be read"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        return Sample(name=self.names[index], image=self.crop(index).image)

    def box_px(self, index: int) -> Float[np.ndarray, "4"]:
        """The square of a crop (left, top, right, bottom; pixels of the upright photo).

        Raises:
            DataError: the detection's points coincide.
        """
        try:
            box = square_from_detection(self.detections[index])
        except ValueError as error:
            raise DataError(f"{self.names[index]}: {error}") from error
        center, half = (box[:2] + box[2:]) / 2.0, (box[2] - box[0]) / 2.0 * self.margin
        return np.concatenate([center - half, center + half])

    def crop(self, index: int) -> Crop:
        """A face with the map from the upright photo.

        Raises:
            ImageError: the photo cannot be read any more.
        """
        image = read_image(self._root / self.names[index].rpartition("#")[0])
        return crop_square(image, self.box_px(index), self.size)
