"""Errors of a network in torch, by the product's decoder, crops and protocols; `result.json`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, REANNOTATED_NAME, read_annotations
from mlanet.datasets.aflw2000_annotations import AnnotationKind
from mlanet.detection import Detection
from mlanet.errors import DataError
from mlanet.evaluation import NetworkSource, score_aflw2000
from mlanet.files import atomic_path, parsing, read_json
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

    The network is in evaluation mode, on the CPU.
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
        coefficients = layout.split(self.vectors(crops))
        pose = decode_pose(coefficients.rotation, coefficients.translation, layout.rotation)
        points = self.model.landmarks(coefficients.identity, coefficients.expression)
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
        landmarks_px = predictor.crop_landmarks_px(batch.images.numpy())
        errors.append(nme_2d_68(landmarks_px[..., :2], batch.landmarks_px[..., :2].numpy()))
    return np.concatenate(errors)


@dataclass(frozen=True, slots=True, eq=False)
class AFLW2000Errors:
    """`nme_2d_68` in per cent of each image of AFLW2000-3D, ground-truth crop."""

    yaw_deg: Float[np.ndarray, "n"]
    errors: dict[str, Float[np.ndarray, "n"]]


def aflw2000_errors(predictor: NetworkPredictor, folder: Path) -> AFLW2000Errors:
    """Measure against both annotations.

    The folder holds the pictures, and `annotations.npz` or `REANNOTATED_NAME` (`read_annotations`).

    Raises:
        DataError: a file is missing or malformed.
    """
    both = folder / "annotations.npz"
    dataset = AFLW2000(folder)
    truth = read_annotations(both if both.exists() else folder / REANNOTATED_NAME, dataset)
    errors: dict[str, np.ndarray] = {}
    for annotation in ANNOTATIONS:
        source = NetworkSource(predictor, truth, annotation)
        results = score_aflw2000(source, dataset, truth, annotation=annotation)
        errors[annotation] = np.array([result.nme_2d_68 for result in results], np.float64)
    return AFLW2000Errors(truth.yaw_deg, errors)


RESULT = "result.json"
FORMAT = "mlanet-ablation-1"


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """One measured run; configuration and code version of the training are in `config.json`.

    `labelled` and `unlabelled` count crops. `held_out` are errors in per cent of each face, `heads`
    and `people` those of `mlanet.experiments.likeness`. `data` (`LabelledFaces.fingerprints`),
    `face_model` and `heads` are None in results of earlier versions, `people` where nobody asked
    for it, `commit` if it is not known.
    """

    row: str
    seed: int
    parameters: int
    labelled: int
    unlabelled: int
    images_per_s: float
    commit: str | None
    held_out: Float[np.ndarray, "n"]
    aflw2000: AFLW2000Errors | None
    data: dict[str, str] | None = None
    face_model: str | None = None
    heads: Float[np.ndarray, "h"] | None = None
    people: Float[np.ndarray, "p"] | None = None

    def save(self, folder: Path) -> Path:
        """Write `result.json` in one step."""
        content: dict[str, Any] = {
            "format": FORMAT,
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "images_per_s": round(self.images_per_s, 1),
            **{name: _listed(getattr(self, name)) for name in ("held_out", *self.likeness)},
        }
        if self.aflw2000 is not None:
            errors = {name: _listed(values) for name, values in self.aflw2000.errors.items()}
            content["aflw2000"] = {"yaw_deg": _listed(self.aflw2000.yaw_deg), "errors": errors}
        path = folder / RESULT
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
        return path

    @property
    def likeness(self) -> dict[str, Float[np.ndarray, "n"]]:
        """`heads` and `people`, as far as they were measured."""
        both = {"heads": self.heads, "people": self.people}
        return {name: errors for name, errors in both.items() if errors is not None}

    @classmethod
    def load(cls, folder: Path) -> "RunResult":
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or malformed.
        """
        path = folder / RESULT
        content: dict[str, Any] = read_json(path, DataError)
        with parsing(path, "not the result of an ablation's run", DataError):
            if content.pop("format") != FORMAT:
                raise DataError(f"{path}: not of the format {FORMAT}")
            measured = content["aflw2000"]
            if measured is not None:
                errors = {name: np.asarray(v, np.float64) for name, v in measured["errors"].items()}
                content["aflw2000"] = AFLW2000Errors(np.asarray(measured["yaw_deg"]), errors)
            for name in ("held_out", "heads", "people"):
                if content.get(name) is not None:
                    content[name] = np.asarray(content[name], np.float64)
            return cls(**content)


def _listed(values: Float[np.ndarray, "n"]) -> list[float]:
    return [round(float(value), 5) for value in values]
