"""From what a file says to a `MorphableModel` in our unit and frame, checked."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import AssetError
from mlanet.files import parsing
from mlanet.geometry import face_normals
from mlanet.morphable.landmarks import SurfaceLandmarks, landmarks_at_vertices, read_landmarks
from mlanet.morphable.linear import LinearShape
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import check_model
from mlanet.morphable.provenance import Provenance

CORNERS = (36, 45)
"""Landmarks at the outer corners of the eyes."""

NOSE_TIP, CHIN = 30, 8

EYES_FROM_EARS_MM = np.array([0.0, 20.0, 87.0])
"""Middle of the outer corners of the eyes as seen from the middle of the ears; an average head."""

EYE_DISTANCE_MM = (60.0, 130.0)
"""Bounds of the distance of the outer corners of the eyes; 88 mm in our mean head."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A model as its file has it: any unit, any winding of triangles, axes of our model frame.

    Attributes:
        name: of the model, for people.
        millimetres: one unit of the file in mm.
        mean: `(v, 3)`.
        identity: `(v, 3, i)`, scaled to unit standard deviation.
        expression: `(v, 3, e)`, scaled to unit standard deviation, or blend shapes.
        faces: triangles, zero-based.
        provenance: of the file.
        albedo_mean: `(v, 3)` sRGB in [0, 1], or None.
        albedo: `(v, 3, a)` scaled to unit standard deviation, or None.
        uv: texture coordinates, origin at the lower left, or None.
        uv_faces: their triangles; None where they belong to vertices.
        landmarks: vertices by iBUG's number, as far as the file knows them, or their places on
            `faces`.
        identity_names: of the modes; None: numbered.
        expression_names: the same.
        expression_bounded: see `MorphableModel`, as the next two.
        identity_sd: or empty.
        expression_sd: or empty.
    """

    name: str
    millimetres: float
    mean: Float[np.ndarray, "v 3"]
    identity: Float[np.ndarray, "v 3 i"]
    expression: Float[np.ndarray, "v 3 e"]
    faces: Int[np.ndarray, "f 3"]
    provenance: Provenance
    albedo_mean: Float[np.ndarray, "v 3"] | None = None
    albedo: Float[np.ndarray, "v 3 a"] | None = None
    uv: Float[np.ndarray, "t 2"] | None = None
    uv_faces: Int[np.ndarray, "f 3"] | None = None
    landmarks: dict[int, int] | SurfaceLandmarks = field(default_factory=dict[int, int])
    identity_names: tuple[str, ...] | None = None
    expression_names: tuple[str, ...] | None = None
    expression_bounded: bool = False
    identity_sd: Float[np.ndarray, "i"] = field(default_factory=lambda: np.zeros(0))
    expression_sd: Float[np.ndarray, "e"] = field(default_factory=lambda: np.zeros(0))


def assemble(parts: Parts, path: Path, landmarks: Path | None = None) -> MorphableModel:
    """The model in mm, triangles turned outwards, origin between the ears.

    The origin is put where `EYES_FROM_EARS_MM` says; a model whose eyes' corners are not known
    keeps its own.

    Args:
        parts: what the file says.
        path: the file, for messages.
        landmarks: a user's file of landmarks; replaces those of the model's file.

    Raises:
        AssetError: arrays do not fit each other, hold numbers that are not finite or indices out
            of range, or the landmarks are not those of a face in this frame and unit.
    """
    with (
        parsing(path, "the face model's arrays do not fit", AssetError),
        np.errstate(over="ignore", invalid="ignore"),  # what is not finite is found at the end
    ):
        return _assembled(parts, path, landmarks)


def _assembled(parts: Parts, path: Path, landmarks: Path | None) -> MorphableModel:
    modes = (parts.identity.shape[-1], parts.expression.shape[-1])
    vertices, colors = len(parts.mean), parts.albedo_mean is not None
    faces = np.ascontiguousarray(parts.faces, dtype=np.int32)
    if faces.size and (faces.min() < 0 or faces.max() >= vertices):
        raise AssetError(f"{path}: triangles must index {vertices} vertices")
    mean = np.asarray(parts.mean, dtype=np.float64) * parts.millimetres
    turned = not _faces_outwards(mean, faces)
    order = slice(None, None, -1 if turned else 1)
    # Weights belong to the corners as the file orders them.
    if landmarks is not None:
        places = read_landmarks(landmarks, faces)
    elif isinstance(parts.landmarks, SurfaceLandmarks):
        places = parts.landmarks
    else:
        places = landmarks_at_vertices(faces, parts.landmarks)
    model = MorphableModel(
        name=parts.name,
        shape=LinearShape(
            (mean - _origin(mean, faces, places, path)).astype(np.float32),
            *(
                (basis * np.float32(parts.millimetres)).astype(np.float32)
                for basis in (parts.identity, parts.expression)
            ),
        ),
        albedo_mean=np.zeros((0, 3), np.float32)
        if parts.albedo_mean is None
        else np.asarray(parts.albedo_mean, np.float32),
        albedo_basis=np.zeros((vertices if colors else 0, 3, 0), np.float32)
        if parts.albedo is None
        else np.asarray(parts.albedo, np.float32),
        base_faces=np.ascontiguousarray(faces[:, order]),
        base_uv=np.zeros((0, 2), np.float32)
        if parts.uv is None
        else np.asarray(parts.uv, np.float32),
        midpoint_index=np.zeros((0, 8), np.int32),
        midpoint_weight=np.zeros((0, 8), np.float32),
        landmark_faces=places.faces,
        landmark_barycentric=np.ascontiguousarray(places.barycentric[:, order]),
        mirror=np.zeros(0, np.int32),
        identity_mirror=np.zeros(0, np.float32),
        expression_mirror=np.zeros(0, np.int32),
        identity_names=parts.identity_names or numbered("identity", modes[0]),
        expression_names=parts.expression_names or numbered("expression", modes[1]),
        albedo_names=numbered("albedo", 0 if parts.albedo is None else parts.albedo.shape[-1]),
        regions={},
        base_uv_faces=None
        if parts.uv_faces is None
        else np.ascontiguousarray(parts.uv_faces[:, order], dtype=np.int32),
        expression_bounded=parts.expression_bounded,
        identity_sd=np.asarray(parts.identity_sd, np.float32),
        expression_sd=np.asarray(parts.expression_sd, np.float32),
        provenance=parts.provenance,
    )
    check_model(model, path)
    return model


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Names of modes that have none: `identity 001` and so on."""
    return tuple(f"{name} {number + 1:03d}" for number in range(count))


def interleaved(values: Float[np.ndarray, "n *k"], what: str) -> Float[np.ndarray, "v 3 *k"]:
    """Rows x, y, z, x, y, z, ... as points.

    Raises:
        ValueError: their number is no multiple of three.
    """
    if not len(values) or len(values) % 3:
        raise ValueError(f"{what} has {len(values)} rows, which are no points")
    return values.reshape(-1, 3, *values.shape[1:])


def scaled(
    basis: Float[np.ndarray, "n k"], deviations: Float[np.ndarray, "k"], what: str
) -> Float[np.ndarray, "n k"]:
    """Modes times their standard deviations, in single precision.

    Raises:
        ValueError: there is not one for each mode.
    """
    if basis.ndim != 2 or deviations.shape != basis.shape[1:]:
        raise ValueError(f"{what} is {basis.shape} with {deviations.shape} standard deviations")
    return basis.astype(np.float32) * deviations.astype(np.float32)


def _faces_outwards(mean: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> bool:
    """Whether triangles are counter-clockwise seen from outside.

    The sign of the volume between the surface and a point behind the face: for a closed head
    any point gives the same, for a mask one behind it gives the right sign.
    """
    behind = mean.mean(axis=0) - [0.0, 0.0, 100.0]
    normals = face_normals(mean, faces)
    return float((normals * (mean[faces].mean(axis=1) - behind)).sum()) > 0.0


def _origin(
    mean: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    places: SurfaceLandmarks,
    path: Path,
) -> Float[np.ndarray, "3"]:
    """The point between the ears in the file's frame, after a look at the landmarks, mm."""
    known = places.faces >= 0
    points = np.full((len(known), 3), np.nan)
    corners = mean[faces[places.faces[known]]]
    points[known] = (corners * places.barycentric[known, :, None]).sum(axis=1)
    right, left = points[list(CORNERS)]
    if not np.isfinite([right, left]).all():
        return np.zeros(3)
    eyes = (right + left) / 2.0
    apart = float(left[0] - right[0])
    low, high = EYE_DISTANCE_MM
    if not low < apart < high:
        raise AssetError(
            f"{path}: the outer corners of the eyes are {apart:.1f} mm apart along x,"
            f" expected {low:.0f} to {high:.0f}: landmarks of another order, or another unit"
        )
    below, before = ("chin", CHIN, 1, -1.0), ("tip of the nose", NOSE_TIP, 2, 1.0)
    for name, number, axis, sign in (below, before):
        if known[number] and sign * (points[number] - eyes)[axis] <= 0.0:
            raise AssetError(
                f"{path}: the {name} lies at {np.round(points[number] - eyes).tolist()} mm from the"
                " eyes: landmarks of another order, or axes that are not x left, y up, z forward"
            )
    return eyes - EYES_FROM_EARS_MM
