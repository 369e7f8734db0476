"""The table of layouts, and the data set at a path; `register_layout` adds one from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlanet.datasets.aflw2000 import AFLW2000, FOLDER
from mlanet.datasets.crops import FaceCrops
from mlanet.datasets.dataset import Dataset
from mlanet.datasets.photos import PhotoFolder
from mlanet.datasets.shards import Shards
from mlanet.datasets.threeddfa import CONFIGS, ThreeDDFALists
from mlanet.datasets.w300lp import SUBSETS, W300LP
from mlanet.errors import DataError, UsageError, did_you_mean
from mlanet.files import PHOTO_SUFFIXES, is_hidden


@dataclass(frozen=True, slots=True)
class Listing:
    """Names of what lies in a folder, and of its folders among them; or of one tar file."""

    names: set[str]
    folders: set[str]

    def ends(self, *suffixes: str) -> bool:
        """Whether a name ends so, in any case."""
        return any(name.lower().endswith(suffixes) for name in self.names)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set lies on disk.

    Attributes:
        open: the data set at a path, with its class's defaults.
        seen: whether these names tell the layout.
    """

    open: Callable[[Path], Dataset]
    seen: Callable[[Listing], bool]


def _paired(listing: Listing) -> bool:
    """Whether a picture has a `.mat` file beside it."""
    stems = (name.removesuffix(".jpg") for name in listing.names if name.endswith(".jpg"))
    return any(f"{stem}.mat" in listing.names for stem in stems)


LAYOUTS: dict[str, Layout] = {
    "photos": Layout(PhotoFolder, lambda at: bool(at.folders) or at.ends(*PHOTO_SUFFIXES)),
    "shards": Layout(Shards, lambda at: at.ends(".tar")),
    "aflw2000": Layout(
        AFLW2000, lambda at: bool({FOLDER, f"{FOLDER}.tar"} & at.names) or _paired(at)
    ),
    "3ddfa": Layout(ThreeDDFALists.open, lambda at: bool(at.folders & set(CONFIGS))),
    "300w-lp": Layout(W300LP, lambda at: bool(at.folders & set(SUBSETS))),
    "crops": Layout(FaceCrops, lambda at: "labels.npz" in at.names),
}
"""Layouts by name (docs/reference/datasets.md); of several that are seen, the last one counts."""


def register_layout(name: str, layout: Layout) -> None:
    """Let `open_dataset` and the commands open a layout of yours, in this process.

    Raises:
        DataError: the name is taken.
    """
    if name in (*LAYOUTS, "auto"):
        raise DataError(f"layout: the name {name!r} is taken")
    LAYOUTS[name] = layout


def open_dataset(path: Path, layout: str | None = None) -> Dataset:
    """The data set in a folder or tar file; without a layout, names of files tell it.

    Raises:
        UsageError: there is no such layout.
        DataError: the data set cannot be opened.
    """
    name = layout or layout_of(path)
    if name not in LAYOUTS:
        raise UsageError(f"layout: {name!r} is none of {_names()}{did_you_mean(name, LAYOUTS)}")
    return LAYOUTS[name].open(path)


def layout_of(path: Path) -> str:
    """The layout that the names of files at a path tell.

    Raises:
        DataError: none.
    """
    if path.is_file() and path.suffix == ".tar":
        listing = Listing({path.name}, set())
    elif path.is_dir():
        names = {entry.name for entry in path.iterdir() if not is_hidden(entry)}
        listing = Listing(names, {name for name in names if (path / name).is_dir()})
    else:
        raise DataError(f"{path}: no such folder or tar file")
    for name in reversed(LAYOUTS):
        if LAYOUTS[name].seen(listing):
            return name
    raise DataError(f"{path}: none of the layouts {_names()} is seen there")


def _names() -> str:
    return ", ".join(reversed(LAYOUTS))
