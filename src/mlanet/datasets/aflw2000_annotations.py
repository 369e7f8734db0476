"""What the protocols of AFLW2000-3D compare with, read from any of the places where it is found."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from mlanet.datasets.aflw2000 import AFLW2000
from mlanet.datasets.archive import load_arrays
from mlanet.errors import DataError
from mlanet.files.numpyfiles import read_npy
from mlanet.geometry import bounding_box

AnnotationKind: TypeAlias = Literal["original", "reannotated"]
"""Whose landmarks: the data set's, or the re-annotation (LS3D-W: Bulat and Tzimiropoulos,
"How far are we from solving the 2D & 3D Face Alignment problem?", ICCV 2017)."""

REANNOTATED_NAME = "AFLW2000-3D-Reannotated.pts68.npy"
"""Of the file in 3DDFA's repository (cleardusk/3DDFA, `test.configs`)."""

IMAGE_SIDE_PX = 450
"""Of all pictures of the data set, which are square."""

MAX_APART = 0.08
"""Median distance of the two annotations over all images, in sqrt(w·h) of the original landmarks'
box, beyond which rows and pictures do not belong together. It is 0.03, and 0.18 where each row is
taken for the next picture's (400 images)."""


@dataclass(frozen=True, slots=True, eq=False)
class AFLW2000Annotations:
    """What the protocols of AFLW2000-3D need beside the pictures, one row for each image."""

    names: tuple[str, ...]
    original_px: Float[np.ndarray, "n 68 3"]
    """The data set's `pt3d_68`."""
    reannotated_px: Float[np.ndarray, "n 68 2"] | None
    """None: not known."""
    yaw_deg: Float[np.ndarray, "n"]
    """Yaw that decides the bin: the data set's `Pose_Para[1]`."""
    roi_box_px: Float[np.ndarray, "n 4"]
    """The standard protocol's ground-truth crop (`protocol_boxes`)."""

    @classmethod
    def load(cls, path: Path) -> "AFLW2000Annotations":
        """Read an npz file (`annotations.npz`).

        Its arrays: `name` (n,), `pts68_original` (n, 3, 68), `yaw_deg` (n,), `roi_box` (n, 4) and
        perhaps `pts68_reannotated` (n, 2, 68).

        Raises:
            DataError: the file or an array is missing or malformed, or a name occurs twice.
        """
        arrays = load_arrays(
            path,
            required={"name": (), "pts68_original": (3, 68), "yaw_deg": (), "roi_box": (4,)},
            optional={"pts68_reannotated": (2, 68)},
        )
        names = tuple(str(name) for name in arrays["name"])
        if len(set(names)) != len(names):
            raise DataError(f"{path}: 'name' holds a name twice")
        box = arrays["roi_box"].astype(np.float64)
        if (box[:, 2:] <= box[:, :2]).any():
            raise DataError(f"{path}: 'roi_box' must be left, top, right, bottom")
        other = arrays.get("pts68_reannotated")
        return cls(
            names=names,
            original_px=arrays["pts68_original"].astype(np.float64).transpose(0, 2, 1),
            reannotated_px=None if other is None else other.astype(np.float64).transpose(0, 2, 1),
            yaw_deg=arrays["yaw_deg"].astype(np.float64),
            roi_box_px=box,
        )

    @classmethod
    def of(cls, dataset: AFLW2000) -> "AFLW2000Annotations":
        """The original annotation of every picture, from the data set's `.mat` files alone.

        Raises:
            DataError: a file is malformed.
        """
        parameters = [dataset.parameters(index) for index in range(len(dataset))]
        points = np.stack([each.landmarks_px for each in parameters]).astype(np.float64)
        return cls(
            names=dataset.names,
            original_px=points,
            reannotated_px=None,
            yaw_deg=np.array([each.angles_deg[1] for each in parameters], dtype=np.float64),
            roi_box_px=protocol_boxes(points[..., :2]),
        )

    def with_reannotation(self, path: Path) -> "AFLW2000Annotations":
        """With the points of 3DDFA's `AFLW2000-3D-Reannotated.pts68.npy`.

        Its rows are (2, 68) or (3, 68), one for each picture in the order of their names.

        Raises:
            DataError: the file is malformed or does not belong to these pictures.
        """
        points = read_npy(path, DataError, "not a readable npy file")
        count = len(self.names)
        if points.dtype.kind not in "fiu" or points.shape not in {(count, 2, 68), (count, 3, 68)}:
            raise DataError(f"{path}: expected numbers of shape ({count}, 2, 68), {count} pictures")
        reannotated = points[:, :2].astype(np.float64).transpose(0, 2, 1)
        box = bounding_box(self.original_px[..., :2])
        side = np.sqrt((box[:, 2:] - box[:, :2]).prod(axis=1))
        apart = np.linalg.norm(reannotated - self.original_px[..., :2], axis=2).mean(axis=1) / side
        if not np.isfinite(reannotated).all() or np.median(apart) > MAX_APART:
            raise DataError(f"{path}: its points do not lie on the faces of these pictures")
        return replace(self, reannotated_px=reannotated)

    def landmarks_2d_px(self, annotation: AnnotationKind) -> Float[np.ndarray, "n 68 2"]:
        """Points (x, y) of the chosen annotation; the two are never mixed.

        Raises:
            DataError: the re-annotation is asked for and not known.
        """
        if annotation == "original":
            return self.original_px[..., :2]
        if self.reannotated_px is None:
            raise DataError("the re-annotation is not known: give --annotations with its points")
        return self.reannotated_px


def read_annotations(path: Path | None, dataset: AFLW2000) -> AFLW2000Annotations:
    """The annotations of a data set.

    Without a path, its own; with `AFLW2000-3D-Reannotated.pts68.npy`, these points, too; or those
    of an npz file (`AFLW2000Annotations.load`), perhaps of a part of the pictures.

    Raises:
        DataError: a file is missing or malformed.
    """
    if path is None:
        return AFLW2000Annotations.of(dataset)
    if path.suffix.lower() == ".npy":
        return AFLW2000Annotations.of(dataset).with_reannotation(path)
    return AFLW2000Annotations.load(path)


def protocol_boxes(landmarks_px: Float[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "n 4"]:
    """3DDFA's `AFLW2000-3D_crop.roi_box.npy` (left, top, right, bottom) from the landmarks.

    The square around the middle of the landmarks' box, sqrt(2) times its longer side, in whole
    pixels and clipped to the picture's (1 to 450): the same numbers on all 400 images that
    mlanet was compared on.
    """
    box = bounding_box(landmarks_px)
    half = (box[:, 2:] - box[:, :2]).max(axis=1, keepdims=True) / np.sqrt(2.0)
    corner = np.round((box[:, :2] + box[:, 2:]) / 2.0 - half)
    square = np.concatenate([corner, corner + np.round(2.0 * half)], axis=1)
    return square.clip(1.0, float(IMAGE_SIDE_PX))
