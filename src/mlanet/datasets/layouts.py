"""Which layout a path has, and the data set in it: for commands that are given a path."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from mlanet.datasets.aflw2000 import AFLW2000, FOLDER
from mlanet.datasets.crops import FaceCrops
from mlanet.datasets.dataset import Dataset
from mlanet.datasets.photos import PhotoFolder
from mlanet.datasets.shards import Shards
from mlanet.datasets.threeddfa import CONFIGS, ThreeDDFALists
from mlanet.datasets.w300lp import SUBSETS, W300LP
from mlanet.errors import DataError
from mlanet.files import PHOTO_SUFFIXES, is_hidden

Layout: TypeAlias = Literal["crops", "aflw2000", "300w-lp", "3ddfa", "shards", "photos"]

_OPENED: dict[Layout, Callable[[Path], Dataset]] = {
    "crops": FaceCrops,
    "aflw2000": AFLW2000,
    "300w-lp": W300LP,
    "3ddfa": ThreeDDFALists.open,
    "shards": Shards,
    "photos": PhotoFolder,
}


def open_dataset(path: Path, layout: Layout | None = None) -> Dataset:
    """The data set at a path with its class's defaults; layouts: docs/reference/datasets.md.

    Args:
        path: of a folder or a tar file.
        layout: its layout; None: told by the names of the files.

    Raises:
        DataError: the layout is not known, or the data set cannot be opened.
    """
    return _OPENED[layout or layout_of(path)](path)


def layout_of(path: Path) -> Layout:
    """The layout that the names of files at a path tell.

    Raises:
        DataError: none.
    """
    if path.is_file() and path.suffix == ".tar":
        return "aflw2000" if path.stem == FOLDER else "shards"
    if not path.is_dir():
        raise DataError(f"{path}: no such folder or tar file")
    names = {entry.name for entry in path.iterdir() if not is_hidden(entry)}
    folders = {name for name in names if (path / name).is_dir()}
    if "labels.npz" in names:
        return "crops"
    if folders & set(SUBSETS):
        return "300w-lp"
    if folders & set(CONFIGS):
        return "3ddfa"
    if {FOLDER, f"{FOLDER}.tar"} & names or _paired(names):
        return "aflw2000"
    if any(name.endswith(".tar") for name in names):
        return "shards"
    if folders or any(Path(name).suffix.lower() in PHOTO_SUFFIXES for name in names):
        return "photos"
    raise DataError(f"{path}: none of the layouts {', '.join(get_args(Layout))} is seen there")


def _paired(names: set[str]) -> bool:
    """Whether a picture has a `.mat` file beside it."""
    pictures = (name for name in names if name.endswith(".jpg"))
    return any(f"{name.removesuffix('.jpg')}.mat" in names for name in pictures)
