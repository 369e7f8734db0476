"""Folders and rendered heads as samples of one kind, which say what is known of them."""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.datasets import FaceCrops, SkippedSamples
from mlanet.errors import DataError
from mlanet.files import check_regular, parsing, read_json
from mlanet.image import square_from_landmarks
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.synthesis import RenderedHeads
from mlanet.training.config import SourceConfig
from mlanet.training.labels import FittedLabels, check_model, narrowed
from mlanet.training.layouts import DatasetSource
from mlanet.training.photos import Photos
from mlanet.training.sample import JAW_WEIGHT_2D, Face

LABELS = "labels.npz"
DESCRIPTION = "dataset.json"
"""What `mlanet synthesize` writes beside the samples."""

_PROFILE = re.compile(r"(.*)-(\d{7})-\d+\.[a-z]+")
"""Name of a turned face: name and number of the face it was made of, then the step."""


class CropFolder:
    """Labelled pictures of a folder; coefficients of its own or of `mlanet label`, if any.

    Attributes:
        name: of the folder, for messages.
        faces: the pictures and their landmarks.
        real: photos as they were taken, which may be held out.
        photos: which photos the samples show.
        skipped: what was left out when the folder was opened.

    Raises:
        DataError: a file is missing or malformed, its coefficients are another face model's, or it
            lacks what is to be known.
    """

    def __init__(
        self,
        folder: Path,
        model: MorphableModel,
        labels: Path | None = None,
        known: Sequence[str] = (),
    ) -> None:
        self.name = folder.name
        self.faces = FaceCrops(folder)
        self._model = model
        count, size = len(self.faces), model.layout.size
        self.real = self.faces.coefficients is None
        self.photos = Photos.of_files(self.name, self.faces.names.tolist(), self.faces.rows)
        self.skipped = self.faces.skipped
        self._known = np.zeros(size, bool)
        self._coefficients = np.zeros((0, size), np.float32)
        self._accepted = np.ones(count, bool)
        self._labels: FittedLabels | None = None
        if self.faces.coefficients is not None:
            self._read_description(folder / DESCRIPTION, self.faces.coefficients)
        if labels is not None:
            names = self.faces.names.tolist()
            # Every picture has its labels there, also those that cannot be used and are left out.
            self._labels = FittedLabels.read(labels, names, self.name, model, every=True)
            self._coefficients, self._known = self._labels.coefficients, self._labels.known
            self._accepted = self._labels.accepted
        self._known = narrowed(self._known, known, folder, model)

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def with_depth(self) -> bool:
        """Whether the landmarks have depth."""
        return self.faces.landmarks_px.shape[2] == 3

    @property
    def knows(self) -> bool:
        """Whether any coefficient is known."""
        return bool(self._known.any())

    @property
    def fingerprint(self) -> str:
        """A hash of the samples' names and labels; of the pictures nothing is read."""
        found = sha256("\n".join(self.faces.names.tolist()).encode())
        boxes = np.zeros(0) if self._labels is None else self._labels.boxes_px
        for values in (self.faces.landmarks_px, self._coefficients, boxes):
            found.update(np.ascontiguousarray(values, np.float32).tobytes())
        for values in (self._known, self._accepted):
            found.update(np.ascontiguousarray(values, bool).tobytes())
        return found.hexdigest()

    def landmarks(self, index: int) -> Float[np.ndarray, "68 3"]:
        """Labels with a third column, zero where depth is not labelled."""
        points = self.faces.landmarks_px[index]
        return points if points.shape[1] == 3 else np.pad(points, ((0, 0), (0, 1)))

    def __getitem__(self, index: int) -> Face:
        """A face.

        Raises:
            DataError: its picture or its landmarks are malformed.
        """
        points = self.landmarks(index)
        box = square_from_landmarks(points)
        if not box[2] > box[0]:
            raise DataError(f"{self.faces.names[index]}: the landmarks have no extent")
        image = self.faces.decode(index)
        square = (0.0, 0.0, float(max(image.shape[:2])))
        if self._labels is not None and self._accepted[index]:
            square = self._labels.square_px(index)
        known = bool(len(self._coefficients)) and bool(self._accepted[index])
        return Face(
            image=image,
            landmarks_px=points,
            has_depth=self.with_depth,
            box_px=box,
            coefficients=self._coefficients[index] if known else np.zeros_like(self._known, float),
            known=self._known if known else np.zeros_like(self._known),
            square_px=square,
            jaw_weight=1.0 if self.with_depth else JAW_WEIGHT_2D,
        )

    def _read_description(self, path: Path, coefficients: Float[np.ndarray, "n c"]) -> None:
        """Bring the folder's coefficients into the model's order; note what is known."""
        trouble = "a file that says what the coefficients are"
        check_regular(path, DataError, missing=trouble)
        found: Any = read_json(path, DataError, what=trouble)
        with parsing(path, "does not say what the coefficients are", DataError):
            theirs = {str(name): found["layout"][name] for name in ("identity", "expression")}
            albedo = int(found["layout"]["albedo"])
            named = {str(name) for name in found["known"]}
            face_model, kind, data = str(found["face_model"]), found["kind"], found.get("data")
            worn = str(found["albedo"])
        layout = self._model.layout
        check_model(path, face_model, self._model)
        same = theirs == {name: layout.sizes[name] for name in theirs}
        if not same or coefficients.shape[1] != layout.size - layout.albedo + albedo:
            raise DataError(f"{path}: coefficients of another layout than {layout}")
        start = layout.slices["albedo"].start
        mine = np.zeros((len(coefficients), layout.size), np.float32)
        mine[:, :start] = coefficients[:, :start]
        mine[:, start + layout.albedo :] = coefficients[:, start + albedo :]
        if worn not in ("open", "photo"):
            named.discard("albedo")
        elif "albedo" in named:
            colors = coefficients[:, start : start + albedo]
            if worn == "photo":
                colors = _carried(path, colors, self._model)
            elif albedo != layout.albedo:
                raise DataError(f"{path}: {albedo} albedo coefficients instead of {layout.albedo}")
            mine[:, layout.slices["albedo"]] = colors
        for name, cut in layout.slices.items():
            self._known[cut] = name in named
        self._coefficients = mine
        if kind == "profiles" and data:
            made_of = [_PROFILE.fullmatch(name) for name in self.faces.names.tolist()]
            both = zip(made_of, self.photos.names, strict=True)
            names = [match[1] if match else name for match, name in both]
            rows = [int(match[2]) if match else -1 for match in made_of]
            self.photos = Photos.of(str(data), names, np.array(rows))


def _carried(
    path: Path, coefficients: Float[np.ndarray, "n a"], model: MorphableModel
) -> Float[np.ndarray, "n b"]:
    """Coefficients of the photographic albedo as nearest ones of the face model's own."""
    try:
        return AlbedoModel.load().carried(coefficients, model)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


class HeadSource:
    """Heads rendered when they are asked for; every coefficient is known."""

    name, real, with_depth, knows = "rendered heads", False, True, True

    def __init__(self, heads: RenderedHeads) -> None:
        self.heads = heads
        self.photos = Photos.of_files(self.name, [str(number) for number in range(len(heads))])
        self.skipped = SkippedSamples()
        self.fingerprint = str(len(heads))

    def __len__(self) -> int:
        return len(self.heads)

    def __getitem__(self, index: int) -> Face:
        """A head."""
        sample = self.heads[index]
        if sample.landmarks_px is None or sample.coefficients is None:
            raise DataError(f"{sample.name}: a head without labels")
        return Face(
            image=sample.image,
            landmarks_px=sample.landmarks_px,
            has_depth=True,
            box_px=square_from_landmarks(sample.landmarks_px),
            coefficients=sample.coefficients,
            known=np.ones(len(sample.coefficients), bool),
            square_px=(0.0, 0.0, float(sample.image.shape[0])),
        )


Source = CropFolder | HeadSource | DatasetSource


def open_source(
    config: SourceConfig, root: Path, model: MorphableModel, seed: int, size: int
) -> Source:
    """What a configuration names.

    Args:
        config: of the source.
        root: folder of the data.
        model: the face model of coefficients.
        seed: of rendered heads.
        size: side of rendered heads in pixels.

    Raises:
        DataError: a file is missing or malformed, or of another face model.
    """
    if not config.folder:
        if not model.has_albedo:
            raise DataError(f"rendered heads: the face model {model.name} has no albedo")
        return HeadSource(RenderedHeads(model, size=size, count=config.heads, seed=seed))
    path = root / config.folder
    labels = root / config.labels if config.labels else None
    if (path / LABELS).is_file():
        return CropFolder(path, model, labels, config.known)
    return DatasetSource(path, model, labels, config.known)
