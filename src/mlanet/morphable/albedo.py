"""Another albedo for the embedded face model: mean and modes learnt from photos."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from mlanet.assets import verified_path
from mlanet.errors import AssetError
from mlanet.morphable.model import MorphableModel

ALBEDO_FORMAT = "mlanet-albedo-1"


@dataclass(frozen=True, eq=False)
class AlbedoModel:
    """Linear albedo at the `v` base vertices of a face model: sRGB in [0, 1], unit-normal modes.

    The embedded model's own albedo is drawn by formulae and free for any use; this class holds
    one that was learnt from photos, whose licence the asset's record states.
    """

    face_model: str
    mean: Float[np.ndarray, "v 3"]
    basis: Float[np.ndarray, "v 3 a"]
    names: tuple[str, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> "AlbedoModel":
        """The shipped photographic albedo, or one in the same format (npz without pickles).

        Raises:
            AssetError: the file is missing, truncated or of another format.
        """
        file = verified_path("photo_albedo") if path is None else path
        try:
            with np.load(file, allow_pickle=False) as arrays:
                data = {key: arrays[key] for key in arrays.files}
        except FileNotFoundError as error:
            raise AssetError(f"{file}: no such albedo") from error
        except (OSError, ValueError, TypeError, BadZipFile, EOFError, zlib.error) as error:
            raise AssetError(f"{file}: not an albedo in mlanet's npz format") from error
        if str(data.get("format")) != ALBEDO_FORMAT:
            raise AssetError(f"{file}: not an albedo in mlanet's npz format ({ALBEDO_FORMAT})")
        try:
            albedo = cls(
                face_model=str(data["face_model"]),
                mean=data["mean"].astype(np.float32),
                basis=data["basis"].astype(np.float32),
                names=tuple(data["names"].tolist()),
            )
        except KeyError as error:
            raise AssetError(f"{file}: the albedo lacks {error}") from error
        shape = (*albedo.mean.shape, len(albedo.names))
        if albedo.mean.shape[1:] != (3,) or albedo.basis.shape != shape:
            raise AssetError(f"{file}: basis must be {shape}, got {albedo.basis.shape}")
        if not (np.isfinite(albedo.mean).all() and np.isfinite(albedo.basis).all()):
            raise AssetError(f"{file}: the albedo holds numbers that are not finite")
        return albedo

    def on(self, model: MorphableModel) -> MorphableModel:
        """The face model with this albedo instead of its own.

        Raises:
            ValueError: it belongs to another face model.
        """
        if model.name != self.face_model or model.albedo_mean.shape != self.mean.shape:
            raise ValueError(
                f"this albedo has {len(self.mean)} vertices of {self.face_model!r}, the face "
                f"model {model.name!r} has {len(model.albedo_mean)}"
            )
        return replace(
            model, albedo_mean=self.mean, albedo_basis=self.basis, albedo_names=self.names
        )
