"""What decides how a batch's results look."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlanet.assets import asset_records
from mlanet.detection import SCORE_THRESHOLD
from mlanet.files.manifest import sha256_of
from mlanet.morphable import load_model
from mlanet.reconstructor import Reconstructor
from mlanet.sessions import DeviceName


@dataclass(frozen=True, slots=True)
class Settings:
    """How pictures are looked at, and which files are written beside the tables.

    Attributes:
        max_faces: keep the largest faces of a picture only.
        min_score: what a face's score must exceed; the detector's own limit without it.
        weights: a network of the user's, written by `mlanet export`.
        model: the face model whose coefficients it regresses, if it is not the embedded one.
        formats: files of each face, of `mlanet.export.FORMATS`.
        pictures: kinds of pictures of each photo, of `mlanet.render.PICTURES`.
        device: what runs the network; a batch may go on with another one.
    """

    max_faces: int | None = None
    min_score: float | None = None
    weights: Path | None = None
    model: Path | None = None
    formats: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    device: DeviceName = "auto"

    @property
    def writes_files(self) -> bool:
        """Whether there is a folder for each picture with a face."""
        return bool(self.formats or self.pictures)

    def load(self) -> Reconstructor:
        """A reconstructor that works with one thread.

        Raises:
            AssetError: a file is missing, altered or does not fit the others.
        """
        return Reconstructor.load(
            threads=1,
            weights=self.weights,
            model=self.model,
            min_score=SCORE_THRESHOLD if self.min_score is None else self.min_score,
            device=self.device,
        )

    def record(self) -> dict[str, Any]:
        """All that decides results, as plain values: options, and hashes of networks and model.

        Raises:
            AssetError, OSError: a file cannot be read.
        """
        shipped = asset_records()
        model = shipped["open_face"] if self.model is None else load_model(self.model).provenance
        weights = shipped["mobile"].sha256 if self.weights is None else sha256_of(self.weights)
        return {
            "max_faces": self.max_faces,
            "min_score": self.min_score,
            "formats": sorted(self.formats),
            "pictures": sorted(self.pictures),
            "detector": shipped["detector"].sha256,
            "network": weights,
            "model": model.sha256,
        }
