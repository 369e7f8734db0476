"""Dense alignment and 3D reconstruction on AFLW2000-3D, in the Basel model's topology."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mlanet.datasets import FaceParameters
from mlanet.errors import AssetError, DataError
from mlanet.geometry import (
    bounding_box,
    landmarks_in_pixels,
)
from mlanet.metrics import nme_dense, nme_reconstruction
from mlanet.morphable import LinearShape, MorphableModel, Transfer, connect, load_model

MICROMETRES_PER_MM = 1000.0
LANDMARK_TOLERANCE = 0.02
"""The model's keypoints must meet the data set's this well, as a share of their box: else the
model is not the one that the data set's parameters belong to."""

INSIDE = 0.5
"""A vertex belongs to the face if the region's mask is larger."""

NUM_MODES = (199, 29)


@dataclass(frozen=True, slots=True)
class DenseErrors:
    """Errors of one face in percent; see `mlanet.metrics.alignment`."""

    nme_2d_dense: float
    nme_3d_dense: float
    nme_3d_reconstruction: float


@dataclass(frozen=True, eq=False)
class DenseProtocol:
    """The truth of AFLW2000-3D's parameters, and errors of vertices against it.

    The face region is the embedded model's region `face`, carried over by the correspondence: the
    published figures use masks of their own. `basel` is 3DDFA's model of 199 + 29 modes, connected
    to the embedded one, from which `transfer` leads to it.
    """

    basel: MorphableModel
    transfer: Transfer

    @classmethod
    def load(cls, path: Path, embedded: MorphableModel) -> "DenseProtocol":
        """The user's model: 3DDFA's Model_Shape.mat, or what `mlanet models convert` made of it.

        Without a stored correspondence the model is registered first, which takes a while.

        Raises:
            AssetError: the file is malformed or holds another model.
        """
        return cls.of(load_model(path), embedded)

    @classmethod
    def of(cls, basel: MorphableModel, embedded: MorphableModel) -> "DenseProtocol":
        """A model that is read already.

        Raises:
            AssetError: it is another model than the data set's.
        """
        layout = basel.layout
        if (layout.identity, layout.expression) != NUM_MODES or not len(basel.identity_sd):
            raise AssetError(
                f"the face model {basel.name} has {layout.identity} + {layout.expression} modes:"
                " AFLW2000-3D's parameters belong to 3DDFA's Model_Shape.mat with its 199 + 29"
            )
        if basel.correspondence is None:
            basel, _ = connect(embedded, basel)
        return cls(basel, Transfer(embedded, basel))

    @cached_property
    def region(self) -> Int[np.ndarray, "f"]:
        """Vertices that are compared: the face, as far as the two models correspond.

        Raises:
            AssetError: there are none.
        """
        inside = (self.basel.region("face") > INSIDE) & self.transfer.covered
        if not inside.any():
            raise AssetError(f"the face model {self.basel.name} has no vertices in its face region")
        return np.flatnonzero(inside)

    @cached_property
    def _face(self) -> LinearShape:
        return self.basel.shape.only(self.region)

    def carried(self, reconstruction: Any) -> Float[np.ndarray, "v 3"]:
        """All Basel vertices of a reconstruction, in pixels of its image (z larger is nearer)."""
        points = reconstruction.mesh.vertices.astype(np.float64)
        pixels = landmarks_in_pixels(reconstruction.camera, reconstruction.pose, points)
        return self.transfer.values(np.asarray(pixels))

    def truth(
        self, name: str, parameters: FaceParameters, image_height: int
    ) -> tuple[Float[np.ndarray, "f 3"], float]:
        """Vertices of the face region in pixels of the image, and the eyes' distance in 3D.

        `scale * R @ shape + translation`, y turned over, shifted by what is left to the data
        set's own landmarks: by at most the offset between two ways to count pixels, and by where
        a reader puts the model's origin.

        Raises:
            DataError: the model's landmarks are not the data set's, or it has none.
        """
        placement = parameters.placement(image_height)
        given = self.basel.standardized(parameters.shape, parameters.expression)
        coefficients = (given[0].astype(np.float32), given[1].astype(np.float32))
        keypoints = placement.project(self.basel.landmarks(*coefficients))
        annotated = parameters.landmarks_px
        if annotated is None:
            raise DataError(f"{name}: pt3d_68 is missing")
        shift = (annotated - keypoints).mean(axis=0)
        box = bounding_box(annotated[:, :2])
        off = float(np.linalg.norm((annotated - keypoints - shift)[:, :2], axis=1).mean())
        if off > LANDMARK_TOLERANCE * float((box[2:] - box[:2]).max()):
            raise DataError(
                f"{name}: landmarks of the face model {self.basel.name} are {off:.1f} pixels off"
                " the annotated ones: the parameters belong to another model"
            )
        eyes = float(np.linalg.norm(keypoints[36] - keypoints[45]))
        face = placement.project(self._face(*coefficients))
        return face + shift, eyes

    def errors(
        self,
        name: str,
        predicted_px: Float[np.ndarray, "v 3"],
        parameters: FaceParameters,
        image_height: int,
    ) -> DenseErrors:
        """Errors of a face's Basel vertices in pixels.

        Raises:
            DataError: there are not as many as the model has, or see `truth`.
        """
        if predicted_px.shape != self.basel.shape.mean.shape:
            raise DataError(
                f"{name}: 'vertices' has {len(predicted_px)} vertices, the face model"
                f" {self.basel.name} has {self.basel.num_base_vertices}"
            )
        truth, eyes = self.truth(name, parameters, image_height)
        predicted = predicted_px[self.region]
        return DenseErrors(
            nme_dense(predicted[:, :2], truth[:, :2]),
            nme_dense(predicted, truth),
            nme_reconstruction(predicted, truth, eyes),
        )
