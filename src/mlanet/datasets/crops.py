"""Labelled face crops: `labels.npz` beside tar files of pictures."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from mlanet.datasets.archive import TarIndex, load_arrays
from mlanet.datasets.dataset import Sample, SkippedSamples, all_broken, sample_key
from mlanet.errors import DataError
from mlanet.files import list_files
from mlanet.geometry import are_rotations, viewer_from_camera
from mlanet.image import read_image


class FaceCrops:
    """Face crops and what is known of them, read from a folder of `labels.npz` and `*.tar`.

    `labels.npz` holds `name` (N,), and may hold `pts68_px` (N, 68, 2 or 3), `rotation` (N, 3, 3)
    from the model's axes (x to the subject's left, y up, z out of the face) to a viewer's (x right,
    y up, z nearer), `angles_deg` (N, 3), `identity` (or `person`) (N,) and `coefficients` (N, C).
    Pixel coordinates follow docs/reference/conventions.md: (0, 0) is the crop's top-left corner.
    Labels and pictures are matched by name, equal names by their order; pictures without a label
    are ignored. Labels without a picture, with numbers that are not finite or with a matrix that
    does not rotate are left out and noted.

    Attributes:
        names: (N,) str.
        rows: (N,) int, their places in `labels.npz`, which may list more.
        landmarks_px: (N, 68, 2) or (N, 68, 3) float32; z is larger nearer the viewer. None
            if they are not known.
        rotation: (N, 3, 3) float32 model to camera (the viewer's y and z turned over), or None.
        angles_deg: (N, 3) float32 pitch, yaw, roll, or None.
        identity: (N,) str, who is shown, or None.
        coefficients: (N, C) float32, what a network should predict, or None.
        skipped: What was left out, and samples that `read_samples` found broken.

    Raises:
        DataError: `labels.npz` or an array of it is missing or malformed, or nothing is usable.
    """

    names: Shaped[np.ndarray, "n"]
    rows: Int[np.ndarray, "n"]
    landmarks_px: Float[np.ndarray, "n 68 d"] | None
    rotation: Float[np.ndarray, "n 3 3"] | None
    angles_deg: Float[np.ndarray, "n 3"] | None
    identity: Shaped[np.ndarray, "n"] | None
    coefficients: Float[np.ndarray, "n c"] | None
    skipped: SkippedSamples

    def __init__(self, folder: Path) -> None:
        self._labels_path = folder / "labels.npz"
        labels = load_arrays(
            self._labels_path,
            required={"name": ()},
            optional={
                "pts68_px": (68, None),
                "rotation": (3, 3),
                "angles_deg": (3,),
                "identity": (),
                "person": (),
                "coefficients": (None,),
            },
            finite=False,
        )
        if "pts68_px" in labels and labels["pts68_px"].shape[2] not in (2, 3):
            raise DataError(f"{self._labels_path}: 'pts68_px' must have 2 or 3 coordinates")
        self.skipped = SkippedSamples()
        self._tars = TarIndex(list_files(folder, (".tar",)), self.skipped)
        reasons = _broken(labels, Counter(self._tars.names))
        every_name: list[str] = labels["name"].tolist()
        counts = Counter(every_name)
        for row, reason in sorted(reasons.items()):
            self.skipped.add(sample_key(every_name, row, counts), reason)
        usable = np.setdiff1d(np.arange(len(labels["name"])), list(reasons))
        if not len(usable):
            raise all_broken(self._labels_path, self.skipped)
        labels = {name: array[usable] for name, array in labels.items()}
        self._positions = self._tars.match(labels["name"].tolist())
        self.names = labels["name"]
        self.rows = usable
        self.landmarks_px = None
        if "pts68_px" in labels:
            self.landmarks_px = labels["pts68_px"].astype(np.float32)
        self.rotation = None
        if "rotation" in labels:
            self.rotation = viewer_from_camera(labels["rotation"].astype(np.float32))
        self.angles_deg = None
        if "angles_deg" in labels:
            self.angles_deg = labels["angles_deg"].astype(np.float32)
        self.identity = labels.get("identity", labels.get("person"))
        self.coefficients = None
        if "coefficients" in labels:
            self.coefficients = labels["coefficients"].astype(np.float32)

    def __len__(self) -> int:
        return len(self.names)

    def decode(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The picture alone; may be called from several threads.

        Raises:
            DataError: the tar file cannot be read any more.
            ImageError: the picture is malformed.
        """
        data = self._tars.read(self._positions[index])
        return read_image(data, upright=False, name=str(self.names[index]))

    def __getitem__(self, index: int) -> Sample:
        return Sample(
            name=str(self.names[index]),
            image=self.decode(index),
            landmarks_px=None if self.landmarks_px is None else self.landmarks_px[index],
            rotation=None if self.rotation is None else self.rotation[index],
            angles_deg=None if self.angles_deg is None else self.angles_deg[index],
            identity=None if self.identity is None else str(self.identity[index]),
            coefficients=None if self.coefficients is None else self.coefficients[index],
        )


def _broken(labels: dict[str, np.ndarray], pictures: Counter[str]) -> dict[int, str]:
    """Rows that cannot be used, with the reason; `pictures` counts the pictures of each name."""
    names = [str(name) for name in labels["name"]]
    reasons: dict[int, str] = {}

    def leave_out(rows: Iterable[int], reason: str) -> None:
        for row in rows:
            reasons.setdefault(int(row), f"{names[row]}: {reason}")

    for key, array in labels.items():
        if array.dtype.kind == "f":
            finite = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
            leave_out(np.flatnonzero(np.logical_not(finite)), f"{key!r} is not finite")
    if "rotation" in labels:
        turns = are_rotations(labels["rotation"])
        leave_out(np.flatnonzero(~turns), "'rotation' holds matrices that do not rotate")
    # Labels of one name stand for pictures of that name in order: all of them can be used or none.
    count = Counter(names)
    shared = {names[row] for row in reasons if count[names[row]] > 1}
    leave_out(
        (row for row, name in enumerate(names) if name in shared), "shares a broken one's name"
    )
    leave_out(
        (row for row, name in enumerate(names) if pictures[name] != count[name]),
        "no picture of that name in the tar files, or not as many as labels",
    )
    return reasons
