"""Detections of a folder of photos, kept so that nobody waits for them twice."""

import hashlib
import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlanet.assets import asset_records
from mlanet.datasets.archive import MAX_MEMBER_BYTES
from mlanet.detection import LOOKING, CenterFace, Detection
from mlanet.errors import DataError, ImageError
from mlanet.files import (
    PHOTO_SUFFIXES,
    atomic_path,
    list_files,
    parsing,
    read_bytes,
    read_json,
    remove_leftovers,
)
from mlanet.image import read_image

PART = 64
"""Photos between two writings of the cache: what is lost at most when a run is killed."""

WHOLE = "detections.json"


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """What is known of one photo.

    Attributes:
        size: bytes of the file.
        mtime_ns: when the file was last changed.
        sha256: of its content; empty if the file could not be read.
        faces: box (4), points (10) and score of each face; best first.
        error: why the photo cannot be used; empty if it can.
    """

    size: int
    mtime_ns: int
    sha256: str
    faces: tuple[tuple[float, ...], ...]
    error: str = ""

    def detections(self) -> list[Detection]:
        """The faces as the detector gave them."""
        return [
            Detection(np.array(face[:4]), np.array(face[4:14]).reshape(5, 2), face[14])
            for face in self.faces
        ]


class DetectionCache:
    """Records of photos in JSON files of one folder.

    A photo is known again by name, size and time of change, or else by its content. Each file
    appears in one step, so that a run that is killed loses `PART` photos at most, and several runs
    may share the folder. The folder is made when something is written. Records of other thresholds
    (least scores) and detectors are not used.
    """

    def __init__(self, folder: Path, threshold: float) -> None:
        self._folder = folder
        self._threshold = threshold
        sha256 = asset_records()["detector"].sha256
        self._detector = f"{sha256} looking {LOOKING} at {threshold:g}"
        self._files: list[Path] = []
        self.records: dict[str, PhotoRecord] = {}
        kept = list_files(folder, (".json",)) if folder.is_dir() else []
        kept.sort(key=lambda path: path.name != WHOLE)  # parts are newer
        for path in kept:
            records = self._read(path)
            if records is not None:
                self._files.append(path)
                self.records |= records

    @cached_property
    def _by_content(self) -> dict[str, PhotoRecord]:
        return {record.sha256: record for record in self.records.values() if record.sha256}

    @cached_property
    def _find(self) -> CenterFace:
        return CenterFace.load(threshold=self._threshold)

    def update(
        self, root: Path, threads: int, progress: Callable[[int, int], None] | None = None
    ) -> dict[str, PhotoRecord]:
        """Records of all photos below a folder by path, sorted; new and changed ones are read.

        Hidden files and folders are left out; `threads` photos are worked on at the same time.

        Raises:
            DataError: the cache cannot be written.
        """
        names = photo_names(root)
        fresh = [name for name in names if not _unchanged(root / name, self.records.get(name))]
        done = len(names) - len(fresh)
        if fresh:
            _ = self._find, self._by_content  # made once, before the threads start
        with ThreadPoolExecutor(max(threads, 1)) as pool:
            for start in range(0, len(fresh), PART):
                part = fresh[start : start + PART]
                fresh_records = pool.map(lambda name: self._record(root / name), part)
                made = dict(zip(part, fresh_records, strict=True))
                self.records |= made
                self._write(self._folder / f"detections-{secrets.token_hex(6)}.json", made)
                done += len(part)
                if progress is not None:
                    progress(done, len(names))
        records = {name: self.records[name] for name in names}
        if fresh or len(self._files) > 1:
            self._gather(records)
        return records

    def _record(self, path: Path) -> PhotoRecord:
        size, mtime, digest = 0, 0, ""
        try:
            state = path.stat()
            size, mtime = state.st_size, state.st_mtime_ns
            digest = hashlib.sha256(read_bytes(path, ImageError, MAX_MEMBER_BYTES)).hexdigest()
            known = self._by_content.get(digest)
            if known is not None:
                return PhotoRecord(size, mtime, digest, known.faces, known.error)
            found = self._find(read_image(path))
        except (OSError, ImageError) as error:
            reason = str(error).removeprefix(f"{path}: ")
            return PhotoRecord(size, mtime, digest, (), reason)
        faces = tuple(
            (*map(float, face.box_px), *map(float, face.landmarks_px.ravel()), float(face.score))
            for face in found
        )
        return PhotoRecord(size, mtime, digest, faces)

    def _gather(self, records: dict[str, PhotoRecord]) -> None:
        """One file instead of many."""
        self._write(self._folder / WHOLE, records)
        for path in self._files:
            if path.name != WHOLE:
                path.unlink(missing_ok=True)
        self._files = [self._folder / WHOLE]

    def _write(self, path: Path, records: dict[str, PhotoRecord]) -> None:
        photos = {name: asdict(record) for name, record in records.items()}
        text = json.dumps({"detector": self._detector, "photos": photos})
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self._folder)
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise DataError(
                f"{self._folder}: detections cannot be kept there ({reason}); name another folder"
                " for the cache"
            ) from error
        self._files.append(path)

    def _read(self, path: Path) -> dict[str, PhotoRecord] | None:
        """Records of a file; nothing if it is of another detector, damaged or gone."""
        if not path.name.startswith(Path(WHOLE).stem):
            return None
        try:
            content = read_json(path, DataError)
            with parsing(path, "no detections", DataError):
                if content["detector"] != self._detector:
                    return None
                return {name: _record_of(entry) for name, entry in content["photos"].items()}
        except DataError:
            return None


def _record_of(entry: dict[str, Any]) -> PhotoRecord:
    faces = tuple(tuple(map(float, face)) for face in entry.pop("faces"))
    record = PhotoRecord(faces=faces, **entry)
    record.detections()  # refuses what is no detection
    return record


def photo_names(root: Path) -> list[str]:
    """Paths of photos below a folder, sorted, with slashes."""
    photos = list_files(root, PHOTO_SUFFIXES, recursive=True)
    return sorted(path.relative_to(root).as_posix() for path in photos)


def _unchanged(path: Path, record: PhotoRecord | None) -> bool:
    try:
        state = path.stat()
    except OSError:
        return False
    if record is None or not record.sha256:
        return False
    return (state.st_size, state.st_mtime_ns) == (record.size, record.mtime_ns)
