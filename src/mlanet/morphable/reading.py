"""The way in for face models: the embedded one, or a file of any format of the table."""

from pathlib import Path

from mlanet.errors import AssetError
from mlanet.files import parsing
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import load_embedded


def load_model(path: Path | None = None, landmarks: Path | None = None) -> MorphableModel:
    """The embedded model, or a user's in any of the formats of docs/reference/face-models.md.

    Args:
        path: a file or folder; its content, not its name, tells the format.
        landmarks: a file with the places of the 68 landmarks, for models without them.

    Raises:
        AssetError: the file is missing, truncated, hostile or of another format.
        ConfigurationError: a package that the format needs is not installed.
    """
    return load_embedded() if path is None else read_model(path, landmarks)


def read_model(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """Read a face model in any format of docs/reference/face-models.md.

    Args:
        path: a file, or ICT-FaceKit's folder.
        landmarks: a file with the places of the 68 landmarks, for formats other than our own.

    Raises:
        AssetError: the file is missing, truncated, hostile or of another format.
        ConfigurationError: a package that the format needs is not installed.
    """
    from mlanet.morphable.readers.formats import format_of

    with parsing(path, "not a readable face model", AssetError):
        return format_of(path).read(path, landmarks)
