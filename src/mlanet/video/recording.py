"""What the first pass over a film saw, on disk: a killed run goes on where it was."""

import json
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from jaxtyping import Shaped

from mlanet.coefficients import CoefficientLayout
from mlanet.errors import DataError
from mlanet.files import atomic_path, parsing, read_json
from mlanet.files.numpyfiles import read_npz
from mlanet.video.reading import Frame
from mlanet.video.snapshot import restored, snapshot
from mlanet.video.tracker import TrackedFace, Tracker

FORMAT = "mlanet-recording-2"
STATE, FRAMES, FACES, TRACKER = "state.json", "frames.bin", "faces.bin", "tracker.npz"

CHUNK = 4096
"""Rows that are read at a time."""

BLOCK_BYTES = 1 << 20
"""That are written at a time."""

FRAME = np.dtype([("pts", "<i8"), ("time_s", "<f8"), ("cut", "?")])


def face_type(layout: CoefficientLayout) -> np.dtype[Any]:
    """A row of a face: number of its frame and stretch, crop's square, coefficients."""
    return np.dtype(
        [
            ("frame", "<i4"),
            ("stretch", "<i4"),
            ("confidence", "<f4"),
            ("square_px", "<f8", (4,)),
            ("vector", "<f4", (layout.size,)),
        ]
    )


class Recording:
    """Rows of frames and of faces in a folder of their own.

    What was written by the last `checkpoint` survives whatever happens; anything after is made
    again. Nothing is held in memory.

    Args:
        folder: made if it is not there. A recording of something else in it is begun anew.
        layout: of the coefficients.
        origin: what the recording depends on: film, settings, versions.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path, layout: CoefficientLayout, origin: dict[str, Any]) -> None:
        self.folder, self.layout, self._origin = folder, layout, origin
        self._type = face_type(layout)
        folder.mkdir(parents=True, exist_ok=True)
        self.num_frames, num_faces, self.finished = 0, 0, False
        self._numbers: list[int] = []
        state = self._known_state()
        if state is not None:
            self.num_frames, num_faces, self.finished = (
                state["frames"],
                state["faces"],
                state["finished"],
            )
            self._numbers = [int(number) for number in state["numbers"]]
        self._files = [
            _opened(folder / FRAMES, self.num_frames * FRAME.itemsize),
            _opened(folder / FACES, num_faces * self._type.itemsize),
        ]
        self._num_faces = num_faces

    def restore(self, tracker: Tracker) -> None:
        """Put a tracker into the state of the last checkpoint."""
        if self.num_frames:
            restored(tracker, read_npz(self.folder / TRACKER, DataError, "no tracker's state"))

    def add(self, frame: Frame, faces: list[TrackedFace], cut: bool) -> None:
        """The next frame and who is in it."""
        row = np.array([(frame.pts, frame.time_s, cut)], FRAME)
        self._files[0].write(row.tobytes())
        rows = np.zeros(len(faces), self._type)
        for row, each in zip(rows, faces, strict=True):
            row["frame"], row["stretch"] = self.num_frames, each.stretch
            row["confidence"], row["square_px"] = each.confidence, each.face.crop.square_px
            row["vector"] = self.layout.join(each.face.coefficients)
            new = each.stretch + 1 - len(self._numbers)
            self._numbers += [each.number] * new
        self._files[1].write(rows.tobytes())
        self.num_frames += 1
        self._num_faces += len(faces)

    def checkpoint(self, tracker: Tracker, *, finished: bool = False) -> None:
        """Keep what was added, and the tracker's state."""
        for file in self._files:
            file.flush()
        with atomic_path(self.folder / TRACKER) as temporary, temporary.open("wb") as file:
            write_npz: Any = np.savez
            write_npz(file, **snapshot(tracker))
        self.finished, self._numbers = finished, list(tracker.numbers)
        state = {
            "format": FORMAT,
            "origin": self._origin,
            "frames": self.num_frames,
            "faces": self._num_faces,
            "finished": finished,
            "numbers": self._numbers,
        }
        with atomic_path(self.folder / STATE) as temporary:
            temporary.write_text(json.dumps(state), encoding="ascii")

    def frames(self) -> Shaped[np.ndarray, "n"]:
        """Rows (`FRAME`) of all frames."""
        return self._mapped(0, FRAME, self.num_frames)

    def faces(self) -> Shaped[np.ndarray, "m"]:
        """Rows (`face_type`) of all faces, in order of frames; they stay on disk."""
        return self._mapped(1, self._type, self._num_faces)

    def column(self, name: str) -> Shaped[np.ndarray, "m *k"]:
        """One of `face_type`'s fields of all faces, in memory."""
        result = np.zeros(self._num_faces, self._type[name])
        for start in range(0, self._num_faces, CHUNK):
            part = slice(start, start + CHUNK)
            result[part] = self.faces()[part][name]  # pages of a new map each time
        return result

    def scratch(self, shape: tuple[int, ...], kind: type[np.floating]) -> np.ndarray:
        """Zeros in a file without a name, which vanishes with the array.

        Raises:
            OSError: the disk is full.
        """
        kept = np.dtype(kind).itemsize * int(np.prod(shape))
        with TemporaryFile(dir=self.folder) as file:
            while kept > 0:  # a map of a file with holes would crash on a full disk
                kept -= file.write(bytes(min(kept, BLOCK_BYTES)))
            file.flush()
            return np.memmap(file, kind, "r+", shape=shape)

    def numbers(self) -> Shaped[np.ndarray, "m"]:
        """Whose face each row is, as known at the last checkpoint, or when it was added."""
        return np.array(self._numbers, dtype=np.int64)[self.column("stretch")]

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def remove(self) -> None:
        """Close and remove all that was written."""
        self.close()
        for name in (STATE, FRAMES, FACES, TRACKER):
            (self.folder / name).unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _mapped(self, which: int, kind: np.dtype[Any], count: int) -> np.ndarray:
        self._files[which].flush()
        if not count:
            return np.zeros(0, kind)
        return np.memmap(self.folder / (FRAMES, FACES)[which], kind, "r", shape=(count,))

    def _known_state(self) -> dict[str, Any] | None:
        """The state of an earlier run on the same film; None if there is none that is whole."""
        path = self.folder / STATE
        try:
            state = read_json(path, DataError)
            with parsing(path, "no recording", DataError):
                sizes = (
                    (FRAMES, state["frames"] * FRAME.itemsize),
                    (FACES, state["faces"] * self._type.itemsize),
                    (TRACKER, 0),
                )
                whole = all((self.folder / name).stat().st_size >= size for name, size in sizes)
                same = state["format"] == FORMAT and state["origin"] == self._origin
                return state if whole and same else None
        except (DataError, OSError):
            return None


def _opened(path: Path, size: int) -> Any:
    """A file to append to, cut off behind what is known."""
    file = path.open("ab")
    file.truncate(size)
    return file
