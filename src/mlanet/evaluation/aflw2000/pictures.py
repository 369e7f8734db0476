"""Pictures of an evaluation: faces with the largest errors, and random ones."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.datasets.aflw2000_annotations import AnnotationKind
from mlanet.evaluation.aflw2000.framing import CropSource, framed_face
from mlanet.evaluation.aflw2000.results import ImageResult, drawn_at_random, worst
from mlanet.evaluation.reporting import PictureGrid, PictureRow
from mlanet.evaluation.reporting.face_tiles import (
    FACE_COLUMNS,
    PREDICTED_COLOR,
    TILE_PX,
    TRUTH_COLOR,
    face_tiles,
    grey_tile,
)
from mlanet.image import crop_square, draw_points, square_from_landmarks
from mlanet.reconstructor import Reconstructor

COLUMNS = ("photo", "annotation", *FACE_COLUMNS)
"""Of reconstructions: the photo, the annotation's points on it, then what mlanet made of it."""

POINTS_COLUMNS = ("photo", "annotation", "prediction")
"""Of other methods' predictions, which have points only."""

NOTE = "Orange: the annotation's points. A face that was missed has grey pictures."


@dataclass(frozen=True, slots=True, eq=False)
class FacePictures:
    """Draws scored faces.

    Without a reconstructor, whose crop came from `crop`, the scored points are drawn.
    """

    reconstructor: Reconstructor | None
    dataset: AFLW2000
    annotations: AFLW2000Annotations
    annotation: AnnotationKind = "original"
    crop: CropSource = "ground-truth"

    @property
    def columns(self) -> tuple[str, ...]:
        """What the pictures of a row show."""
        return POINTS_COLUMNS if self.reconstructor is None else COLUMNS

    def grids(self, results: Sequence[ImageResult], workers: int = 1) -> tuple[PictureGrid, ...]:
        """The largest errors (`worst.png`) and random faces (`random.png`)."""
        chosen = (
            ("Largest errors", "worst.png", worst(results)),
            ("Random faces (the same for every method)", "random.png", drawn_at_random(results)),
        )
        with ThreadPoolExecutor(workers) as pool:
            return tuple(
                PictureGrid(title, self.columns, tuple(pool.map(self.row, some)), NOTE, file)
                for title, file, some in chosen
                if some
            )

    def row(self, result: ImageResult) -> PictureRow:
        """Pictures of a face, grey where it was missed."""
        error = "missed" if result.nme_2d_68 is None else f"nme_2d_68 {result.nme_2d_68:.3f} %"
        caption = f"{result.name}\nyaw {result.yaw_deg:.0f} degrees\n{error}"
        row = self.annotations.names.index(result.name)
        truth: Float[np.ndarray, "68 2"] = self.annotations.landmarks_2d_px(self.annotation)[row]
        image = self.dataset[self.dataset.index_of[result.name]].image
        square = square_from_landmarks(truth)

        def tile(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "t t 3"]:
            return crop_square(picture, square, TILE_PX).image

        def marked(points: Float[np.ndarray, "68 2"], color: tuple[int, int, int]) -> np.ndarray:
            return tile(draw_points(image, points, color, point_radius(truth)))

        known = tile(image), marked(truth, TRUTH_COLOR)
        if result.nme_2d_68 is None:
            return PictureRow(caption, (*known, *[grey_tile()] * (len(self.columns) - len(known))))
        if self.reconstructor is None:
            assert result.landmarks_px is not None, "the face was found"
            points = result.landmarks_px[:, :2]
            return PictureRow(caption, (*known, marked(points, PREDICTED_COLOR)))
        roi = self.annotations.roi_box_px[row]
        framed = framed_face(self.reconstructor, image, roi, truth, self.crop)
        assert framed is not None, "the face was found before"
        face = self.reconstructor.predict_in_box(image, *framed)
        return PictureRow(caption, (*known, *face_tiles(face, square)))


def point_radius(truth_px: Float[np.ndarray, "68 2"]) -> float:
    """Radius in pixels at which a face's points are told apart."""
    return max(float(np.ptp(truth_px, axis=0).max()) / 120.0, 0.6)
