"""Submissions to REALY: a folder of images in, its prediction files out. Errors are theirs.

Chai et al., "REALY: Rethinking the Evaluation of 3D Face Reconstruction", ECCV 2022; formats as in
the public evaluation code (czh-98/REALY).
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.errors import AssetError, DataError
from mlanet.evaluation.progress import Progress
from mlanet.evaluation.submissions.submission import HandedIn, Watch, hand_in
from mlanet.export import write_obj
from mlanet.files import atomic_path, list_files, parsing, read_json
from mlanet.geometry import Mesh, SurfaceIndex, SurfacePoints
from mlanet.morphable import MorphableModel
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor

NUM_KEYPOINTS = 85
"""iBUG's 68, then 17 of REALY's own."""

NAME = re.compile(r"\d+(_\d+)*")
"""REALY's evaluation reads the subject from a file's name."""

SUFFIXES = (".png", ".jpg", ".jpeg")
TEMPLATE = "mlanet"

SMOOTHING = 1e-6
"""Of the spline that carries keypoints over."""


def read_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """REALY's images in a folder, by name, and why others are passed over, a line each.

    Raises:
        DataError: there are none that are named as REALY's are, or two would get one name.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; REALY's images are expected there")
    paths = list_files(folder, SUFFIXES)
    if not paths:
        raise DataError(f"{folder}: holds no images {', '.join(SUFFIXES)}")
    others = [
        f"{path}: not named as REALY's images are, by numbers such as 1 or 1_2"
        for path in paths
        if not NAME.fullmatch(path.stem)
    ]
    paths = [path for path in paths if NAME.fullmatch(path.stem)]
    if not paths:
        raise DataError(others[0])
    if len({path.stem for path in paths}) != len(paths):
        raise DataError(f"{folder}: two images would get one name")
    return paths, others


def write_realy(
    reconstructor: Reconstructor,
    paths: Sequence[Path],
    out: Path,
    reference: Path | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> list[HandedIn]:
    """Write `predictions/NAME.obj` of each image, and the template `mlanet.obj`.

    All meshes share vertices' order and triangles, and have no normals: REALY's reader takes no
    `v//n`. With a reference (a template of REALY's, such as `data/HIFI3D.obj`, its keypoints in a
    .txt of the same name beside it) also `mlanet.txt`, the 85 keypoints on our topology. Of
    several faces in an image the largest is taken; one that cannot be read is passed over and
    named. `watch` is told each image's name and that face.

    Raises:
        DataError: the reference is missing or malformed.
        OSError: the folder cannot be written.
    """
    model = reconstructor.model
    (out / "predictions").mkdir(parents=True, exist_ok=True)
    faces = model.topology.faces
    write_obj(
        out / f"{TEMPLATE}.obj", Mesh(model.subdivide(model.shape.mean), faces), normals=False
    )
    if reference is not None:
        keypoints = read_keypoints(reference)
        content = json.dumps(keypoint_entries(model_keypoints(model, keypoints)))
        with atomic_path(out / f"{TEMPLATE}.txt") as temporary:
            temporary.write_text(content, encoding="utf-8")
    named = {path.name: path for path in paths}

    def write(name: str) -> Reconstruction | None:
        detected = reconstructor(named[name], max_faces=1)
        if not detected:
            return None
        mesh = Mesh(detected[0].mesh.vertices, faces)
        write_obj(out / "predictions" / f"{named[name].stem}.obj", mesh, normals=False)
        return detected[0]

    return hand_in(list(named), write, watch, progress)


def read_keypoints(template: Path) -> Float[np.ndarray, "85 3"]:
    """REALY's 85 keypoints in space, from a template of theirs and the .txt beside it.

    The text is a JSON list of (triangle, weight of its first corner, weight of its second).

    Raises:
        DataError: a file is missing or malformed, or they do not fit.
    """
    from mlanet.morphable.readers.wavefront import read_obj

    text = template.with_suffix(".txt")
    trouble = f"not REALY's keypoints of {template.name}"
    try:
        mesh = read_obj(template)
    except AssetError as error:
        raise DataError(f"{text}: {trouble} ({error})") from error
    content = read_json(text, DataError, what=trouble.removeprefix("not "))
    with parsing(text, trouble, DataError):
        table = np.array(content, dtype=np.float64)
        if table.shape != (NUM_KEYPOINTS, 3) or not np.isfinite(table).all():
            raise ValueError(f"expected {NUM_KEYPOINTS} x 3 numbers, got {table.shape}")
        triangle = table[:, 0].astype(np.int64)
        if triangle.min() < 0 or triangle.max() >= len(mesh.faces):
            raise ValueError(f"a triangle beyond the {len(mesh.faces)} of {template.name}")
    weights = np.column_stack([table[:, 1:], 1.0 - table[:, 1:].sum(axis=1)])
    return (mesh.vertices[mesh.faces[triangle]] * weights[..., None]).sum(axis=1)


def model_keypoints(model: MorphableModel, keypoints: Float[np.ndarray, "85 3"]) -> SurfacePoints:
    """Where the 85 keypoints are on a model's mean: iBUG's are known, the others are carried over.

    A thin-plate spline through the 68 landmarks of both faces takes the other 17 from the
    reference to the model's mean, and there the closest point of the surface is taken.
    """
    own = np.asarray(model.landmarks.mean, dtype=np.float64)
    size = np.linalg.norm(np.ptp(keypoints[: len(own)], axis=0))
    scaled = keypoints / size  # splines like numbers near one
    points = np.concatenate([own, thin_plate_spline(scaled[: len(own)], own, scaled[len(own) :])])
    return SurfaceIndex(model.subdivide(model.shape.mean), model.topology).query(points)


def thin_plate_spline(
    known: Float[np.ndarray, "n 3"],
    values: Float[np.ndarray, "n 3"],
    asked: Float[np.ndarray, "k 3"],
) -> Float[np.ndarray, "k 3"]:
    """A thin-plate spline through values at known places, where it is asked for."""

    def terms(places: Float[np.ndarray, "m 3"]) -> tuple[np.ndarray, np.ndarray]:
        squared = np.square(places[:, None] - known).sum(axis=-1)
        bent = 0.5 * squared * np.log(np.maximum(squared, 1e-300))
        return bent, np.column_stack([np.ones(len(places)), places])

    bent, flat = terms(known)
    system = np.block([[bent + SMOOTHING * np.eye(len(known)), flat], [flat.T, np.zeros((4, 4))]])
    solved = np.linalg.solve(system, np.concatenate([values, np.zeros((4, 3))]))
    return np.concatenate(terms(asked), axis=1) @ solved


def keypoint_entries(places: SurfacePoints) -> list[tuple[int, float, float]]:
    """Points on the decoded mesh as REALY writes them: triangle, first and second weight."""
    return [
        (int(face), round(float(weights[0]), 7), round(float(weights[1]), 7))
        for face, weights in zip(places.face_index, places.barycentric, strict=True)
    ]
