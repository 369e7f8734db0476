"""The table of face-model formats; `register_format` adds one from outside the package."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mlanet.errors import AssetError
from mlanet.files import start_of
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import read_native
from mlanet.morphable.readers.basel_h5 import read_basel_h5
from mlanet.morphable.readers.basel_mat import read_basel_mat
from mlanet.morphable.readers.flame import read_flame
from mlanet.morphable.readers.gnm import read_gnm
from mlanet.morphable.readers.ict import read_ict

HDF5 = b"\x89HDF\r\n\x1a\n"
MATLAB = (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")
ZIP = b"PK\x03\x04"
PICKLE = (b"\x80", b"(", b"}")
"""First bytes of pickles that hold a dictionary, of protocols 2 and later, 0, and 1."""

START_BYTES = 64

BASEL = "https://faces.dmi.unibas.ch/bfm/ (form to sign, non-commercial)"


@dataclass(frozen=True, slots=True)
class Signature:
    """By what the format of a face model is told: its content, never its name.

    Attributes:
        is_folder: whether it is a folder of files.
        start: the first bytes of a file, at most `START_BYTES`; of a folder, none.
        arrays: names of the arrays in an npz file; of other files, none.
    """

    is_folder: bool
    start: bytes = b""
    arrays: frozenset[str] = frozenset()

    @classmethod
    def of(cls, path: Path) -> "Signature":
        """That of a file or folder.

        Raises:
            AssetError: it is missing, no regular file or unreadable.
        """
        if path.is_dir():
            return cls(is_folder=True)
        start = start_of(path, START_BYTES, AssetError, missing="face model")
        return cls(False, start, _arrays_of(path) if start.startswith(ZIP) else frozenset())


Reader: TypeAlias = Callable[[Path, Path | None], MorphableModel]
"""Of a model's path and that of a file with the places of the 68 landmarks, or None; raises
`AssetError` with one line that begins with the path."""


@dataclass(frozen=True, slots=True)
class FaceModelFormat:
    """A format in which face models are published.

    Attributes:
        recognises: whether a file or folder is of this format.
        read: its reader; `mlanet.morphable.assemble` does most of the work.
        files: what is to be given, for people.
        source: where such models are obtained, and their licence; empty for our own.
    """

    recognises: Callable[[Signature], bool]
    read: Reader
    files: str
    source: str = ""


def register_format(name: str, entry: FaceModelFormat) -> None:
    """Let `read_model` read a format of yours, in this process; it is asked before the others.

    Raises:
        AssetError: the name is taken.
    """
    if name in FORMATS:
        raise AssetError(f"the name {name!r} of a face-model format is taken")
    FORMATS[name] = entry


def format_of(path: Path) -> FaceModelFormat:
    """The format of a file or folder; of several that recognise it, the last in the table.

    Raises:
        AssetError: the file is missing or of no known format.
    """
    signature = Signature.of(path)
    for entry in reversed(FORMATS.values()):
        if entry.recognises(signature):
            return entry
    known = ", ".join(FORMATS)
    raise AssetError(
        f"{path}: not a face model that mlanet reads: {known}; see docs/reference/face-models.md"
    )


def _arrays_of(path: Path) -> frozenset[str]:
    """Names of an archive's arrays; none of a damaged one, which its reader names."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return frozenset()


FORMATS: dict[str, FaceModelFormat] = {
    "mlanet": FaceModelFormat(
        recognises=lambda given: given.start.startswith(ZIP),
        read=read_native,
        files="npz, as mlanet models convert writes it",
    ),
    "basel 2009": FaceModelFormat(
        recognises=lambda given: given.start.startswith(MATLAB),
        read=read_basel_mat,
        files="01_MorphableModel.mat, BFM_model_front.mat, Model_Shape.mat",
        source=BASEL,
    ),
    "basel 2017, 2019": FaceModelFormat(
        recognises=lambda given: given.start.startswith(HDF5),
        read=read_basel_h5,
        files=".h5; needs the models extra",
        source=BASEL,
    ),
    "flame 2020, 2023": FaceModelFormat(
        recognises=lambda given: given.start.startswith(PICKLE),
        read=read_flame,
        files=".pkl; --landmarks landmark_embedding.npy",
        source="https://flame.is.tue.mpg.de (account; licence of the version)",
    ),
    "ict-facekit": FaceModelFormat(
        recognises=lambda given: given.is_folder or "id_basis" in given.arrays,
        read=read_ict,
        files="the folder FaceXModel",
        source="https://github.com/ICT-VGL/ICT-FaceKit (MIT)",
    ),
    "gnm": FaceModelFormat(
        recognises=lambda given: "vertex_identity_basis" in given.arrays,
        read=read_gnm,
        files="gnm_head.npz; --landmarks head_sparse_68.txt",
        source="https://github.com/google/GNM (Apache-2.0)",
    ),
}
"""Formats by the name that `mlanet models list` prints."""
