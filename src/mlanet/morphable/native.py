"""Our own file format for face models: an npz without pickles."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.assets import asset_records, verified_path
from mlanet.errors import AssetError
from mlanet.files import atomic_path, parsing, printable
from mlanet.files.numpyfiles import read_npz
from mlanet.geometry import MeshTopology
from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.linear import LinearShape
from mlanet.morphable.model import NUM_LANDMARKS, UNKNOWN, MorphableModel
from mlanet.morphable.provenance import Provenance

FORMAT = "mlanet-face-model-1"
WANTED = f"mlanet's npz format ({FORMAT})"


def load_embedded() -> MorphableModel:
    """The model that ships with mlanet.

    Raises:
        AssetError: its file is missing or altered.
    """
    path, record = verified_path("open_face"), asset_records()["open_face"]
    given = Provenance("mlanet", record.licence, record.source, record.sha256)
    model = model_from_arrays(read_arrays(path), path, given)
    object.__setattr__(model, "loader", shared_embedded)
    return model


@cache
def shared_embedded() -> MorphableModel:
    """The model that ships with mlanet: one for all unpickled results of a process.

    Raises:
        AssetError: its file is missing or altered.
    """
    return load_embedded()


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a face model's npz file.

    Raises:
        AssetError: the file is missing, damaged or too large.
    """
    return read_npz(path, AssetError, f"not a face model in {WANTED}", missing="face model")


def read_native(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """A model from a file in our format.

    Raises:
        AssetError: the file is missing, damaged or of another format, or landmarks are given.
    """
    data = read_arrays(path)
    if landmarks is not None:
        raise AssetError(f"{path}: our own format holds its landmarks; --landmarks is for others")
    return model_from_arrays(data, path)


def model_from_arrays(
    data: dict[str, np.ndarray], path: Path, provenance: Provenance | None = None
) -> MorphableModel:
    """A model from the arrays of a file in our format.

    Args:
        data: arrays by name.
        path: the file, for messages.
        provenance: replaces what the file says of itself.

    Raises:
        AssetError: an array is missing or malformed.
    """
    if str(data.get("format")) != FORMAT:
        raise AssetError(f"{path}: not a face model in {WANTED}")
    with parsing(path, "an array of the face model is missing or malformed", AssetError):
        model = MorphableModel(
            name=_text(data["name"]),
            shape=LinearShape(
                _single(data["mean"]), _by_mode(data["identity"]), _by_mode(data["expression"])
            ),
            albedo_mean=_single(data["albedo_mean"]),
            albedo_basis=_single(data["albedo"]),
            base_faces=data["faces"].astype(np.int32),
            base_uv=_single(data["uv"]),
            midpoint_index=data["midpoint_index"].astype(np.int32),
            midpoint_weight=_single(data["midpoint_weight"]),
            landmark_faces=data["landmark_faces"].astype(np.int32),
            landmark_barycentric=_single(data["landmark_barycentric"]),
            mirror=data["mirror"].astype(np.int32),
            identity_mirror=_single(data["identity_mirror"]),
            expression_mirror=data["expression_mirror"].astype(np.int32),
            identity_names=_texts(data["identity_names"]),
            expression_names=_texts(data["expression_names"]),
            albedo_names=_texts(data["albedo_names"]),
            regions=dict(
                zip(_texts(data["region_names"]), _single(data["regions"].T), strict=True)
            ),
            base_uv_faces=data["uv_faces"].astype(np.int32) if "uv_faces" in data else None,
            expression_bounded=bool(data.get("expression_bounded", True)),
            identity_sd=_single(data.get("identity_sd", np.zeros(0))),
            expression_sd=_single(data.get("expression_sd", np.zeros(0))),
            provenance=provenance or _provenance(data, path),
            correspondence=_correspondence(data),
            part_names=tuple(data["part_names"].tolist()) if "part_names" in data else (),
            vertex_parts=data.get("vertex_parts", np.zeros(0)).astype(np.int32),
            eye_poles=data.get("eye_poles", np.zeros((0, 2))).astype(np.int32),
        )
        check_model(model, path)
        return model


def save_model(model: MorphableModel, path: Path) -> None:
    """Write a model in our format in one atomic step; modes as 16-bit floats.

    Raises:
        AssetError: a mode is too large for 16 bits.
        OSError: the file cannot be written.
    """
    provenance = model.provenance
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "name": model.name,
        "mean": model.shape.mean,
        "identity": _half(model.shape.identity, path),
        "expression": _half(model.shape.expression, path),
        "albedo_mean": model.albedo_mean,
        "albedo": _half(model.albedo_basis, path),
        "faces": model.base_faces,
        "uv": model.base_uv,
        "midpoint_index": model.midpoint_index,
        "midpoint_weight": model.midpoint_weight,
        "landmark_faces": model.landmark_faces,
        "landmark_barycentric": model.landmark_barycentric,
        "mirror": model.mirror,
        "identity_mirror": model.identity_mirror,
        "expression_mirror": model.expression_mirror,
        "identity_names": _names(model.identity_names),
        "expression_names": _names(model.expression_names),
        "albedo_names": _names(model.albedo_names),
        "region_names": _names(tuple(model.regions)),
        "regions": np.stack([*model.regions.values()], axis=1).astype(np.float16)
        if model.regions
        else np.zeros((model.num_base_vertices, 0), np.float16),
        "expression_bounded": model.expression_bounded,
        "identity_sd": model.identity_sd,
        "expression_sd": model.expression_sd,
        "kind": provenance.kind,
        "licence": provenance.licence,
        "source": provenance.source,
        "source_sha256": provenance.sha256,
    }
    if model.base_uv_faces is not None:
        arrays["uv_faces"] = model.base_uv_faces
    if model.part_names:
        arrays["part_names"] = _names(model.part_names)
        arrays["vertex_parts"] = model.vertex_parts.astype(np.uint8)
        arrays["eye_poles"] = model.eye_poles
    if model.correspondence is not None:
        arrays["correspondence_model"] = model.correspondence.model_sha256
        arrays["correspondence_faces"] = model.correspondence.face_index
        arrays["correspondence_barycentric"] = model.correspondence.barycentric
        arrays["correspondence_covered"] = model.correspondence.covered
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def check_model(model: MorphableModel, path: Path) -> None:
    """Nothing, if all arrays fit each other.

    Raises:
        AssetError: a shape is wrong, a number is not finite or an index is out of range.
    """
    v, f, e = model.num_base_vertices, len(model.base_faces), len(model.midpoint_index)
    i, x = len(model.identity_names), len(model.expression_names)
    t, a = len(model.base_uv), len(model.albedo_names)
    uv_rows = t if model.base_uv_faces is not None else v
    link = model.correspondence
    expected: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {
        "mean": (model.shape.mean, (v, 3)),
        "identity": (model.shape.identity, (v, 3, i)),
        "expression": (model.shape.expression, (v, 3, x)),
        "albedo_mean": (model.albedo_mean, (v if model.has_albedo else 0, 3)),
        "albedo": (model.albedo_basis, (v if model.has_albedo else 0, 3, a)),
        "faces": (model.base_faces, (f, 3)),
        "uv": (model.base_uv, (uv_rows if t else 0, 2)),
        "midpoint_index": (model.midpoint_index, (e, 8)),
        "midpoint_weight": (model.midpoint_weight, (e, 8)),
        "landmark_faces": (model.landmark_faces, (NUM_LANDMARKS,)),
        "landmark_barycentric": (model.landmark_barycentric, (NUM_LANDMARKS, 3)),
        "mirror": (model.mirror, (_or_none(model.mirror, v),)),
        "identity_mirror": (model.identity_mirror, (_or_none(model.identity_mirror, i),)),
        "expression_mirror": (model.expression_mirror, (_or_none(model.expression_mirror, x),)),
        "identity_sd": (model.identity_sd, (_or_none(model.identity_sd, i),)),
        "expression_sd": (model.expression_sd, (_or_none(model.expression_sd, x),)),
        "vertex_parts": (model.vertex_parts, (v if model.part_names else 0,)),
        "eye_poles": (model.eye_poles, (len(model.eye_poles), 2)),
        **{f"regions ({name})": (mask, (v,)) for name, mask in model.regions.items()},
    }
    bounds = {"faces": v, "midpoint_index": v, "mirror": v, "expression_mirror": x}
    bounds |= {"vertex_parts": len(model.part_names), "eye_poles": v}
    if model.base_uv_faces is not None:
        expected["uv_faces"] = (model.base_uv_faces, (f, 3))
        bounds["uv_faces"] = t
    if link is not None:
        expected["correspondence_faces"] = (link.face_index, (v,))
        expected["correspondence_barycentric"] = (link.barycentric, (v, 3))
        expected["correspondence_covered"] = (link.covered, (v,))
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise AssetError(f"{path}: {name} must be {shape}, got {array.shape}")
        if not np.isfinite(array).all():
            raise AssetError(f"{path}: {name} holds numbers that are not finite")
    if not v or not f:
        raise AssetError(f"{path}: the face model has no vertices or no triangles")
    for name, count in bounds.items():
        index = expected[name][0]
        if index.size and (index.min() < 0 or index.max() >= count):
            raise AssetError(f"{path}: {name} must index {count} elements")
    if model.landmark_faces.min() < UNKNOWN or model.landmark_faces.max() >= f:
        raise AssetError(f"{path}: landmark_faces must index {f} elements")
    if e and e != (edges := len(MeshTopology(model.base_faces, v).edges)):
        raise AssetError(f"{path}: midpoint_index must have a row for each of {edges} edges")


def sha256_of(*paths: Path) -> str:
    """The hash of a file; of several files that of their hashes in the given order."""
    digests: list[str] = []
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        digests.append(digest.hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _single(values: np.ndarray) -> Float[np.ndarray, "..."]:
    return values.astype(np.float32)


def _by_mode(values: np.ndarray) -> Float[np.ndarray, "v 3 k"]:
    """Modes in single precision, one after the other in memory: products read them as they lie."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(_single(values), -1, 0)), 0, -1)


def _half(values: Float[np.ndarray, "..."], path: Path) -> Float[np.ndarray, "..."]:
    if np.abs(values).max(initial=0.0) > float(np.finfo(np.float16).max):
        raise AssetError(f"{path}: a mode of the model is too large: is its unit right?")
    return values.astype(np.float16)


def _text(value: object) -> str:
    return printable(str(value))


def _texts(values: np.ndarray) -> tuple[str, ...]:
    return tuple(map(_text, values.tolist()))


def _names(names: tuple[str, ...]) -> np.ndarray:
    return np.array(names, dtype=np.str_)


def _or_none(values: np.ndarray, count: int) -> int:
    return count if len(values) else 0


def _provenance(data: dict[str, np.ndarray], path: Path) -> Provenance:
    default = Provenance()
    return Provenance(
        _text(data.get("kind", default.kind)),
        _text(data.get("licence", default.licence)),
        _text(data.get("source", default.source)),
        _text(data["source_sha256"]) if "source_sha256" in data else sha256_of(path),
    )


def _correspondence(data: dict[str, np.ndarray]) -> Correspondence | None:
    if "correspondence_model" not in data:
        return None
    return Correspondence(
        _text(data["correspondence_model"]),
        data["correspondence_faces"].astype(np.int32),
        _single(data["correspondence_barycentric"]),
        data["correspondence_covered"].astype(bool),
    )
