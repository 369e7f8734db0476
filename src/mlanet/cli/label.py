"""`mlanet label`: landmarks of a data set to coefficients of a face model."""

import hashlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import compress
from multiprocessing import get_context
from operator import not_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import tyro

from mlanet.cli.common import EXIT_OK, JawOption, OutPath, count_up, name_skipped
from mlanet.errors import DataError, UsageError
from mlanet.workers import THREAD_COUNTS, end_with_parent

if TYPE_CHECKING:
    import numpy as np

    from mlanet.datasets import SkippedSamples
    from mlanet.fitting.labels import Labels
    from mlanet.morphable import MorphableModel

PART_FACES = 240
"""Faces in a part: what each process loses at most when a run is killed."""


@dataclass(frozen=True, slots=True)
class FaceModel:
    """The face model that is fitted."""

    model: Path | None = None
    """A face model of yours (docs/reference/face-models.md); by default the embedded one."""

    landmarks: Path | None = None
    """File with the places of the 68 landmarks, for models without them."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """How the labels' points are fitted, and which fits are accepted."""

    max_residual: float = 1.5
    """Fits with a larger mean distance, in per cent of the face, are rejected."""

    jaw: JawOption = "auto"
    """What the labels' 17 jaw points are: of the visible contour, as 2D annotators mark them, which
    counts a twentieth, or of the surface; auto: surface for 300W-LP and where labels have depth."""

    depth_weight: float = 1.0
    """How much the labels' depth counts beside x and y, 0 to 1; little where it is another face
    model's guess."""

    given_rotation: bool = False
    """Keep the data set's own head rotations instead of the fitted ones, turned by the one constant
    rotation between the two models' frontal poses."""


def label(
    *,
    data: Path,
    out: OutPath,
    face_model: Annotated[FaceModel, tyro.conf.OmitArgPrefixes] = FaceModel(),
    fitting: Annotated[Fitting, tyro.conf.OmitArgPrefixes] = Fitting(),
    processes: int = 0,
) -> int:
    """Fit a face model to the 68 landmarks of every face of a data set.

    OUT appears when all is done. Until then finished parts lie in OUT.parts; the same command goes
    on from there, also after the processes were killed; damaged parts are made again. Faces that
    cannot be fitted are rejected.

    Args:
        data: Folder with labels.npz (pictures are not read), or a data set in another layout of
            docs/reference/datasets.md whose samples have landmarks.
        out: File (.npz) for names, crop boxes, coefficients, residuals and which were accepted.
        face_model: The face model that is fitted.
        fitting: How it is fitted.
        processes: Worker processes; 0 is one for each CPU.
    """
    if out.suffix != ".npz" or out.is_dir():
        raise UsageError(f"--out {out} must be a file that ends with .npz")
    if processes < 0 or not fitting.max_residual > 0:
        raise UsageError("--processes must not be negative, --max-residual must be positive")
    if not 0.0 <= fitting.depth_weight <= 1.0:
        raise UsageError(f"--depth-weight must be in 0..1, got {fitting.depth_weight}")
    import numpy as np

    from mlanet.files import atomic_path, remove_leftovers
    from mlanet.fitting.labels import CONTOUR_WEIGHT, Labels, with_given_rotation

    model = _model(face_model.model, face_model.landmarks)
    given = _read_landmarks(data, with_rotation=fitting.given_rotation)
    if fitting.given_rotation and given.rotation is None:
        raise DataError(f"{data}: --given-rotation needs the rotation of every face")
    contour = fitting.jaw == "contour" or (fitting.jaw == "auto" and not given.jaw_on_surface)
    jaw_weight = CONTOUR_WEIGHT if contour else 1.0
    parts = out.with_name(out.name + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parts)
    settings = _settings(given.points, model, fitting, jaw_weight)
    starts = range(0, len(given.points), PART_FACES)
    paths = [parts / f"{settings}-{start:08d}.npz" for start in starts]
    jobs = [
        _Part(given.points[start : start + PART_FACES], path, jaw_weight, fitting, face_model)
        for start, path in zip(starts, paths, strict=True)
        if not _whole(path, len(given.points[start : start + PART_FACES]))
    ]
    _run(jobs, min(processes or os.cpu_count() or 1, len(jobs)), len(paths))
    labels = Labels.concatenate([_read_part(path) for path in paths])
    if fitting.given_rotation and given.rotation is not None:
        labels = with_given_rotation(labels, given.rotation)
    columns = {field.name: getattr(labels, field.name) for field in fields(Labels)}
    with atomic_path(out) as temporary:
        np.savez_compressed(
            temporary,
            name=given.names,
            face_model=np.array(model.name),
            max_residual_percent=np.array(fitting.max_residual),
            jaw_weight=np.array(jaw_weight),
            depth_weight=np.array(fitting.depth_weight),
            given_rotation=np.array(fitting.given_rotation),
            **columns,
        )
    for path in paths:
        path.unlink(missing_ok=True)
    _remove_if_empty(parts)
    fitted = labels.residual_percent[np.isfinite(labels.residual_percent)]
    median = float(np.median(fitted)) if len(fitted) else float("nan")
    unfit = len(given.points) - len(fitted)
    print(
        f"{data}: {int(labels.accepted.sum())} of {len(given.points)} faces accepted,"
        f" {f'{unfit} had nothing to fit, ' if unfit else ''}"
        f"median residual {median:.2f} % -> {out}"
    )
    name_skipped(given.skipped)
    return EXIT_OK


class _Landmarks(NamedTuple):
    """What is to be fitted; samples that cannot be read or have no landmarks are not in it."""

    names: "np.ndarray"
    points: "np.ndarray"
    skipped: "SkippedSamples"
    rotation: "np.ndarray | None" = None
    jaw_on_surface: bool = False


class _Part(NamedTuple):
    """Some faces of a run, and where their labels go."""

    points: "np.ndarray"
    path: Path
    jaw_weight: float
    fitting: Fitting
    face_model: FaceModel


def _read_landmarks(data: Path, *, with_rotation: bool) -> _Landmarks:
    import numpy as np

    from mlanet.datasets import SkippedSamples, open_dataset, read_samples
    from mlanet.datasets.archive import load_arrays
    from mlanet.geometry import viewer_from_camera

    path = data / "labels.npz"
    if path.exists():
        wanted = {"name": (), "pts68_px": (68, None)}
        optional = {"rotation": (3, 3)} if with_rotation else None
        arrays = load_arrays(path, wanted, optional, finite=False)
        viewed = arrays.get("rotation")
        rotation = None if viewed is None else viewer_from_camera(viewed.astype(np.float64))
        deep = arrays["pts68_px"].shape[2] == 3
        landmarks = _Landmarks(arrays["name"], arrays["pts68_px"], SkippedSamples(), rotation, deep)
    else:
        dataset = open_dataset(data)
        names: list[str] = []
        points: list[np.ndarray] = []
        rotations: list[np.ndarray | None] = []
        on_surface = True
        for index, name in enumerate(dataset.names):
            for sample in read_samples(dataset, [index]):
                if sample.landmarks_px is None:
                    dataset.skipped.add(name, f"{name}: no landmarks")
                elif points and sample.landmarks_px.shape != points[0].shape:
                    dataset.skipped.add(name, f"{name}: landmarks of another shape")
                else:
                    names.append(name)
                    points.append(sample.landmarks_px)
                    rotations.append(sample.rotation)
                    on_surface &= sample.jaw_on_surface
        known = [rotation for rotation in rotations if rotation is not None]
        if with_rotation and known:
            posed = [rotation is not None for rotation in rotations]
            for name in compress(names, map(not_, posed)):
                dataset.skipped.add(name, f"{name}: no rotation")
            names, points = list(compress(names, posed)), list(compress(points, posed))
        rotation = np.array(known) if known and len(known) == len(points) else None
        landmarks = _Landmarks(
            np.array(names, np.str_), np.array(points), dataset.skipped, rotation, on_surface
        )
    if not len(landmarks.points):
        raise DataError(f"{data}: no landmarks to fit to")
    if landmarks.points.shape[2] not in (2, 3):
        raise DataError(f"{data}: 'pts68_px' must have 2 or 3 coordinates")
    return landmarks


def _settings(
    points: "np.ndarray", model: "MorphableModel", fitting: Fitting, jaw_weight: float
) -> str:
    """Tells parts of a run from those of another: all that the labels depend on."""
    from mlanet.fitting.labels import config_for

    limits = f"{fitting.max_residual} {jaw_weight} {fitting.depth_weight} {PART_FACES}"
    numbers = f"{points.dtype} {points.shape} {limits}"
    digest = hashlib.sha256(numbers.encode())
    digest.update(repr(config_for(model)).encode())
    shape = model.landmarks
    for array in (points, shape.mean, shape.identity, shape.expression):
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def _run(jobs: list[_Part], workers: int, total: int) -> None:
    """Fit all parts; where one fails or the run is stopped, those not yet begun are left."""
    done = total - len(jobs)

    def finished() -> None:
        nonlocal done
        done += 1
        count_up(done, total, "part ")

    if workers <= 1:
        for job in jobs:
            _fit_part(job)
            finished()
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        try:
            for future in as_completed([pool.submit(_fit_part, job) for job in jobs]):
                future.result()
                finished()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin_worker() -> None:
    """One thread of arithmetic for each process, and none that outlives a killed parent."""
    for name in THREAD_COUNTS:
        os.environ[name] = "1"  # read when NumPy is imported, which happens with the first part
    end_with_parent()


@lru_cache(maxsize=1)
def _model(path: Path | None, landmarks: Path | None) -> "MorphableModel":
    from mlanet.morphable import load_model

    return load_model(path, landmarks)


def _fit_part(part: _Part) -> None:
    import numpy as np

    from mlanet.files import atomic_path
    from mlanet.fitting.labels import config_for, label_faces

    model = _model(part.face_model.model, part.face_model.landmarks)
    labels = label_faces(
        model,
        part.points,
        replace(config_for(model), depth_weight=part.fitting.depth_weight),
        max_residual_percent=part.fitting.max_residual,
        jaw_weight=part.jaw_weight,
    )
    columns = {field.name: getattr(labels, field.name) for field in fields(labels)}
    with atomic_path(part.path) as temporary:
        np.savez(temporary, **columns)


def _whole(path: Path, faces: int) -> bool:
    """Whether a part is there, of so many faces; a damaged one is deleted to be made again."""
    if not path.exists():
        return False
    try:
        if len(_read_part(path).residual_percent) != faces:
            raise DataError(f"{path}: holds other faces")
    except DataError as error:
        print(f"{error}; it is made again", file=sys.stderr)
        path.unlink()
        return False
    return True


def _remove_if_empty(folder: Path) -> None:
    """Files of others are left where they are, and the folder with them."""
    if not any(folder.iterdir()):
        folder.rmdir()


def _read_part(path: Path) -> "Labels":
    from mlanet.files import parsing
    from mlanet.files.numpyfiles import read_npz
    from mlanet.fitting.labels import Labels

    names = [field.name for field in fields(Labels)]
    part = read_npz(path, DataError, "damaged", names=names)
    with parsing(path, "damaged", DataError):
        labels = Labels(**{name: part[name] for name in names})
        if len({len(part[name]) for name in names}) != 1:
            raise ValueError("its columns differ in length")
        return labels
