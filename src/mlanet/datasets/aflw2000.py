"""AFLW2000-3D in its own layout.

Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016. Pixel coordinates
are the data set's own numbers: x right, y down, taken as continuous with (0, 0) at the image's
top-left corner. Whether its authors meant pixel centres or corners is not documented; half a
pixel is about 0.3 % of a face.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.datasets.archive import MAX_MEMBER_BYTES, TarIndex
from mlanet.datasets.dataset import Sample, SkippedSamples
from mlanet.datasets.parameters import NEEDED, FaceParameters, read_parameters
from mlanet.errors import DataError
from mlanet.files import list_files, read_bytes
from mlanet.image import read_image

FOLDER = "AFLW2000"
"""Name of the folder, and of the tar file, in which the data set is distributed."""


@dataclass(frozen=True, slots=True, eq=False)
class AFLW2000Parameters(FaceParameters):
    """Content of one `.mat` file, whose landmarks are always there."""

    landmarks_px: Float[np.ndarray, "68 3"]  # pyright: ignore[reportGeneralTypeIssues]


class AFLW2000:
    """AFLW2000-3D: pictures `*.jpg` and parameters `*.mat` of the same name.

    Args:
        path: The folder that holds them, a folder that holds the folder `AFLW2000` or the file
            `AFLW2000.tar`, or a tar file.

    It is an evaluation set, which is whole or not used: a picture without parameters is an error.

    Attributes:
        names: File names of the pictures, sorted.
        skipped: Samples that `read_samples` found broken, and what was odd in others: one picture
            as published has a negative scale and angles of 893 degrees. Such a sample has no
            `rotation`.

    Raises:
        DataError: there is nothing there, or a picture has no parameters.
    """

    names: tuple[str, ...]
    skipped: SkippedSamples

    def __init__(self, path: Path) -> None:
        self.skipped = SkippedSamples()
        self._source = _locate(path)
        self._tar: TarIndex | None = None
        self._position: dict[str, int] = {}
        if self._source.is_dir():
            present = {file.name for file in list_files(self._source)}
        else:
            self._tar = TarIndex([self._source])
            present = set(self._tar.names)
            self._position = dict(zip(present, self._tar.match(list(present)), strict=True))
        self.names = tuple(sorted(name for name in present if name.endswith(".jpg")))
        if not self.names:
            raise DataError(f"{self._source}: holds no pictures imageNNNNN.jpg")
        for name in self.names:
            if _mat_name(name) not in present:
                raise DataError(f"{self._source}: {_mat_name(name)} is missing beside {name}")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        name = self.names[index]
        parameters = self.parameters(index)
        return Sample(
            name=name,
            image=read_image(self._read(name), upright=False, name=f"{self._source}: {name}"),
            landmarks_px=parameters.landmarks_px,
            rotation=None if parameters.pose_oddities else parameters.rotation,
            angles_deg=parameters.angles_deg,
        )

    @cached_property
    def index_of(self) -> dict[str, int]:
        """Position of each picture's name."""
        return {name: index for index, name in enumerate(self.names)}

    def parameters(self, index: int) -> AFLW2000Parameters:
        """The `.mat` file of a picture.

        Raises:
            DataError: the file is malformed.
        """
        name = _mat_name(self.names[index])
        data = self._read(name)
        needed = (*NEEDED, "pt3d_68")
        parameters = read_parameters(data, f"{self._source}: {name}", needed, AFLW2000Parameters)
        self.skipped.note_odd(self.names[index], parameters.oddities)
        return parameters

    def _read(self, name: str) -> bytes:
        if self._tar is not None:
            return self._tar.read(self._position[name])
        return read_bytes(self._source / name, DataError, MAX_MEMBER_BYTES)


def _mat_name(name: str) -> str:
    return name.removesuffix(".jpg") + ".mat"


def _locate(path: Path) -> Path:
    """The folder of pictures or the tar file that `path` stands for."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"{path}: no such folder or tar file; AFLW2000-3D is expected there")
    if list_files(path, (".jpg",)):
        return path
    for candidate in (path / FOLDER, path / f"{FOLDER}.tar"):
        if candidate.exists():
            return candidate
    raise DataError(f"{path}: holds neither *.jpg nor {FOLDER}/ nor {FOLDER}.tar")
