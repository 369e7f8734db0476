"""`mlanet view`: a head to turn in the browser."""

import shutil
import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import tyro

from mlanet.cli.common import EXIT_FAILED, EXIT_OK, Flag, SomePath, check_file, complain, say
from mlanet.errors import UsageError
from mlanet.files import PHOTO_SUFFIXES, atomic_path, list_files, read_manifest

PAGE = "view.html"
"""Of a photo's result."""


def view(
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    /,
    *,
    out: Annotated[SomePath, tyro.conf.arg(aliases=["-o"])] = None,
    no_open: Flag = False,
) -> int:
    """Open a head in the browser: a GLB file, or a folder of mlanet reconstruct.

    Of a result the page that lies there is opened. Of other GLB files a page is written that holds
    them and needs no network.

    Args:
        file: A GLB file (of any program), or a folder.
        out: Where to write the page, such as head.html. Without it, a result's stays where it is,
            and others are temporary files.
        no_open: Do not start the browser; the page is named all the same.

    Returns:
        Exit status: 0 done, 1 there is nothing to see or no browser, 2 wrong usage.
    """
    if file.suffix.lower() in PHOTO_SUFFIXES and file.is_file():
        raise UsageError(f"{file} is a photo: mlanet reconstruct {file} makes its head")
    if out is not None:
        check_file("--out", out)
    place = _result_page(file)
    page, fragment = place or (_written(file, out), "")
    if place is not None and out is not None:
        with atomic_path(out) as temporary:
            shutil.copyfile(page, temporary)
        page = out
    say(str(page))
    if not no_open and not webbrowser.open(page.resolve().as_uri() + fragment):
        complain("there is no browser to be started: open the page above")
        return EXIT_FAILED
    return EXIT_OK


def _result_page(path: Path) -> tuple[Path, str] | None:
    """The page of a result and what in it is meant; None if it has to be written.

    Raises:
        UsageError: the folder holds several results.
    """
    if path.is_dir():
        if (path / PAGE).is_file():
            return path / PAGE, ""
        pages = sorted(path.glob(f"*/{PAGE}"))
        if len(pages) > 1:
            some = f"such as {pages[0].parent}"
            raise UsageError(f"{path} holds {len(pages)} results: name one, {some}")
        return (pages[0], "") if pages else None
    manifest = read_manifest(path.parent)
    page = path.parent / PAGE
    if manifest is not None and manifest.owns(path) and manifest.owns(page):
        return page, f"#{path.stem}"
    return None


def _written(path: Path, out: Path | None) -> Path:
    """A new page of a file, or of all GLB files in a folder.

    Raises:
        DataError: there is no file, or one that cannot be shown.
        UsageError: the folder holds no GLB file.
        OSError: the page cannot be written.
    """
    from mlanet.viewing import MAX_HEADS, head_of_file, write_page

    files = list_files(path, {".glb"}) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path}: there is no GLB file in this folder")
    heads = [head_of_file(file) for file in files[:MAX_HEADS]]
    page = out or Path(tempfile.mkdtemp(prefix="mlanet-view-")) / f"{path.resolve().stem}.html"
    write_page(page, heads, path.resolve().stem)
    return page
