"""The files of a film's people: what two passes over the film end in."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.export import Animation, write_avatar
from mlanet.geometry import viewer_from_camera
from mlanet.reconstructor import Reconstructor
from mlanet.render import draw_overlay
from mlanet.video.livelink import write_live_link
from mlanet.video.people import FilmedPerson, by_frame
from mlanet.video.reading import Film, Frame
from mlanet.video.recording import Recording
from mlanet.video.table import write_table
from mlanet.video.tracker import Tracker
from mlanet.video.writing import film_like
from mlanet.viewing import MAX_GLB_BYTES, MAX_HEADS, FilmView, head_of_file, write_page

CHECKPOINT_FRAMES = 300
"""So many frames are tracked anew at most after a run was killed."""

DRAWN_AHEAD = 4
"""Frames that are drawn while others are written."""

Progress = Callable[[int], bool]
"""Called with the number of frames done; says whether to go on."""


def record_film(
    film: Film, reconstructor: Reconstructor, recording: Recording, progress: Progress
) -> bool:
    """The first pass: track people through the film, from where the recording ends.

    Returns:
        Whether the whole film was seen.

    Raises:
        FilmError: the film cannot be opened any more.
        OSError: the recording cannot be written.
    """
    tracker = Tracker(reconstructor)
    recording.restore(tracker)
    finished = True
    for frame in film.frames(recording.num_frames):
        if not progress(recording.num_frames):
            finished = False
            break
        faces = tracker(frame.image, frame.time_s)
        recording.add(frame, faces, tracker.cut)
        if recording.num_frames % CHECKPOINT_FRAMES == 0:
            recording.checkpoint(tracker)
    recording.checkpoint(tracker, finished=finished)
    return finished


def write_person(
    folder: Path,
    person: FilmedPerson,
    recording: Recording,
    described: dict[str, Any],
) -> None:
    """Write face_NN.csv, .parquet and .glb of one person.

    Raises:
        OSError: a file cannot be written.
    """
    write_live_link(folder / f"{person.name}.csv", person)
    write_table(folder / f"{person.name}.parquet", person, recording, described)
    worn = person.studied.worn()
    write_avatar(
        folder / f"{person.name}.glb",
        person.model,
        person.identity,
        person.motion.expression[0],
        worn(None, None).image,
        name=person.name,
        animation=animation_of(person),
        hair=worn.hair,
        long_hair=worn.long_hair,
    )


def write_film_page(folder: Path, people: list[FilmedPerson], film: Film, *, overlay: bool) -> None:
    """Write view.html, which plays the avatars of a folder beside its overlay.mp4.

    Args:
        folder: with the avatars.
        people: whose; as many of the first are shown as a page can hold.
        film: that they were seen in.
        overlay: whether there is, or will be, overlay.mp4.

    Raises:
        OSError: it cannot be written.
    """
    files = [folder / f"{person.name}.glb" for person in people[:MAX_HEADS]]
    held = np.cumsum([file.stat().st_size for file in files]) <= MAX_GLB_BYTES
    heads = [head_of_file(file) for file in itertools.compress(files, held)]
    if heads:
        shown = FilmView("overlay.mp4", (film.size[1], film.size[0])) if overlay else None
        write_page(folder / "view.html", heads, film.path.stem, shown)


def animation_of(person: FilmedPerson) -> Animation:
    """A person's movements as tracks of an avatar, at the film's times."""
    motion = person.motion
    place = viewer_from_camera(np.swapaxes(motion.pose.translation[:, None], 1, 2))[..., 0]
    return Animation(
        motion.times_s,
        motion.expression,
        viewer_from_camera(motion.pose.rotation),
        place - np.median(place, axis=0),
    )


def write_overlay(
    path: Path, film: Film, recording: Recording, people: list[FilmedPerson], progress: Progress
) -> bool:
    """The second pass: write the film with everybody's head drawn over it.

    However it ends, what was written can be played.

    Returns:
        Whether all frames of the recording were written.

    Raises:
        FilmError: the film cannot be opened any more.
        OSError: the film cannot be written.
    """
    present = by_frame(people, recording.num_frames)
    with film_like(film, path) as writer, ThreadPoolExecutor(2) as pool:
        drawn = ahead(pool, _drawn, zip(film.frames(), present, strict=False))
        for number, (image, pts) in enumerate(drawn):
            if not progress(number):
                return False
            writer.write(image, pts)
    return True


def _drawn(
    frame_and_present: tuple[Frame, list[tuple[FilmedPerson, int]]],
) -> tuple[UInt8[np.ndarray, "h w 3"], int]:
    frame, present = frame_and_present
    heads = [person.head(index) for person, index in present]
    image = draw_overlay(frame.image, heads) if heads else frame.image
    for (person, _), head in zip(present, heads, strict=True):
        image = _numbered(image, person.number, head.landmarks)
    return image, frame.pts


def _numbered(
    image: UInt8[np.ndarray, "h w 3"], number: int, landmarks: np.ndarray
) -> UInt8[np.ndarray, "h w 3"]:
    """The person's number above the face."""
    import cv2

    points = landmarks[np.isfinite(landmarks).all(axis=1), :2]
    if not len(points):
        return image
    low, high = points.min(axis=0), points.max(axis=0)
    size = float(np.clip((high - low).max() / 150.0, 0.4, 4.0))
    place = (int(low[0]), int(low[1] - 12.0 * size))
    canvas = image.copy()
    for color, width in (((0, 0, 0), 3.0), ((255, 255, 255), 1.0)):
        stroke = max(round(width * size), 1)
        cv2.putText(
            canvas,
            f"{number:02d}",
            place,
            cv2.FONT_HERSHEY_SIMPLEX,
            size,
            color,
            stroke,
            cv2.LINE_AA,
        )
    return canvas


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[Any], Any], items: Iterable[Any]
) -> Iterator[Any]:
    """`map` with a few calls under way, in order and without holding more."""
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > DRAWN_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
