"""Labelled face crops: `labels.npz` beside tar files of pictures."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from mlanet.datasets.archive import TarIndex, load_arrays
from mlanet.datasets.sample import Sample, decode_image
from mlanet.errors import DataError
from mlanet.geometry import viewer_from_camera


class FaceCrops:
    """Face crops with 68 landmarks, read from a folder of `labels.npz` and `*.tar`.

    `labels.npz` holds `name` (N,) and `pts68_px` (N, 68, 2 or 3), and may hold `rotation`
    (N, 3, 3) from the model's axes (x to the subject's left, y up, z out of the face) to a
    viewer's (x right, y up, z nearer), `angles_deg` (N, 3), `identity` (N,) and `coefficients`
    (N, C). Pixel
    coordinates follow docs/conventions.md: (0, 0) is the crop's top-left corner. Labels and
    pictures are matched by name, equal names by their order; pictures without a label are
    ignored.

    Attributes:
        names: (N,) str.
        landmarks_px: (N, 68, 2) or (N, 68, 3) float32; z is larger nearer the viewer.
        rotation: (N, 3, 3) float32 model to camera (the viewer's y and z turned over), or None.
        angles_deg: (N, 3) float32 pitch, yaw, roll, or None.
        identity: (N,) str, who is shown, or None.
        coefficients: (N, C) float32, what a network should predict, or None.

    Raises:
        DataError: a file, an array or a picture is missing or malformed.
    """

    names: Shaped[np.ndarray, "n"]
    landmarks_px: Float[np.ndarray, "n 68 d"]
    rotation: Float[np.ndarray, "n 3 3"] | None
    angles_deg: Float[np.ndarray, "n 3"] | None
    identity: Shaped[np.ndarray, "n"] | None
    coefficients: Float[np.ndarray, "n c"] | None

    def __init__(self, folder: Path) -> None:
        self._labels_path = folder / "labels.npz"
        labels = load_arrays(
            self._labels_path,
            required={"name": (), "pts68_px": (68, None)},
            optional={
                "rotation": (3, 3),
                "angles_deg": (3,),
                "identity": (),
                "coefficients": (None,),
            },
        )
        if labels["pts68_px"].shape[2] not in (2, 3):
            raise DataError(f"{self._labels_path}: 'pts68_px' must have 2 or 3 coordinates")
        self.names = labels["name"]
        self.landmarks_px = labels["pts68_px"].astype(np.float32)
        self.rotation = None
        if "rotation" in labels:
            self.rotation = self._checked_rotation(labels["rotation"].astype(np.float32))
        self.angles_deg = None
        if "angles_deg" in labels:
            self.angles_deg = labels["angles_deg"].astype(np.float32)
        self.identity = labels.get("identity")
        self.coefficients = None
        if "coefficients" in labels:
            self.coefficients = labels["coefficients"].astype(np.float32)
        self._tars = TarIndex(sorted(folder.glob("*.tar")))
        self._positions = self._tars.match(self.names.tolist())

    def _checked_rotation(self, viewer: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3 3"]:
        error = np.abs(viewer @ viewer.transpose(0, 2, 1) - np.eye(3, dtype=np.float32))
        if error.max(initial=0.0) > 1e-3 or (np.linalg.det(viewer) < 0).any():
            raise DataError(f"{self._labels_path}: 'rotation' holds matrices that do not rotate")
        return viewer_from_camera(viewer)

    def __len__(self) -> int:
        return len(self.names)

    def decode(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The picture alone; may be called from several threads.

        Raises:
            DataError: the picture is malformed.
        """
        return decode_image(self._tars.read(self._positions[index]), str(self.names[index]))

    def __getitem__(self, index: int) -> Sample:
        return Sample(
            name=str(self.names[index]),
            image=self.decode(index),
            landmarks_px=self.landmarks_px[index],
            rotation=None if self.rotation is None else self.rotation[index],
            angles_deg=None if self.angles_deg is None else self.angles_deg[index],
            identity=None if self.identity is None else str(self.identity[index]),
            coefficients=None if self.coefficients is None else self.coefficients[index],
        )
