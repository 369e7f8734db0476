"""`mlanet fit`: photos of one person in, faces fitted to their pixels out."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mlanet.cli.common import (
    EXIT_OK,
    JawOption,
    OutPath,
    SomePath,
    check_folder,
    positive,
    require_torch,
    say,
)
from mlanet.cli.outputs import OutputOptions, Outputs
from mlanet.cli.photos import Photo, PhotoFolders, PhotoOptions, PhotoWords, done_line, write_faces
from mlanet.errors import DataError, NoFaceError, UsageError
from mlanet.files import Origin

if TYPE_CHECKING:
    import numpy as np

    from mlanet.fitting.contour import JawKind
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor

OWN_RESULT = re.compile(r"face_\d+\.json")
"""Files of faces as mlanet writes them into a folder of the photo's name."""

MIN_POINTS = 8
"""Fewer visible points do not tell where a face is and how it is turned."""


def fit(
    photos: PhotoOptions = PhotoWords(),
    *,
    out: OutPath = Path("out"),
    outputs: OutputOptions = Outputs(),
    threads: int = 1,
    landmarks: SomePath = None,
    jaw: JawOption = "auto",
) -> int:
    """Fit one person's face to one or several photos, pixel by pixel; needs the `train` extra.

    The largest face of each photo is taken, or the one that given points lie on. Identity and
    albedo are shared by all photos, pose, expression and light are each photo's own. For photo.jpg
    the folder OUT/photo/ receives what mlanet reconstruct writes.

    Args:
        photos: Photos of one person.
        out: Folder for the results.
        outputs: What is written.
        threads: CPU threads.
        landmarks: For photo.jpg your own 68 points in photo.pts (300-W), photo.npy or photo.json:
            the file, or the folder with one for each photo; also face_00.json as mlanet writes
            it, or the folder of such results. NaN or -1 -1: not visible.
        jaw: What the 17 jaw points are: of the visible contour, as 2D annotators mark them, or of
            the surface; auto: contour where points have no depth.

    Returns:
        Exit status.
    """
    photos.check()
    outputs.check()
    positive(threads=threads)
    if landmarks is None and jaw != "auto":
        raise UsageError("--jaw says what the points of --landmarks are: give those, too")
    check_folder("--out", out)
    require_torch()
    import numpy as np
    import torch

    from mlanet.fitting import fit_to_landmarks, photo_error, refine
    from mlanet.fitting.landmark_fit import with_own_points
    from mlanet.reconstructor import Reconstructor

    torch.set_num_threads(threads)
    given, problems = photos.found()
    if problems:
        raise UsageError(problems[0])
    if landmarks is None:
        points = None
    else:
        points = [_read_points(photo, landmarks, len(given)) for photo in given]
    reconstructor = Reconstructor.load(threads=threads)
    faces: list[Reconstruction] = []
    origins: list[Origin] = []
    for k, photo in enumerate(given):
        image, origin = photo.read()
        origins.append(origin)
        if points is None:
            found = reconstructor(image, max_faces=1)
            if not found:
                raise NoFaceError(f"{photo.name}: no face found")
            faces += found
        else:
            faces.append(_face_at(reconstructor, image, points[k][:, :2], photo.name))
    if points is None:
        refined = refine(faces)
    else:
        kind = _jaw_kind(jaw, points)
        marked = np.stack([rows[:, :2] for rows in points])
        weight = np.asarray(np.isfinite(marked).all(axis=-1), np.float64)
        moved = [
            fit_to_landmarks(face, *with_own_points(face, xy, w, jaw=kind), jaw=kind)
            for face, xy, w in zip(faces, marked, weight, strict=True)
        ]
        refined = refine(moved, marked, weight, jaw=kind)
    folders = PhotoFolders(given, out)
    for k, (before, after) in enumerate(zip(faces, refined, strict=True)):
        with folders.result(k, origins[k]) as result:
            write_faces([after], result.staging, outputs, title=given[k].stem)
        errors = f"{photo_error(before):.3f} -> {photo_error(after):.3f}"
        say(done_line(given[k], f"colour distance {errors}", result))
    return EXIT_OK


def _read_points(photo: Photo, landmarks: Path, num_photos: int) -> "np.ndarray":
    """The points of a photo; they have its name."""
    import numpy as np

    from mlanet.datasets.point_files import read_points

    if landmarks.is_dir():
        file = _file_for(photo, landmarks)
    elif not landmarks.exists():
        raise UsageError(f"--landmarks {landmarks}: there is no such file or folder")
    elif num_photos > 1:
        raise UsageError("--landmarks of several photos must be a folder, one file for each")
    else:
        file = landmarks
    if file.stem != photo.stem and not OWN_RESULT.fullmatch(file.name):
        raise DataError(f"{file}: named like another photo, not like {photo.name}")
    points = read_points(file)
    visible = int(np.isfinite(points[:, :2]).all(axis=1).sum())
    if visible < MIN_POINTS:
        raise DataError(f"{file}: has {visible} visible points; {MIN_POINTS} are needed")
    return points


def _file_for(photo: Photo, folder: Path) -> Path:
    """The file of points in a folder that has the photo's name, or the photo's own result."""
    from mlanet.datasets.point_files import SUFFIXES
    from mlanet.files import list_files

    named = [file for file in list_files(folder, SUFFIXES) if file.stem == photo.stem]
    named.sort(key=lambda file: SUFFIXES.index(file.suffix.lower()))
    found = [*named, *(file for file in [folder / photo.stem / "face_00.json"] if file.is_file())]
    if not found:
        names = ", ".join(photo.stem + suffix for suffix in SUFFIXES)
        raise DataError(f"{folder}: holds none of {names}, points of {photo.name}")
    return found[0]


def _jaw_kind(jaw: JawOption, points: "list[np.ndarray]") -> "JawKind":
    columns = {rows.shape[1] for rows in points}
    if jaw != "auto":
        return jaw
    if len(columns) > 1:
        raise UsageError("some points have a depth and some have none: say --jaw")
    return "contour" if columns == {2} else "surface"


def _face_at(
    reconstructor: "Reconstructor", image: "np.ndarray", points_px: "np.ndarray", photo: str
) -> "Reconstruction":
    """The face that points lie on: the nearest detection, or else the crop that they frame."""
    import numpy as np

    from mlanet.fitting import OrthographicView, fit_landmarks
    from mlanet.image import square_from_landmarks

    visible = np.isfinite(points_px).all(axis=1)
    seen = points_px[visible]
    height, width = image.shape[:2]
    inside = ((seen >= 0.0) & (seen <= [width, height])).all(axis=1).sum()
    if 2 * inside < len(seen):
        raise DataError(
            f"{photo}: {len(seen) - inside} of {len(seen)} points lie outside its "
            f"{width} x {height} pixels"
        )
    if not (np.ptp(seen, axis=0) > 0.0).all():
        raise DataError(f"{photo}: its points all lie on one line")
    center = (seen.min(axis=0) + seen.max(axis=0)) / 2.0
    nearest, distance = None, np.inf
    for detection in reconstructor.detect(image):
        low, high = detection.box_px[:2], detection.box_px[2:]
        apart = float(np.linalg.norm((low + high) / 2.0 - center))
        inside = bool(np.all(center > low) and np.all(center < high))
        if apart < distance and inside:
            nearest, distance = detection, apart
    if nearest is not None:
        return reconstructor.reconstruct_detection(image, nearest)
    whole = fit_landmarks(  # the points that are not visible are where the model has them
        reconstructor.model.landmarks,
        OrthographicView(),
        np.nan_to_num(points_px)[None],
        np.asarray(visible, np.float64)[None],
    ).landmarks_px[0]
    return reconstructor.predict_in_box(image, square_from_landmarks(whole))
