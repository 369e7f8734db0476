"""Another albedo for the embedded face model: mean and modes learnt from photos."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.assets import verified_path
from mlanet.errors import AssetError
from mlanet.files import parsing, printable
from mlanet.files.numpyfiles import read_npz
from mlanet.morphable.model import MorphableModel

ALBEDO_FORMAT = "mlanet-albedo-1"

CARRIED_RMS = 0.005
"""Colour distance that weighs as much as a coefficient of one deviation when an albedo is carried
over to another basis: enough to keep coefficients of the size that faces have, while the mean
colour of the skin is off by 0.004 on average."""


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
        wanted = "not an albedo in mlanet's npz format"
        data = read_npz(file, AssetError, wanted, missing="albedo")
        if str(data.get("format")) != ALBEDO_FORMAT:
            raise AssetError(f"{file}: {wanted} ({ALBEDO_FORMAT})")
        with parsing(file, "an array of the albedo is missing or malformed", AssetError):
            albedo = cls(
                face_model=printable(str(data["face_model"])),
                mean=data["mean"].astype(np.float32),
                basis=data["basis"].astype(np.float32),
                names=tuple(printable(str(name)) for name in data["names"].tolist()),
            )
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
        self._check(model)
        return replace(
            model, albedo_mean=self.mean, albedo_basis=self.basis, albedo_names=self.names
        )

    def carried(
        self, coefficients: Float[np.ndarray, "n a"], model: MorphableModel
    ) -> Float[np.ndarray, "n b"]:
        """Coefficients of the face model's own albedo that come nearest to faces of this one.

        Ridge regression over the face's skin (region `face`), with the standard normal prior of
        the model's coefficients against the mean squared colour distance over `CARRIED_RMS`².

        Args:
            coefficients: of this albedo.
            model: the face model, with its own albedo.

        Raises:
            ValueError: it belongs to another face model, or the counts of modes differ.
        """
        self._check(model)
        if coefficients.shape[1:] != (len(self.names),):
            raise ValueError(
                f"this albedo has {len(self.names)} modes, got {coefficients.shape[1:]}"
            )
        weight = model.regions["face"]
        weight = np.sqrt(weight / (3.0 * weight.sum()))[:, None] / CARRIED_RMS
        offset = (weight * (self.mean - model.albedo_mean)).reshape(-1)
        theirs = (weight[..., None] * self.basis).reshape(offset.size, -1).astype(np.float64)
        mine = (weight[..., None] * model.albedo_basis).reshape(offset.size, -1).astype(np.float64)
        normal = mine.T @ mine + np.eye(mine.shape[1])
        start, per_mode = mine.T @ offset, mine.T @ theirs
        found = np.linalg.solve(normal, start[:, None] + per_mode @ coefficients.T).T
        return found.astype(np.float32)

    def _check(self, model: MorphableModel) -> None:
        if model.name != self.face_model or model.albedo_mean.shape != self.mean.shape:
            raise ValueError(
                f"this albedo has {len(self.mean)} vertices of {self.face_model!r}, the face "
                f"model {model.name!r} has {len(model.albedo_mean)}"
            )
