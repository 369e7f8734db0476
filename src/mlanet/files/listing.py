"""The files of a folder: the one listing that photos and data sets are found by."""

from collections.abc import Collection
from pathlib import Path

PHOTO_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("avif", "bmp", "gif", "heic", "heif", "hif", "j2k", "jfif", "jp2", "jpe", "jpeg"),
        *("jpg", "pgm", "png", "ppm", "tif", "tiff", "webp"),
    )
)
"""Endings by which photos are found in folders and by patterns; a file that is named needs none."""


def is_hidden(path: Path) -> bool:
    """Whether the name begins with a dot, as `._photo.jpg` of macOS and unfinished files do."""
    return path.name.startswith(".")


def list_files(
    folder: Path, suffixes: Collection[str] = (), *, recursive: bool = False
) -> list[Path]:
    """Regular files of a folder, sorted; hidden ones and what lies in hidden folders are left out.

    Args:
        folder: where to look.
        suffixes: lower-case endings to keep, with the dot; without any, all files.
        recursive: whether folders below are looked into, too; links to folders are not followed.

    Raises:
        OSError: the folder cannot be listed.
    """
    listed: list[Path] = []
    for path in sorted(folder.iterdir()):
        if is_hidden(path):
            continue
        if path.is_dir():
            if recursive and not path.is_symlink():
                listed += list_files(path, suffixes, recursive=True)
        elif (not suffixes or path.suffix.lower() in suffixes) and path.is_file():
            listed.append(path)
    return listed
