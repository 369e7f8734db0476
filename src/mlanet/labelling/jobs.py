"""What other processes do of a labelling: each job takes some faces."""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.datasets import BROKEN, FaceCrops
from mlanet.fitting import ExpressionPrior, RotationPrior
from mlanet.fitting.labels import Labels, config_for, label_faces
from mlanet.labelling.answers import SEED, FaceNetwork
from mlanet.labelling.joined_fit import fit_joined
from mlanet.labelling.parts import Columns
from mlanet.morphable import MorphableModel, load_model

LABEL_COLUMNS = tuple(item.name for item in fields(Labels))


@dataclass(frozen=True, slots=True)
class FaceModelFile:
    """Where the face model lies that is fitted; without a path it is the embedded one."""

    path: Path | None = None
    landmarks: Path | None = None

    def load(self) -> MorphableModel:
        """Once in each process."""
        return _model(self)


@dataclass(frozen=True, slots=True, eq=False)
class FitLandmarks:
    """Fits to landmarks alone (`mlanet.fitting.labels.label_faces`)."""

    columns: ClassVar[tuple[str, ...]] = LABEL_COLUMNS

    points: Float[np.ndarray, "n 68 d"]
    face_model: FaceModelFile
    max_residual_percent: float
    jaw_weight: float
    depth_weight: float

    def __len__(self) -> int:
        return len(self.points)

    def __call__(self) -> Columns:
        """The labels."""
        model = self.face_model.load()
        labels = label_faces(
            model,
            self.points,
            replace(config_for(model), depth_weight=self.depth_weight),
            max_residual_percent=self.max_residual_percent,
            jaw_weight=self.jaw_weight,
        )
        return {name: getattr(labels, name) for name in LABEL_COLUMNS}


@dataclass(frozen=True, slots=True, eq=False)
class AskNetwork:
    """A network's answers on crops of pictures.

    Attributes:
        data: folder of crops.
        network: the network's file; the shipped one without.
        face_model: that is fitted.
        places: of the pictures among those of the folder.
        around_px: points around which each is cropped.
    """

    columns: ClassVar[tuple[str, ...]] = ("seen", "landmarks_px", "rotation")

    data: Path
    network: Path | None
    face_model: FaceModelFile
    places: Int[np.ndarray, "n"]
    around_px: Float[np.ndarray, "n 68 2"]

    def __len__(self) -> int:
        return len(self.places)

    def __call__(self) -> Columns:
        """Points, rotations, and which pictures could be read; the same each time."""
        crops, network = _crops(self.data), _network(self.network, self.face_model)
        seen = np.zeros(len(self), bool)
        landmarks_px, rotation = np.zeros((len(self), 68, 2)), np.zeros((len(self), 3, 3))
        for row, place in enumerate(self.places.tolist()):
            try:
                image = crops.decode(place)
            except BROKEN:
                continue
            rng = np.random.default_rng([SEED, place])
            landmarks_px[row], rotation[row] = network.answer(image, self.around_px[row], rng)
            seen[row] = True
        return {"seen": seen, "landmarks_px": landmarks_px, "rotation": rotation}


@dataclass(frozen=True, slots=True, eq=False)
class FitJoined:
    """Fits to joined landmarks and scores (`mlanet.labelling.joined_fit.fit_joined`)."""

    columns: ClassVar[tuple[str, ...]] = (*LABEL_COLUMNS, "landmarks_px")

    face_model: FaceModelFile
    landmarks_px: Float[np.ndarray, "n 68 2"]
    prior: ExpressionPrior
    scored: Bool[np.ndarray, "n"]
    max_residual_percent: float
    rotation: RotationPrior | None = None

    def __len__(self) -> int:
        return len(self.landmarks_px)

    def __call__(self) -> Columns:
        """The labels and the points."""
        labels, points = fit_joined(
            self.face_model.load(),
            self.landmarks_px,
            self.prior,
            self.scored,
            self.max_residual_percent,
            self.rotation,
        )
        found = {name: getattr(labels, name) for name in LABEL_COLUMNS}
        return found | {"landmarks_px": points}


def shape_arrays(model: MorphableModel) -> tuple[np.ndarray, ...]:
    """What fits depend on of a face model."""
    shape = model.landmarks
    return shape.mean, shape.identity, shape.expression


@lru_cache(maxsize=1)
def _model(file: FaceModelFile) -> MorphableModel:
    return load_model(file.path, file.landmarks)


@lru_cache(maxsize=1)
def _network(path: Path | None, face_model: FaceModelFile) -> FaceNetwork:
    return FaceNetwork.load(path, face_model.load())


@lru_cache(maxsize=1)
def _crops(folder: Path) -> FaceCrops:
    return FaceCrops(folder)
