"""The layout of MICC Florence: subjects, their scans, and the frames of their videos."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import DataError
from mlanet.evaluation.exchange import write_picture
from mlanet.evaluation.progress import Progress, counted
from mlanet.files import list_files

SETTINGS = ("Indoor-Cooperative", "PTZ-Indoor", "PTZ-Outdoor")
"""Names of video files begin so, in any case; the rest of a name varies between copies."""

SCANS = ("frontal1", "frontal2")
VIDEOS = (".mjpg", ".mjpeg", ".avi", ".mov", ".mp4", ".m4v", ".mpg", ".mpeg", ".mkv", ".wmv")
"""Endings of videos; other files beside them are passed over."""

EVERY = 10


@dataclass(frozen=True, slots=True)
class FlorenceSubject:
    """Where a subject's files are.

    Videos are by setting; `problems` are files that are passed over, one line each.
    """

    name: str
    scans: tuple[Path, ...]
    videos: dict[str, tuple[Path, ...]]
    problems: tuple[str, ...] = ()


def florence_subjects(folder: Path) -> list[FlorenceSubject]:
    """Subjects of a copy of MICC Florence (`subject_01/Model/frontal1/obj/*.obj`, `Video`).

    Raises:
        DataError: there is no subject's folder, or none with a scan.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    subjects: list[FlorenceSubject] = []
    for place in sorted(path for path in folder.glob("subject_*") if path.is_dir()):
        listed = [_listed(place / "Model" / name / "obj", (".obj",)) for name in SCANS]
        files = _listed(place / "Video", VIDEOS)
        videos = {
            setting: tuple(p for p in files if p.name.lower().startswith(setting.lower()))
            for setting in SETTINGS
        }
        scans = tuple(paths[0] for paths in listed if paths)
        problems = tuple(f"{path}: a second OBJ file" for paths in listed for path in paths[1:])
        given = {setting: paths for setting, paths in videos.items() if paths}
        subjects.append(FlorenceSubject(place.name, scans, given, problems))
    if not any(subject.scans for subject in subjects):
        raise DataError(f"{folder}: holds no subject_XX/Model/frontal1/obj/*.obj")
    return subjects


def _listed(folder: Path, suffixes: Collection[str]) -> list[Path]:
    return list_files(folder, suffixes, recursive=True) if folder.is_dir() else []


def setting_name(subject: FlorenceSubject, setting: str) -> str:
    """By which files of what a method makes of a subject's setting are told."""
    return f"{subject.name}/{setting}"


def setting_names(subjects: Sequence[FlorenceSubject]) -> list[str]:
    """`setting_name` of all that is compared: subjects with a scan, settings with a video."""
    return [
        setting_name(subject, setting)
        for subject in subjects
        for setting in SETTINGS
        if subject.scans and setting in subject.videos
    ]


@dataclass(frozen=True, slots=True)
class WrittenFrames:
    """Frames that became pictures.

    `setting_name` of all that have a picture, by which a method's faces are told; videos that
    cannot be read and settings without a picture, one line each.
    """

    names: tuple[str, ...]
    skipped: tuple[str, ...]


def write_frames(
    folder: Path,
    subjects: Sequence[FlorenceSubject],
    every: int = EVERY,
    progress: Progress | None = None,
) -> WrittenFrames:
    """Write the frames that are used as pictures `subject_XX/SETTING/VIDEO_NNNNNN.png`.

    Videos that cannot be opened are left out and named.

    Raises:
        DataError: the folder cannot be written.
    """
    names, skipped = list[str](), list[str]()
    for subject in counted(subjects, progress):
        for setting, videos in subject.videos.items() if subject.scans else ():
            name, written = setting_name(subject, setting), 0
            for video, prefix in zip(videos, _prefixes(videos), strict=True):
                for count, frame in enumerate(_readable_frames(video, every, skipped)):
                    write_picture(folder / name / f"{prefix}_{count * every:06d}.png", frame)
                    written += 1
            if written:
                names.append(name)
            else:
                skipped.append(f"{subject.name}, {setting}: no frame")
    return WrittenFrames(tuple(names), tuple(skipped))


def _prefixes(videos: Sequence[Path]) -> list[str]:
    """Names of videos without their endings; those that occur again are numbered."""
    times: Counter[str] = Counter()
    prefixes: list[str] = []
    for video in videos:
        again = times[video.stem]
        prefixes.append(f"{video.stem}-again{again}" if again else video.stem)
        times[video.stem] += 1
    return prefixes


def frames_of(video: Path, every: int = 1) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Every so many frames of a video, RGB, the first one included.

    Raises:
        DataError: the video cannot be opened.
    """
    import cv2

    capture = cv2.VideoCapture(str(video))
    try:
        if not capture.isOpened():
            raise DataError(f"{video}: OpenCV cannot open this video")
        number = 0
        while capture.grab():
            if number % every == 0:
                good, frame = capture.retrieve()
                if good:
                    yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            number += 1
    finally:
        capture.release()


def _readable_frames(
    video: Path, every: int, skipped: list[str]
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """`frames_of`; a video that cannot be opened has none, and a line is added to `skipped`."""
    try:
        yield from frames_of(video, every)
    except DataError as error:
        skipped.append(str(error))
