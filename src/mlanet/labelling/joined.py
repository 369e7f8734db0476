"""Labels of faces that a data set, a network and a teacher know together."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.assets import verified_path
from mlanet.datasets import FaceCrops, read_samples
from mlanet.datasets.archive import fits
from mlanet.datasets.people import unseen_people
from mlanet.errors import DataError
from mlanet.files.numpyfiles import read_npz
from mlanet.fitting import ExpressionPrior, RotationPrior
from mlanet.fitting.labels import Labels, with_given_rotation
from mlanet.geometry import matrix_from_6d
from mlanet.labelling.answers import FaceNetwork
from mlanet.labelling.expressions import expression_prior, telling_faces, trusted_scores
from mlanet.labelling.head_turn import NUM_BANDS, HeadTurn
from mlanet.labelling.jobs import (
    LABEL_COLUMNS,
    AskNetwork,
    FaceModelFile,
    FitJoined,
    shape_arrays,
)
from mlanet.labelling.joined_fit import FITTING, MAX_RESIDUAL_PERCENT, of_one_person
from mlanet.labelling.joining import (
    NUM_JAW,
    join_landmarks,
    measure_offsets,
    reference_landmarks,
)
from mlanet.labelling.parts import Parts, cut, digest
from mlanet.labelling.teacher import Teacher

OFFSETS = "teacher_offsets"
"""Array of a label file: how far the teacher's points lie from the others', by band of yaw."""

GIVEN_ROTATION_SD = math.radians(0.5)
"""How far heads of fits may be from the data's own rotations: landmarks alone leave rotations free
by some 2 degrees, which the identity then makes up for."""

OFFSETS_SHAPE = (2 * NUM_BANDS + 1, 68 - NUM_JAW, 2)


@dataclass(frozen=True, slots=True)
class JoinedConfig:
    """What is joined, and how.

    Attributes:
        data: folder of crops.
        face_model: that is fitted.
        network: its file; the shipped one without.
        teacher: file of the teacher's answers; without it there is none.
        offsets_of: label file whose offsets of the teacher are used; without it they are measured.
        jaw_on_surface: whether the data's jaw points are; None: where they have depth.
        leave_out_unseen_people: nothing is used of the people of `unseen_people`.
        given_rotation: fit with the data's own rotations (`with_given_rotation`).
        max_residual_percent: of accepted fits.
    """

    data: Path
    face_model: FaceModelFile = FaceModelFile()
    network: Path | None = None
    teacher: Path | None = None
    offsets_of: Path | None = None
    jaw_on_surface: bool | None = None
    leave_out_unseen_people: bool = False
    given_rotation: bool = False
    max_residual_percent: float = MAX_RESIDUAL_PERCENT


@dataclass(frozen=True, slots=True, eq=False)
class JoinedLabels:
    """Labels of all `n` pictures of a folder.

    Attributes:
        crops: the folder.
        labels: coefficients; zero, and infinite residuals, of pictures that are not used.
        landmarks_px: joined points, the jaw's on the face's surface; zero where not used.
        used: pictures of which there are points, and of people who may be learnt from.
        telling: those with expressions that are seldom seen.
        offsets: of the teacher's inner points, in face sizes, by band of yaw.
    """

    crops: FaceCrops
    labels: Labels
    landmarks_px: Float[np.ndarray, "n 68 2"]
    used: Bool[np.ndarray, "n"]
    telling: Bool[np.ndarray, "n"]
    offsets: Float[np.ndarray, "bands 51 2"]


def label_joined(config: JoinedConfig, parts: Parts) -> JoinedLabels:
    """Join what is known of each face, and fit the face model to it.

    Pictures of one person have one identity, where the data say who is shown. Pictures that cannot
    be read are noted in the folder's `skipped`.

    Raises:
        DataError: a file is missing or malformed, or what is asked for is not known of the data.
    """
    crops = FaceCrops(config.data)
    check_known(crops, config)
    teacher = Teacher.silent(len(crops))
    if config.teacher is not None:
        teacher = Teacher.load(config.teacher, crops.names.tolist())
    rows = usable_rows(crops, teacher, config)
    network_px, turn, rows = ask_network(crops, teacher, rows, config, parts)
    labels_px = None if crops.landmarks_px is None else crops.landmarks_px[rows]
    surface = config.jaw_on_surface
    if surface is None:
        surface = labels_px is not None and labels_px.shape[2] == 3
    reference = reference_landmarks(network_px, labels_px, jaw_on_surface=surface)
    teacher = teacher.only(rows)
    if config.offsets_of is None:
        offsets = measure_offsets(reference, teacher, turn)
    else:
        offsets = read_offsets(config.offsets_of)
    points = join_landmarks(reference, teacher, turn, offsets)
    labels, points = fit_in_parts(points, teacher, turn, config, parts)
    if crops.rotation is not None and config.given_rotation:
        given = with_given_rotation(labels, crops.rotation[rows].astype(np.float64))
        rotation = np.where(
            given.accepted[:, None, None],
            matrix_from_6d(given.rotation.astype(np.float64)),
            matrix_from_6d(labels.rotation.astype(np.float64)),
        )
        labels, points = fit_in_parts(points, teacher, turn, config, parts, rotation)
    if crops.identity is not None:
        labels = of_one_person(labels, crops.identity[rows])
    used, telling = np.zeros(len(crops), bool), np.zeros(len(crops), bool)
    landmarks_px = np.zeros((len(crops), 68, 2))
    used[rows], landmarks_px[rows] = True, points
    telling[rows] = telling_faces(teacher, turn) & labels.accepted
    return JoinedLabels(
        crops, _among(labels, rows, len(crops)), landmarks_px, used, telling, offsets
    )


def check_known(crops: FaceCrops, config: JoinedConfig) -> None:
    """See that the data have what is asked for.

    Raises:
        DataError: they have not.
    """
    if crops.landmarks_px is None and config.teacher is None:
        raise DataError(f"{config.data}: no landmarks, and no teacher who says where faces are")
    if config.given_rotation and crops.rotation is None:
        raise DataError(f"{config.data}: --given-rotation needs the rotation of every face")
    if config.leave_out_unseen_people and crops.identity is None:
        raise DataError(f"{config.data}: --leave-out-unseen-people needs to know who is shown")


def usable_rows(crops: FaceCrops, teacher: Teacher, config: JoinedConfig) -> Int[np.ndarray, "k"]:
    """Pictures with points, of people who may be learnt from.

    Raises:
        DataError: there are none.
    """
    points = teacher.landmarks_px if crops.landmarks_px is None else crops.landmarks_px[..., :2]
    usable = (np.ptp(points, axis=1) > 0).all(axis=1)
    if crops.landmarks_px is None:
        usable &= teacher.found
    if config.leave_out_unseen_people and crops.identity is not None:
        usable &= ~unseen_people(crops.identity)
    if not usable.any():
        raise DataError(f"{config.data}: no face to label")
    return np.flatnonzero(usable)


def ask_network(
    crops: FaceCrops,
    teacher: Teacher,
    rows: Int[np.ndarray, "k"],
    config: JoinedConfig,
    parts: Parts,
) -> tuple[Float[np.ndarray, "m 68 2"], HeadTurn, Int[np.ndarray, "m"]]:
    """The network's points in the pictures, how the heads are turned, and which could be read.

    Raises:
        DataError: none could be, or the network drives another face model.
    """
    points = teacher.landmarks_px if crops.landmarks_px is None else crops.landmarks_px[..., :2]
    around = points[rows].astype(np.float32)
    FaceNetwork.load(config.network, config.face_model.load())  # fails here if it must
    network = config.network or verified_path("mobile")
    answers = parts.work(
        digest(network.read_bytes(), crops.names[rows], around, rows),
        [
            AskNetwork(config.data, config.network, config.face_model, rows[part], around[part])
            for part in cut(len(rows))
        ],
    )
    seen = answers["seen"]
    list(read_samples(crops, rows[~seen].tolist()))  # notes what is wrong with them
    if not seen.any():
        raise DataError(f"{config.data}: no picture can be read")
    turn = HeadTurn.of(answers["rotation"][seen])
    return answers["landmarks_px"][seen], turn, rows[seen]


def fit_in_parts(
    points: Float[np.ndarray, "n 68 2"],
    teacher: Teacher,
    turn: HeadTurn,
    config: JoinedConfig,
    parts: Parts,
    rotation: Float[np.ndarray, "n 3 3"] | None = None,
) -> tuple[Labels, Float[np.ndarray, "n 68 2"]]:
    """`fit_joined`, by several processes; a known rotation is kept within `GIVEN_ROTATION_SD`."""
    model = config.face_model.load()
    prior = expression_prior(teacher, turn, model.expression_names)
    scored = trusted_scores(teacher, turn)
    limit = config.max_residual_percent
    found = parts.work(
        digest(
            repr((FITTING, limit)),
            points,
            prior.mean,
            prior.sd,
            scored,
            *([] if rotation is None else [rotation]),
            *shape_arrays(model),
        ),
        [
            FitJoined(
                config.face_model,
                points[part],
                ExpressionPrior(prior.mean[part], prior.sd[part]),
                scored[part],
                limit,
                None if rotation is None else RotationPrior(rotation[part], GIVEN_ROTATION_SD),
            )
            for part in cut(len(points))
        ],
    )
    return Labels(*(found[name] for name in LABEL_COLUMNS)), found["landmarks_px"]


def read_offsets(path: Path) -> Float[np.ndarray, "bands 51 2"]:
    """The teacher's offsets that were measured for a label file.

    Raises:
        DataError: it has none.
    """
    found = read_npz(path, DataError, "not a readable npz file", names=(OFFSETS,))
    if OFFSETS not in found or not fits(found[OFFSETS].shape, OFFSETS_SHAPE):
        raise DataError(f"{path}: the array {OFFSETS!r} is missing; label with --teacher first")
    return found[OFFSETS].astype(np.float64)


def _among(labels: Labels, rows: Int[np.ndarray, "m"], count: int) -> Labels:
    """Labels of some of `count` pictures among those of all."""
    columns: dict[str, np.ndarray] = {}
    for name in LABEL_COLUMNS:
        own = getattr(labels, name)
        columns[name] = np.zeros((count, *own.shape[1:]), own.dtype)
        columns[name][rows] = own
    unused = np.setdiff1d(np.arange(count), rows)
    columns["residual_percent"][unused] = np.inf
    return Labels(**columns)
