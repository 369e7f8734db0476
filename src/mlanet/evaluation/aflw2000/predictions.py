"""Predictions of any method as a file: what the protocols need of each face, and nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Shaped

from mlanet.datasets.archive import load_arrays
from mlanet.errors import DataError
from mlanet.evaluation.aflw2000.results import ImageResult
from mlanet.files import atomic_path

LARGEST = 1e7
"""Coordinates in pixels and angles in degrees beyond this are malformed."""

OPTIONAL = ("angles_deg", "vertices", "boxes")
"""Arrays of numbers that a file may hold."""


@dataclass(frozen=True, eq=False)
class FacePrediction:
    """What is scored of one face.

    Attributes:
        landmarks_px: x, y and perhaps z (same scale, larger is nearer) in pixels of the image.
        angles_deg: pitch, yaw, roll; None if the method does not say.
        vertices_px: vertices of the Basel model, in the landmarks' frame; None without them.
        box_px: left, top, right, bottom of what the method saw, or None.
        skin_tone_deg: individual typology angle of the predicted albedo, or None.
        seconds: that the method took.
        confidence: that the mean error is small (`mlanet.network.confidence`), or None.
        landmark_confidence: that each landmark's is.
    """

    landmarks_px: Float[np.ndarray, "68 d"]
    angles_deg: Float[np.ndarray, "3"] | None = None
    vertices_px: Float[np.ndarray, "v 3"] | None = None
    box_px: Float[np.ndarray, "4"] | None = None
    skin_tone_deg: float | None = None
    seconds: float = 0.0
    confidence: float | None = None
    landmark_confidence: Float[np.ndarray, "68"] | None = None


@dataclass(frozen=True, eq=False)
class Predictions:
    """Faces that a method found in named images; a file holds the arrays under these names.

    Pixels are those of the original image, the data set's own numbers. Rows of missed faces are
    not used.

    Attributes:
        names: file names of the images, for instance `image00002.jpg`.
        landmarks: (n, 68, 2) or (n, 68, 3).
        angles_deg: pitch, yaw, roll in degrees, or None.
        vertices: of the Basel model, x, y in pixels, z in the same scale and larger nearer the
            viewer, or None.
        missed: images in which the method found no face.
        boxes: left, top, right, bottom of what the method saw, or None. Nothing is scored of
            them: they let another method see the same.
    """

    names: tuple[str, ...]
    landmarks: Float[np.ndarray, "n 68 d"]
    angles_deg: Float[np.ndarray, "n 3"] | None = None
    vertices: Float[np.ndarray, "n v 3"] | None = None
    missed: Bool[np.ndarray, "n"] | None = None
    boxes: Float[np.ndarray, "n 4"] | None = None

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read an npz file.

        Raises:
            DataError: the file or an array is missing or malformed, a number of a face that was
                not missed is not finite or beyond `LARGEST`, or a name occurs twice.
        """
        arrays = load_arrays(
            path,
            required={"names": (), "landmarks": (68, None)},
            optional={"angles_deg": (3,), "vertices": (None, 3), "missed": (), "boxes": (4,)},
            finite=False,
        )
        names = tuple(str(name) for name in arrays["names"])
        if len(set(names)) != len(names):
            raise DataError(f"{path}: 'names' holds a name twice")
        if arrays["landmarks"].shape[2] not in (2, 3):
            raise DataError(f"{path}: 'landmarks' must have 2 or 3 coordinates")
        missed = _truth_values(path, arrays.get("missed"))
        for name in ("landmarks", *OPTIONAL):
            if name in arrays:
                _check_numbers(path, name, arrays[name], missed)
        optional = {name: arrays.get(name) for name in OPTIONAL}
        return cls(names, arrays["landmarks"], missed=missed, **optional)

    def save(self, path: Path) -> None:
        """Write the npz file, whole or not at all.

        Raises:
            DataError: it cannot be written.
        """
        arrays = {"names": np.array(self.names), "landmarks": self.landmarks}
        optional = {name: getattr(self, name) for name in (*OPTIONAL, "missed")}
        arrays |= {name: value for name, value in optional.items() if value is not None}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error})") from error

    def require(self, names: Sequence[str]) -> None:
        """Nothing, if there is a row for each of these images; more rows do no harm.

        Raises:
            DataError: there is none for one of them.
        """
        absent = [name for name in names if name not in self._row_of]
        if absent:
            raise DataError(
                f"the predictions lack {absent[0]} and {len(absent) - 1} more of the"
                f" {len(names)} annotated images"
            )

    def face(self, name: str) -> FacePrediction | None:
        """The face in an image; None if the method missed it.

        Raises:
            KeyError: the image has no row.
        """
        row = self._row_of[name]
        if self.missed is not None and self.missed[row]:
            return None
        angles, vertices, box = (
            None if values is None else values[row].astype(np.float64)
            for values in (self.angles_deg, self.vertices, self.boxes)
        )
        return FacePrediction(self.landmarks[row].astype(np.float64), angles, vertices, box)

    def source(self, _row: int, name: str, _sample: object) -> FacePrediction | None:
        """`face`, for `score_aflw2000`."""
        return self.face(name)

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}


def predictions_of(results: Sequence[ImageResult]) -> Predictions:
    """What was scored, as others may score it again; vertices if they were kept.

    Angles, boxes and vertices are left out unless all faces that were found have them.
    """
    some = [r.landmarks_px for r in results if r.landmarks_px is not None]
    empty = np.zeros((68, min((points.shape[1] for points in some), default=2)))
    points = [empty if r.landmarks_px is None else r.landmarks_px for r in results]
    return Predictions(
        names=tuple(r.name for r in results),
        landmarks=np.stack(points),
        angles_deg=_stacked([r.angles_deg for r in results], len(some), np.zeros(3)),
        vertices=_stacked([r.vertices_px for r in results], len(some)),
        missed=np.array([r.landmarks_px is None for r in results]),
        boxes=_stacked([r.box_px for r in results], len(some), np.zeros(4)),
    )


def _stacked(
    arrays: Sequence[Shaped[np.ndarray, "..."] | None],
    needed: int,
    empty: Shaped[np.ndarray, "..."] | None = None,
) -> Shaped[np.ndarray, "n ..."] | None:
    """One array, zero (or `empty`) where there is none; None if there are fewer than needed."""
    given = [array for array in arrays if array is not None]
    if len(given) < needed or (empty is None and not given):
        return None
    like = np.zeros_like(given[0]) if empty is None else empty
    return np.stack([like if array is None else array for array in arrays])


def _truth_values(
    path: Path, given: Shaped[np.ndarray, "n"] | None
) -> Bool[np.ndarray, "n"] | None:
    """Truth values as such or as whole numbers; words such as "False" would all be true."""
    if given is None:
        return None
    if given.dtype.kind not in "biu":
        raise DataError(f"{path}: 'missed' must hold truth values, not {given.dtype}")
    return given.astype(bool)


def _check_numbers(
    path: Path,
    name: str,
    values: Shaped[np.ndarray, "n ..."],
    missed: Bool[np.ndarray, "n"] | None,
) -> None:
    if values.dtype.kind not in "fiu":
        raise DataError(f"{path}: {name!r} must hold numbers, not {values.dtype}")
    used = values if missed is None or not missed.any() else values[~missed]
    if used.size == 0:
        return
    low, high = float(used.min()), float(used.max())  # not a number where one is none
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"{path}: {name!r} holds numbers that are not finite")
    if max(-low, high) > LARGEST:
        raise DataError(f"{path}: {name!r} holds {max(-low, high):.3g}, more than {LARGEST:.0e}")
