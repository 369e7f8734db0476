"""`mlanet label`: what is known of a data set's faces to coefficients of a face model."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mlanet.cli.common import (
    EXIT_OK,
    Flag,
    JawOption,
    OutPath,
    SomeFloat,
    SomePath,
    SomeText,
    count_up,
    name_skipped,
)
from mlanet.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from mlanet.fitting.labels import Labels
    from mlanet.labelling import FaceModelFile, Parts

SHIPPED = "shipped"
"""What `--network` calls the network that comes with mlanet."""


@dataclass(frozen=True, slots=True)
class FaceModel:
    """The face model that is fitted."""

    model: SomePath = None
    """A face model of yours (docs/reference/face-models.md); by default the embedded one."""

    landmarks: SomePath = None
    """File with the places of the 68 landmarks, for models without them."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """How the labels' points are fitted, and which fits are accepted."""

    max_residual: SomeFloat = None
    """Fits with a larger mean distance, in per cent of the face, are rejected; without the option
    1.5, with --network 4."""

    jaw: JawOption = "auto"
    """What the labels' 17 jaw points are: of the visible contour, as 2D annotators mark them, which
    counts a twentieth (with --network: not at all), or of the surface; auto: surface for 300W-LP
    and where labels have depth."""

    depth_weight: float = 1.0
    """How much the labels' depth counts beside x and y, 0 to 1; little where it is another face
    model's guess. With --network it does not count."""

    given_rotation: Flag = False
    """Keep the data set's own head rotations instead of the fitted ones, turned by the one constant
    rotation between the two models' frontal poses."""


@dataclass(frozen=True, slots=True)
class Joining:
    """What else is known of the faces, and of whom nothing is used."""

    network: SomeText = None
    """Join the landmarks with a network's answers on several crops of each face: a file that
    `mlanet export` wrote, or `shipped`."""

    teacher: SomePath = None
    """Join them with MediaPipe's points and blend-shape scores, too: an .npz file
    (docs/how-to/label.md). Data without landmarks need it."""

    offsets_of: SomePath = None
    """File of labels with a teacher's offsets, which are used instead of measuring them: for data
    without landmarks of their own, or with few."""

    leave_out_unseen_people: Flag = False
    """Use nothing of every fourth person, with whom identities are evaluated."""


def label(
    *,
    data: Path,
    out: OutPath,
    face_model: Annotated[FaceModel, tyro.conf.OmitArgPrefixes] = FaceModel(),
    fitting: Annotated[Fitting, tyro.conf.OmitArgPrefixes] = Fitting(),
    joining: Annotated[Joining, tyro.conf.OmitArgPrefixes] = Joining(),
    processes: int = 0,
) -> int:
    """Fit a face model to what is known of every face of a data set.

    That is its 68 landmarks; with --network and --teacher also what these say of the pictures.
    OUT appears when all is done. Until then finished parts lie in OUT.parts; the same command goes
    on from there, also after the processes were killed; damaged parts are made again. Faces that
    cannot be fitted are rejected.

    Args:
        data: Folder with labels.npz, whose pictures are read with --network alone; or a data set
            in another layout of docs/reference/datasets.md whose samples have landmarks.
        out: File (.npz) for names, crop boxes, coefficients, residuals and which were accepted.
        face_model: The face model that is fitted.
        fitting: How it is fitted.
        joining: What else is known of the faces.
        processes: Worker processes; 0 is one for each CPU.
    """
    _check_words(out, fitting, joining, processes)
    from mlanet.labelling import FaceModelFile, Parts

    file = FaceModelFile(face_model.model, face_model.landmarks)
    parts = Parts(out.with_name(out.name + ".parts"), processes, _progress, _warn)
    if joining.network is None:
        return _landmarks_alone(data, out, file, fitting, parts)
    return _joined(data, out, file, fitting, joining, parts)


def _check_words(out: Path, fitting: Fitting, joining: Joining, processes: int) -> None:
    if out.suffix != ".npz" or out.is_dir():
        raise UsageError(f"--out {out} must be a file that ends with .npz")
    if processes < 0 or not (fitting.max_residual is None or fitting.max_residual > 0):
        raise UsageError("--processes must not be negative, --max-residual must be positive")
    if not 0.0 <= fitting.depth_weight <= 1.0:
        raise UsageError(f"--depth-weight must be in 0..1, got {fitting.depth_weight}")
    if joining.network is None and joining != Joining():
        raise UsageError(
            "--teacher, --offsets-of and --leave-out-unseen-people go with --network shipped"
        )
    if joining.offsets_of is not None and joining.teacher is None:
        raise UsageError("--offsets-of goes with --teacher")


def _landmarks_alone(
    data: Path, out: Path, file: "FaceModelFile", fitting: Fitting, parts: "Parts"
) -> int:
    from mlanet.fitting.labels import MAX_RESIDUAL_PERCENT
    from mlanet.labelling import LandmarkConfig, label_landmarks, read_landmarks

    given = read_landmarks(data, with_rotation=fitting.given_rotation)
    if fitting.given_rotation and given.rotation is None:
        raise DataError(f"{data}: --given-rotation needs the rotation of every face")
    config = LandmarkConfig(
        file,
        jaw_on_surface=_jaw_on_surface(fitting),
        depth_weight=fitting.depth_weight,
        given_rotation=fitting.given_rotation,
        max_residual_percent=fitting.max_residual or MAX_RESIDUAL_PERCENT,
    )
    labels = label_landmarks(given, config, parts)
    about = {
        "max_residual_percent": config.max_residual_percent,
        "jaw_weight": config.jaw_weight(given),
        "depth_weight": config.depth_weight,
        "given_rotation": config.given_rotation,
    }
    _write(out, file, given.names, labels, about)
    parts.remove()
    _report(data, out, labels, len(given.names))
    name_skipped(given.skipped)
    return EXIT_OK


def _joined(
    data: Path, out: Path, file: "FaceModelFile", fitting: Fitting, joining: Joining, parts: "Parts"
) -> int:
    import numpy as np

    from mlanet.labelling import OFFSETS, JoinedConfig, label_joined
    from mlanet.labelling.joined_fit import MAX_RESIDUAL_PERCENT

    config = JoinedConfig(
        data,
        file,
        network=None if joining.network in (None, SHIPPED) else Path(joining.network),
        teacher=joining.teacher,
        offsets_of=joining.offsets_of,
        jaw_on_surface=_jaw_on_surface(fitting),
        leave_out_unseen_people=joining.leave_out_unseen_people,
        given_rotation=fitting.given_rotation,
        max_residual_percent=fitting.max_residual or MAX_RESIDUAL_PERCENT,
    )
    found = label_joined(config, parts)
    about = {
        "max_residual_percent": config.max_residual_percent,
        "given_rotation": config.given_rotation,
        "landmarks_px": found.landmarks_px.astype(np.float32),
        "used": found.used,
        "telling": found.telling,
    }
    if config.teacher is not None:
        about[OFFSETS] = found.offsets
    _write(out, file, found.crops.names, found.labels, about)
    parts.remove()
    _report(data, out, found.labels, int(found.used.sum()))
    left_out = len(found.used) - int(found.used.sum())
    print(f"{left_out} faces left out; {int(found.telling.sum())} have expressions seldom seen")
    name_skipped(found.crops.skipped)
    return EXIT_OK


def _jaw_on_surface(fitting: Fitting) -> bool | None:
    return None if fitting.jaw == "auto" else fitting.jaw == "surface"


def _progress(done: int, total: int) -> None:
    count_up(done, total, "part ")


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


def _write(
    out: Path, file: "FaceModelFile", names: "np.ndarray", labels: "Labels", about: dict[str, Any]
) -> None:
    import numpy as np

    from mlanet.files import atomic_path
    from mlanet.labelling import LABEL_COLUMNS

    columns = {name: getattr(labels, name) for name in LABEL_COLUMNS}
    model = np.array(file.load().name)
    with atomic_path(out) as temporary:
        np.savez_compressed(temporary, name=names, face_model=model, **about, **columns)


def _report(data: Path, out: Path, labels: "Labels", faces: int) -> None:
    import numpy as np

    fitted = labels.residual_percent[np.isfinite(labels.residual_percent)]
    median = float(np.median(fitted)) if len(fitted) else float("nan")
    unfit = faces - len(fitted)
    print(
        f"{data}: {int(labels.accepted.sum())} of {faces} faces accepted,"
        f" {f'{unfit} had nothing to fit, ' if unfit else ''}"
        f"median residual {median:.2f} % -> {out}"
    )
