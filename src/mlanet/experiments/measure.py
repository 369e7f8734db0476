"""Errors of a network in torch, by the same decoder, crops and protocols as the product's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, REANNOTATED_NAME, read_annotations
from mlanet.datasets.aflw2000_annotations import AnnotationKind
from mlanet.detection import Detection
from mlanet.evaluation import NetworkSource, score_aflw2000
from mlanet.geometry import (
    Camera,
    decode_pose,
    landmarks_in_pixels,
    turn_coefficients_back,
)
from mlanet.image import crop_square
from mlanet.metrics import nme_2d_68
from mlanet.morphable import MorphableModel
from mlanet.network import MLANet
from mlanet.reconstruction import Reconstruction
from mlanet.training.data import LabelledFaces

BATCH = 64

ANNOTATIONS: tuple[AnnotationKind, ...] = ("original", "reannotated")
"""Both annotations of AFLW2000-3D, each a figure of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkPredictor:
    """A network and a face model as what `mlanet.evaluation` measures; it detects nothing.

    Attributes:
        network: in evaluation mode, on the CPU.
        model: whose coefficients the network regresses.
    """

    network: MLANet
    model: MorphableModel

    @torch.no_grad()
    def vectors(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b n"]:
        """Coefficient vectors of RGB crops of the network's size."""
        images = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
        return self.network(images.float() / 255.0).coefficients.numpy()

    def crop_landmarks_px(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b 68 3"]:
        """Landmarks in pixels of the crops."""
        layout = self.network.config.layout
        found = layout.split(self.vectors(crops))
        pose = decode_pose(found.rotation, found.translation, layout.rotation)
        points = self.model.landmarks(found.identity, found.expression)
        return landmarks_in_pixels(Camera.of_crop(crops.shape[1]), pose, points)

    def predict_in_box(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        box_px: Float[np.ndarray, "4"],
        quarter_turns: int = 0,
    ) -> Reconstruction:
        """The face in a square (left, top, right, bottom; pixels), seen turned by `numpy.rot90`."""
        config = self.network.config
        crop = crop_square(image, box_px, config.input_size)
        vector = self.vectors(np.rot90(crop.image, quarter_turns)[None])[0]
        coefficients = config.layout.split(vector)
        return Reconstruction(
            image=image,
            detection=None,
            crop=crop,
            coefficients=turn_coefficients_back(
                coefficients, config.layout.rotation, quarter_turns
            ),
            rotation_kind=config.layout.rotation,
            model=self.model,
        )

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> Sequence[Detection]:
        """No faces: boxes are given."""
        return []

    def crop_box(self, detection: Detection) -> Float[np.ndarray, "4"]:
        """The detection's own box."""
        return np.asarray(detection.box_px, dtype=np.float64)


def held_out_errors(predictor: NetworkPredictor, faces: LabelledFaces) -> Float[np.ndarray, "n"]:
    """Error in per cent of each held-out face: `nme_2d_68` against the training's labels."""
    size = predictor.network.config.input_size
    errors: list[np.ndarray] = []
    for batch in faces.held_out_batches(size, BATCH):
        found = predictor.crop_landmarks_px(batch.images.numpy())
        errors.append(nme_2d_68(found[..., :2], batch.landmarks_px[..., :2].numpy()))
    return np.concatenate(errors)


@dataclass(frozen=True, slots=True, eq=False)
class AFLW2000Errors:
    """`nme_2d_68` in per cent of each image of AFLW2000-3D, ground-truth crop.

    Attributes:
        yaw_deg: of each image.
        errors: by annotation.
    """

    yaw_deg: Float[np.ndarray, "n"]
    errors: dict[str, Float[np.ndarray, "n"]]


def aflw2000_errors(predictor: NetworkPredictor, folder: Path) -> AFLW2000Errors:
    """Measure against both annotations.

    Args:
        predictor: network and face model.
        folder: holds the pictures (`mlanet.datasets.AFLW2000`), and `annotations.npz` or
            `AFLW2000-3D-Reannotated.pts68.npy` (`mlanet.datasets.read_annotations`).

    Raises:
        DataError: a file is missing or malformed.
    """
    both = folder / "annotations.npz"
    dataset = AFLW2000(folder)
    truth = read_annotations(both if both.exists() else folder / REANNOTATED_NAME, dataset)
    found: dict[str, np.ndarray] = {}
    for annotation in ANNOTATIONS:
        source = NetworkSource(predictor, truth, annotation)
        results = score_aflw2000(source, dataset, truth, annotation=annotation)
        found[annotation] = np.array([result.nme_2d_68 for result in results], np.float64)
    return AFLW2000Errors(truth.yaw_deg, found)
