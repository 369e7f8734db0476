"""Folders and rendered heads as samples of one kind, which say what is known of them."""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.datasets import FaceCrops, SkippedSamples
from mlanet.datasets.archive import load_arrays, positions_of
from mlanet.errors import DataError
from mlanet.image import square_from_landmarks
from mlanet.morphable import MorphableModel
from mlanet.synthesis import RenderedHeads
from mlanet.training.config import SourceConfig
from mlanet.training.layouts import DatasetSource
from mlanet.training.photos import Photos
from mlanet.training.sample import Face

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
        self._boxes: Float[np.ndarray, "n 4"] | None = None
        if self.faces.coefficients is not None:
            self._read_description(folder / DESCRIPTION, self.faces.coefficients)
        if labels is not None:
            self._read_labels(labels)
        for name, cut in model.layout.slices.items():
            if name in known and not self._known[cut].all():
                raise DataError(f"{folder}: known: nothing is known of {name}")
            if known and name not in known:
                self._known[cut] = False

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
        boxes = np.zeros(0) if self._boxes is None else self._boxes
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
        if self._boxes is not None and self._accepted[index]:
            left, top, right, _ = (float(value) for value in self._boxes[index])
            square = (left, top, right - left)
        known = bool(len(self._coefficients)) and bool(self._accepted[index])
        return Face(
            image=image,
            landmarks_px=points,
            has_depth=self.with_depth,
            box_px=box,
            coefficients=self._coefficients[index] if known else np.zeros_like(self._known, float),
            known=self._known if known else np.zeros_like(self._known),
            square_px=square,
        )

    def _read_description(self, path: Path, coefficients: Float[np.ndarray, "n c"]) -> None:
        """Bring the folder's coefficients into the model's order; note what is known."""
        try:
            found: Any = json.loads(path.read_text(encoding="utf-8"))
            theirs = {str(name): found["layout"][name] for name in ("identity", "expression")}
            albedo = int(found["layout"]["albedo"])
            named = {str(name) for name in found["known"]}
            face_model, kind, data = str(found["face_model"]), found["kind"], found.get("data")
            own_albedo = found["albedo"] == "open"
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: does not say what the coefficients are ({error})") from error
        layout = self._model.layout
        self._check_model(path, face_model)
        same = theirs == {name: layout.sizes[name] for name in theirs}
        if not same or coefficients.shape[1] != layout.size - layout.albedo + albedo:
            raise DataError(f"{path}: coefficients of another layout than {layout}")
        start = layout.slices["albedo"].start
        mine = np.zeros((len(coefficients), layout.size), np.float32)
        mine[:, :start] = coefficients[:, :start]
        mine[:, start + layout.albedo :] = coefficients[:, start + albedo :]
        if own_albedo:
            mine[:, layout.slices["albedo"]] = coefficients[:, start : start + albedo]
        for name, cut in layout.slices.items():
            self._known[cut] = name in named and (name != "albedo" or own_albedo)
        self._coefficients = mine
        if kind == "profiles" and data:
            made_of = [_PROFILE.fullmatch(name) for name in self.faces.names.tolist()]
            both = zip(made_of, self.photos.names, strict=True)
            names = [match[1] if match else name for match, name in both]
            rows = [int(match[2]) if match else -1 for match in made_of]
            self.photos = Photos.of(str(data), names, np.array(rows))

    def _read_labels(self, path: Path) -> None:
        layout = self._model.layout
        blocks = {"identity": layout.identity, "expression": layout.expression}
        blocks |= {"rotation": layout.num_rotation, "translation": 3}
        wanted: dict[str, tuple[int | None, ...]] = {name: (n,) for name, n in blocks.items()}
        found = load_arrays(path, {"name": (), "box_px": (4,), "accepted": ()})
        with np.load(path, allow_pickle=False) as file:
            self._check_model(path, str(file["face_model"]) if "face_model" in file.files else "?")
        found |= load_arrays(path, {"name": (), **wanted})
        # Every picture has its labels here, also those that cannot be used and were left out above.
        try:
            rows = positions_of(self.faces.names.tolist(), found["name"].tolist(), "here")
        except DataError as error:
            reason = f"labels of other pictures than those of {self.name}"
            raise DataError(f"{path}: {reason} ({error})") from error
        self._coefficients = np.zeros((len(self.faces), layout.size), np.float32)
        self._known[:] = False
        for name in blocks:
            self._coefficients[:, layout.slices[name]] = found[name][rows]
            self._known[layout.slices[name]] = True
        self._accepted = found["accepted"][rows].astype(bool)
        self._boxes = found["box_px"][rows]

    def _check_model(self, path: Path, name: str) -> None:
        if name != self._model.name:
            mine = self._model.name
            raise DataError(f"{path}: coefficients of the face model {name}, not of {mine}")


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
    if (path / LABELS).is_file():
        labels = root / config.labels if config.labels else None
        return CropFolder(path, model, labels, config.known)
    if config.labels:
        raise DataError(f"{path}: labels belong to pictures beside {LABELS}")
    return DatasetSource(path, model)
