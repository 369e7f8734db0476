"""Points and expressions of portraits beside a teacher's, by the groups that their source names."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from mlanet.datasets import FaceCrops
from mlanet.datasets.archive import load_arrays, positions_of
from mlanet.errors import DataError
from mlanet.evaluation.progress import Progress, batches
from mlanet.evaluation.reporting import Cell, Column, Protocol, Report, Table, number
from mlanet.geometry import Camera, decode_pose, landmarks_in_pixels
from mlanet.image import crop_square, square_from_landmarks, transform_points
from mlanet.image.crop import invert_transform
from mlanet.labelling.head_turn import NUM_BANDS, HeadTurn
from mlanet.labelling.joining import NUM_JAW, face_sizes, measure_offsets
from mlanet.labelling.teacher import Teacher
from mlanet.metrics import pearson_correlation
from mlanet.reconstructor import Reconstructor

PROTOCOL = Protocol(
    "portraits by group",
    "distance of a network's 51 inner landmarks from a teacher's in per cent of the face's size, "
    "without the median offset of each point by band of yaw over all portraits; Pearson's "
    "correlation with the teacher's blend-shape scores; faces cut by the teacher's points",
)

EXPRESSIONS = {
    "eyeBlink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
    "jawOpen": ("jawOpen",),
    "browInnerUp": ("browInnerUp",),
}
"""What is correlated; left and right together."""

BATCH = 64
FEWEST_FACES = 20
"""Of a group with fewer no correlation is said."""


@dataclass(frozen=True, eq=False)
class Portraits:
    """Portraits in which the teacher found a face, and what a network says of them.

    Attributes:
        names: of the pictures.
        groups: source and the source's own name of the group of each.
        error_percent: mean distance of the 51 inner landmarks.
        predicted, teacher: values of each of `EXPRESSIONS`, one column for each side.
    """

    names: Shaped[np.ndarray, "n"]
    groups: Shaped[np.ndarray, "n"]
    error_percent: Float[np.ndarray, "n"]
    predicted: dict[str, Float[np.ndarray, "n k"]]
    teacher: dict[str, Float[np.ndarray, "n k"]]


def groups_of(labels: Path, names: list[str]) -> Shaped[np.ndarray, "n"]:
    """`SOURCE GROUP` of pictures, as `labels.npz` has them.

    Raises:
        DataError: it lacks `source` or `group`, or a picture.
    """
    found = load_arrays(labels, {"name": (), "source": (), "group": ()})
    rows = positions_of(names, found["name"].tolist(), f"in {labels}")
    pairs = zip(found["source"][rows].tolist(), found["group"][rows].tolist(), strict=True)
    return np.array([f"{source} {group}".strip() for source, group in pairs])


def score_portraits(
    reconstructor: Reconstructor, folder: Path, teacher_file: Path, progress: Progress | None = None
) -> Portraits:
    """What a network says of all portraits in which the teacher found a face.

    Raises:
        DataError: a file is missing or malformed, a picture is broken, or there is no face.
    """
    crops = FaceCrops(folder)
    teacher = Teacher.load(teacher_file, crops.names.tolist())
    rows = np.flatnonzero(teacher.found & (np.ptp(teacher.landmarks_px, axis=1) > 0).all(axis=1))
    if not len(rows):
        raise DataError(f"{teacher_file}: no face was found in any of the portraits")
    names = crops.names[rows]
    groups = groups_of(folder / "labels.npz", names.tolist())
    points, vectors = _seen(reconstructor, crops, teacher, rows, progress)
    layout, model = reconstructor.regressor.config.layout, reconstructor.model
    expression = layout.split(vectors).expression
    scores = teacher.only(rows)
    places = {name: place for place, name in enumerate(model.expression_names)}
    known = {
        name: sides
        for name, sides in EXPRESSIONS.items()
        if set(sides) <= set(places) & set(scores.blend_shapes)
    }
    pose = decode_pose(layout.split(vectors).rotation, layout.split(vectors).translation)
    return Portraits(
        names,
        groups,
        _errors(points, scores, HeadTurn.of(pose.rotation)),
        {name: expression[:, [places[s] for s in sides]] for name, sides in known.items()},
        {
            name: np.stack([scores.blend_shapes[s] for s in sides], axis=1)
            for name, sides in known.items()
        },
    )


def portraits_report(portraits: Portraits) -> Report:
    """A row for each group and for all."""
    columns = (
        Column("group"),
        Column("faces"),
        Column("distance", "%", use="figure"),
        Column("standard error", "%"),
        *(Column(f"{name}, correlation", use="figure") for name in portraits.predicted),
    )
    kinds = dict.fromkeys(sorted(portraits.groups.tolist()))
    rows = [_row("all", portraits, np.arange(len(portraits.names)))]
    rows += [_row(kind, portraits, np.flatnonzero(portraits.groups == kind)) for kind in kinds]
    note = (
        "Groups are called as the portraits' sources call them. Correlations of groups with fewer"
        f" than {FEWEST_FACES} faces are left out. Distances are not errors: the teacher errs, too."
    )
    values = zip(
        portraits.names.tolist(),
        portraits.groups.tolist(),
        portraits.error_percent.tolist(),
        strict=True,
    )
    single = Table(
        "portraits",
        (Column("image", use="case"), Column("group", use="group"), Column("distance", "%")),
        tuple(values),
        brief=False,
    )
    return Report(
        protocol=PROTOCOL,
        rows=single,
        tables=(Table("By group", columns, tuple(rows), note),),
        conditions={"portraits": len(portraits.names)},
    )


def _seen(
    reconstructor: Reconstructor,
    crops: FaceCrops,
    teacher: Teacher,
    rows: Int[np.ndarray, "n"],
    progress: Progress | None,
) -> tuple[Float[np.ndarray, "n 68 2"], Float[np.ndarray, "n c"]]:
    """The network's landmarks in the pictures, and its coefficients."""
    regressor, model = reconstructor.regressor, reconstructor.model
    size, layout = regressor.config.input_size, regressor.config.layout
    points: list[np.ndarray] = []
    vectors: list[np.ndarray] = []
    for part in batches(len(rows), BATCH, progress):
        cut = [
            crop_square(crops.decode(row), square_from_landmarks(teacher.landmarks_px[row]), size)
            for row in rows[part.start : part.stop].tolist()
        ]
        vector = regressor(np.stack([each.image for each in cut])).astype(np.float64)
        found = layout.split(vector)
        seen = landmarks_in_pixels(
            Camera.of_crop(size),
            decode_pose(found.rotation, found.translation),
            model.landmarks(found.identity, found.expression),
        )[..., :2]
        points += [
            transform_points(invert_transform(each.crop_from_image), own)
            for each, own in zip(cut, seen, strict=True)
        ]
        vectors.append(vector)
    return np.stack(points), np.concatenate(vectors)


def _errors(
    points_px: Float[np.ndarray, "n 68 2"], teacher: Teacher, turn: HeadTurn
) -> Float[np.ndarray, "n"]:
    """Mean distance of the inner points from the teacher's moved ones, per cent of the face."""
    size = face_sizes(points_px)
    offsets = measure_offsets(points_px, teacher, turn)[turn.band + NUM_BANDS]
    apart = teacher.landmarks_px[:, NUM_JAW:] - points_px[:, NUM_JAW:]
    apart = apart - turn.in_picture(offsets) * size[:, None, None]
    return 100.0 * np.linalg.norm(apart, axis=-1).mean(axis=1) / size


def _row(name: str, portraits: Portraits, rows: Int[np.ndarray, "k"]) -> tuple[Cell, ...]:
    errors = portraits.error_percent[rows]
    spread = float(errors.std(ddof=1) / np.sqrt(len(errors))) if len(errors) > 1 else None
    correlations: list[float | None] = []
    for quantity, predicted in portraits.predicted.items():
        both = predicted[rows].ravel(), portraits.teacher[quantity][rows].ravel()
        few = len(rows) < FEWEST_FACES
        correlations.append(None if few else number(pearson_correlation(*both, resamples=1).value))
    return (name, len(rows), float(errors.mean()), spread, *correlations)
