"""Heads whose surface is known: two textured scans, and random heads of FLAME Open.

They serve to measure, never to train.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mlanet.errors import AssetError, DataError
from mlanet.evaluation.scans.eyes import eyeballs
from mlanet.evaluation.scans.flame_open import FLAME_FILE, read_flame_open
from mlanet.evaluation.surfaces.face_shape import START_POINTS, outer_eye_distance
from mlanet.geometry import Mesh, fit_similarity, matrix_from_euler
from mlanet.image import read_image
from mlanet.metrics import Surface
from mlanet.morphable import AlbedoModel, MorphableModel, Transfer
from mlanet.morphable.readers.wavefront import ObjMesh, read_obj
from mlanet.morphable.transfer import connect
from mlanet.render import rasterize
from mlanet.synthesis.shapes import hair, hair_faces

LEE_FILE = Path("scans") / "lee_perry_smith" / "LeePerrySmith.obj"
JAMES_FILE = Path("scans") / "james" / "james.obj"

LEE_POINTS = (6370, 5093, 5124, 4314, 4369, 4754, 4184, 6433, 6281)
"""Vertices of LeePerrySmith.obj at `START_POINTS`, picked by hand."""

LEE_OUTER_EYES_MM = 89.2
"""Distance of the outer corners of the eyes to which that scan, in no unit, is brought."""

LJSON_GROUPS = (
    ("chin", range(17)),
    ("leyebrow", range(17, 22)),
    ("reyebrow", range(22, 27)),
    ("nose", range(27, 36)),
    ("leye", range(36, 42)),
    ("reye", range(42, 48)),
    ("mouth", range(48, 68)),
)
"""Groups of points of an .ljson file, and the iBUG landmarks that they are."""

SCAN_KIND, RANDOM_KIND = "scan", "flame"
"""Kinds of heads: of real people, and samples of FLAME Open."""

HAIR_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class KnownHead:
    """A head to be photographed, upright, mm: x to its left, y up, z out of the face.

    Attributes:
        name: of the head.
        kind: `SCAN_KIND` or `RANDOM_KIND`.
        surface: the truth.
        landmarks: 68; where a scan has fewer marked, those of a mean face moved to them.
        points: `START_POINTS` as marked.
        mesh: what is drawn: the surface and, for some, hair and eyeballs.
        texture: of the mesh, if it has one instead of colours.
    """

    name: str
    kind: str
    surface: Surface
    landmarks: Float[np.ndarray, "68 3"]
    points: Float[np.ndarray, "9 3"]
    mesh: Mesh
    texture: UInt8[np.ndarray, "s t 3"] | None = None


def known_heads(
    data: Path, model: MorphableModel, *, num_random: int = 20, seed: int = 0
) -> list[KnownHead]:
    """The two scans and `num_random` random heads of FLAME Open with photographic albedo.

    `data` holds `scans` and `flame_open`; the albedo is that of the embedded face model.

    Raises:
        DataError: a file is missing or malformed.
    """
    try:
        flame = read_flame_open(data / FLAME_FILE)
        scans = read_obj(data / LEE_FILE), read_obj(data / JAMES_FILE)
    except AssetError as error:
        raise DataError(str(error)) from error
    mean = np.asarray(flame.landmarks.mean, dtype=np.float64)
    lee, james = (
        _scan(name, mesh, points, read_image(_picture(data / file)), mean)
        for name, mesh, points, file in (
            ("lee_perry_smith", *_in_mm(scans[0]), LEE_FILE),
            ("james", scans[1], read_ljson((data / JAMES_FILE).with_suffix(".ljson")), JAMES_FILE),
        )
    )
    return [lee, james, *_random_heads(flame, model, num_random, seed)]


def read_ljson(path: Path) -> Float[np.ndarray, "68 3"]:
    """68 landmarks in iBUG's order from a landmarks file of menpo, version 2 or 3.

    Raises:
        DataError: the file is missing or holds no such points.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        group: Any = next(iter(content["groups"].values())) if "groups" in content else content
        masks = {entry["label"]: entry["mask"] for entry in group["labels"]}
        points = np.array(group["landmarks"]["points"], dtype=np.float64)
        ordered = np.full((68, 3), np.nan)
        for name, places in LJSON_GROUPS:
            ordered[list(places)] = points[masks[name]]
    except OSError as error:
        raise DataError(f"{path}: no such file") from error
    except (ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        raise DataError(f"{path}: not an .ljson file with the 68 points of a face") from error
    if not np.isfinite(ordered).all():
        raise DataError(f"{path}: a landmark has no place")
    return ordered


def _in_mm(mesh: ObjMesh) -> tuple[ObjMesh, Float[np.ndarray, "9 3"]]:
    if len(mesh.vertices) <= max(LEE_POINTS):
        raise DataError(f"{LEE_FILE}: another mesh than the one whose vertices were picked")
    points = mesh.vertices[list(LEE_POINTS)]
    scale = LEE_OUTER_EYES_MM / outer_eye_distance(points)
    return replace(mesh, vertices=mesh.vertices * scale), points * scale


def _scan(
    name: str,
    mesh: ObjMesh,
    marked: Float[np.ndarray, "n 3"],
    texture: UInt8[np.ndarray, "s t 3"],
    mean: Float[np.ndarray, "68 3"],
) -> KnownHead:
    """A scan turned to look ahead: its start points lie on those of a mean face, unscaled."""
    chosen = list(START_POINTS)
    points = marked[chosen] if len(marked) == len(mean) else marked
    motion = fit_similarity(points, mean[chosen], with_scale=False)
    points, vertices = motion.apply(points), motion.apply(mesh.vertices)
    landmarks = fit_similarity(mean[chosen], points).apply(mean)
    if len(marked) == len(mean):
        landmarks = motion.apply(marked)
    if mesh.uv is None:
        raise DataError(f"{name}: the scan has no texture coordinates")
    drawn = Mesh(vertices, mesh.faces.astype(np.int32), uv=mesh.uv, uv_faces=mesh.uv_faces)
    return KnownHead(
        name, SCAN_KIND, visible_surface(vertices, mesh.faces), landmarks, points, drawn, texture
    )


def _picture(file: Path) -> Path:
    pictures = sorted(file.parent.glob("*.jpg"))
    if len(pictures) != 1:
        raise DataError(f"{file.parent}: expected one .jpg, the scan's texture")
    return pictures[0]


def _random_heads(
    flame: MorphableModel, model: MorphableModel, count: int, seed: int
) -> list[KnownHead]:
    """Random heads at rest, all coefficients unit normal; half of them have hair."""
    if not count:
        return []
    transfer = Transfer(model, connect(model, flame)[0])
    colored = AlbedoModel.load().on(model)
    return [
        _random_head(flame, colored, transfer, f"flame-{k:02d}", np.random.default_rng([seed, k]))
        for k in range(count)
    ]


def _random_head(
    flame: MorphableModel,
    colored: MorphableModel,
    transfer: Transfer,
    name: str,
    rng: np.random.Generator,
) -> KnownHead:
    identity = rng.normal(size=flame.layout.identity).astype(np.float32)
    rest = np.zeros(flame.layout.expression, dtype=np.float32)
    vertices = np.asarray(flame.shape(identity, rest), dtype=np.float64)
    landmarks = np.asarray(flame.landmarks(identity, rest), dtype=np.float64)
    albedo = colored.albedo(rng.normal(size=colored.layout.albedo).astype(np.float32))
    parts = [(vertices, np.clip(transfer.values(albedo), 0.0, 1.0), flame.base_faces)]
    parts += [(ball.vertices, ball.colors, ball.faces) for ball in eyeballs(landmarks, rng)]
    if rng.random() < HAIR_SHARE:
        grown = hair(vertices, rng)
        parts.append((grown.vertices, grown.colors, hair_faces()))
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    mesh = Mesh(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[2] + start for part, start in zip(parts, starts, strict=False)]),
        colors=np.concatenate([part[1] for part in parts]),
    )
    surface = visible_surface(vertices, flame.base_faces)
    return KnownHead(name, RANDOM_KIND, surface, landmarks, landmarks[list(START_POINTS)], mesh)


VIEWS_DEG = tuple((pitch, yaw) for pitch in (-45.0, 0.0, 45.0) for yaw in range(-90, 91, 30))
"""Pitch and yaw of the directions from which it is looked at."""

MAP_PX = 512
TOLERANCE_MM = 1.0
"""A vertex this far behind what the depth map shows still counts as seen."""

FAR_MM = 10_000.0


def visible_surface(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Surface:
    """The triangles of a head (mm, looking along z) whose corners can all be seen from outside.

    Raises:
        ValueError: there are none.
    """
    seen = np.zeros(len(vertices), dtype=bool)
    for pitch, yaw in VIEWS_DEG:
        rotation = matrix_from_euler(np.radians([pitch, yaw, 0.0]))
        seen |= _seen(np.asarray(vertices @ rotation.T, dtype=np.float64), faces)
    return Surface(vertices, faces[seen[faces].all(axis=1)])


def _seen(points: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Bool[np.ndarray, "v"]:
    """Vertices (camera axes) that no triangle hides from an orthographic camera."""
    low = points.min(axis=0)
    scale = (MAP_PX - 1) / float(np.ptp(points[:, :2], axis=0).max())
    place = (points - low) * scale
    place[:, 2] = points[:, 2] - low[2] + FAR_MM
    depth = rasterize(place, faces.astype(np.int32), (MAP_PX, MAP_PX), cull_backfaces=False).depth
    column, row = np.clip(place[:, :2], 0, MAP_PX - 1).astype(int).T
    nearest = depth[row, column]
    return np.asarray((nearest == 0) | (place[:, 2] <= nearest + TOLERANCE_MM))
