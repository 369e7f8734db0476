"""Which reader a file is for: told by its content."""

from pathlib import Path

from mlanet.errors import AssetError
from mlanet.files import parsing, start_of
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import load_embedded, model_from_arrays, read_arrays

__all__ = ["load_embedded", "read_model"]

HDF5 = b"\x89HDF\r\n\x1a\n"
MATLAB_5 = b"MATLAB 5.0 MAT-file"
MATLAB_7_3 = b"MATLAB 7.3 MAT-file"
ZIP = b"PK\x03\x04"
PICKLE = (b"\x80", b"(", b"}")
"""First bytes of pickles that hold a dictionary, of protocols 2 and later, 0, and 1."""

UNDERSTOOD = (
    "mlanet's npz, Basel 2009 (.mat), Basel 2017 and 2019 (.h5), FLAME (.pkl), ICT-FaceKit"
    " (folder or npz), GNM (npz); see docs/reference/face-models.md"
)


def read_model(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """Read a face model in any format of docs/reference/face-models.md.

    Args:
        path: a file, or ICT-FaceKit's folder.
        landmarks: a file with the places of the 68 landmarks, for formats other than our own.

    Raises:
        AssetError: the file is missing, truncated, hostile or of another format.
        ConfigurationError: a package that the format needs is not installed.
    """
    with parsing(path, "not a readable face model", AssetError):
        return _read(path, landmarks)


def _read(path: Path, landmarks: Path | None) -> MorphableModel:
    if path.is_dir():
        from mlanet.morphable.readers.ict import read_ict_folder

        return read_ict_folder(path, landmarks)
    start = start_of(path, len(MATLAB_5), AssetError, missing="face model")
    if start.startswith(ZIP):
        return _read_archive(path, landmarks)
    if start.startswith(HDF5):
        from mlanet.morphable.readers.basel_h5 import read_basel_h5

        return read_basel_h5(path, landmarks)
    if start.startswith(MATLAB_5):
        from mlanet.morphable.readers.basel_mat import read_basel_mat

        return read_basel_mat(path, landmarks)
    if start.startswith(MATLAB_7_3):
        raise AssetError(f"{path}: a .mat file of version 7.3; save it with -v7 in MATLAB")
    if start.startswith(PICKLE):
        from mlanet.morphable.readers.flame import read_flame

        return read_flame(path, landmarks)
    raise AssetError(f"{path}: not a face model that mlanet reads: {UNDERSTOOD}")


def _read_archive(path: Path, landmarks: Path | None) -> MorphableModel:
    data = read_arrays(path)
    if "id_basis" in data:
        from mlanet.morphable.readers.ict import ict_from_arrays

        return ict_from_arrays(data, path, landmarks)
    if "vertex_identity_basis" in data:
        from mlanet.morphable.readers.gnm import gnm_from_arrays

        return gnm_from_arrays(data, path, landmarks)
    if landmarks is not None:
        raise AssetError(f"{path}: our own format holds its landmarks; --landmarks is for others")
    return model_from_arrays(data, path)
