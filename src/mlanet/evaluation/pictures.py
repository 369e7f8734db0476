"""Pictures of an evaluation: where the errors are largest."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.errors import DataError
from mlanet.evaluation.aflw2000 import face_box
from mlanet.evaluation.report import AFLW2000Report, ImageResult
from mlanet.image import crop_square, draw_points, square_from_landmarks, write_image
from mlanet.reconstructor import Reconstructor

TILE_PX = 200
TRUTH_COLOR = (255, 140, 0)
KINDS = ("landmarks", "overlay", "shape")
"""What is drawn beside each photo; the annotation's points are orange, ours green."""


def write_worst(
    folder: Path,
    report: AFLW2000Report,
    reconstructor: Reconstructor,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
) -> Path | None:
    """Draw the report's worst images that were found, one row each, into `worst.png`.

    Returns:
        The picture's path; None if no face was found.

    Raises:
        DataError: the folder cannot be written.
    """
    found = [result for result in report.worst if result.nme_2d_68 is not None]
    rows = [face_row(result, report, reconstructor, dataset, annotations) for result in found]
    if not rows:
        return None
    path = folder / "worst.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_image(path, np.concatenate(rows))
    except OSError as error:
        raise DataError(f"{path}: the picture cannot be written ({error})") from error
    return path


def face_row(
    result: ImageResult,
    report: AFLW2000Report,
    reconstructor: Reconstructor,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
) -> UInt8[np.ndarray, "t w 3"]:
    """The photo with the annotation, then the reconstruction as `KINDS`, side by side."""
    row = annotations.names.index(result.name)
    truth: Float[np.ndarray, "68 2"] = annotations.landmarks_2d_px(report.annotation)[row]
    image = dataset[dataset.index_of[result.name]].image
    roi = annotations.roi_box_px[row]
    box = face_box(reconstructor, image, roi, truth, report.crop)
    assert box is not None, "the face was found before"
    face = reconstructor.predict_in_box(image, box)
    radius = max(float(np.ptp(truth, axis=0).max()) / 120.0, 0.6)
    pictures: Sequence[UInt8[np.ndarray, "h w 3"]] = [
        draw_points(image, truth, TRUTH_COLOR, radius),
        *(face.draw(kind) for kind in KINDS),
    ]
    square = square_from_landmarks(truth)
    return np.concatenate([crop_square(p, square, TILE_PX).image for p in pictures], axis=1)
