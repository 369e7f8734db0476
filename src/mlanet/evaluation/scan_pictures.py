"""Pictures of the rendered-scan check: portrait, overlay, shape, error map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import DataError
from mlanet.evaluation.comparison import NOSE_TIP, START_POINTS, FaceComparison, FaceShape
from mlanet.evaluation.known_heads import KnownHead
from mlanet.evaluation.pictures import FACE_COLUMNS, TILE_PX, face_tiles
from mlanet.evaluation.portraits import (
    LIGHTS,
    YAWS_DEG,
    draw_portrait,
    portrait_box,
    portrait_camera,
    portrait_pose,
)
from mlanet.evaluation.scans import PortraitSource, reconstruct_portrait
from mlanet.geometry import Camera, Mesh, Pose, Similarity
from mlanet.image import crop_square, write_image
from mlanet.metrics import CROP_RADIUS_MM, distances_to_scan
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor
from mlanet.render import composite, render_mesh

CASES = 10
"""Portraits in the grid: the first heads, each from the next angle, under the next light."""

WORST_MM = 5.0
"""Distance at the red end of the colours."""

NO_COUNTERPART = (0.6, 0.6, 0.6)

COLUMNS = ("portrait", *FACE_COLUMNS, "distance to the truth")
"""Of reconstructions."""

MESH_COLUMNS = ("portrait", "shape, aligned", "distance to the truth")
"""Of other methods' meshes, whose cameras are not known: they are drawn where they were aligned."""


@dataclass(frozen=True, slots=True, eq=False)
class ScanRow:
    """The pictures of one portrait, one of `COLUMNS` or `MESH_COLUMNS` each."""

    head: str
    yaw_deg: float
    light: str
    tiles: tuple[UInt8[np.ndarray, "t t 3"], ...]

    @property
    def strip(self) -> UInt8[np.ndarray, "t w 3"]:
        """All tiles side by side."""
        return np.concatenate(self.tiles, axis=1)


def scan_rows(
    reconstructor: Reconstructor,
    heads: Sequence[KnownHead],
    refine: Callable[[Reconstruction], Reconstruction] | None = None,
) -> list[ScanRow]:
    """Pictures (`COLUMNS`) of some heads, one portrait each.

    Distances from the reconstruction to the truth go from blue (none) to red (`WORST_MM` and
    more); grey has no counterpart.
    """
    compare = FaceComparison(reconstructor.model)
    rows: list[ScanRow] = []
    for head, yaw, light in _cases(heads):
        image = draw_portrait(head, yaw, light)
        face = reconstruct_portrait(reconstructor, image, head, yaw)
        face = face if refine is None else refine(face)
        shape = compare.face(face.coefficients.identity, face.coefficients.expression)
        errors, _ = error_mesh(head, shape)
        box = portrait_box(head, yaw)
        portrait, distance = (
            crop_square(picture, box, TILE_PX).image
            for picture in (image, _drawn_over(image, errors, face.pose, face.camera))
        )
        tiles = (portrait, *face_tiles(face, box), distance)
        rows.append(ScanRow(head.name, yaw, light, tiles))
    return rows


def mesh_rows(source: PortraitSource, heads: Sequence[KnownHead]) -> list[ScanRow]:
    """The same of another method's meshes (`MESH_COLUMNS`)."""
    rows: list[ScanRow] = []
    for head, yaw, light in _cases(heads):
        image = draw_portrait(head, yaw, light)
        shape, _ = source(head, yaw, light)
        errors, motion = error_mesh(head, shape)
        errors = replace(errors, vertices=motion.apply(errors.vertices))
        place = portrait_pose(head, yaw), portrait_camera()
        plain = Mesh(errors.vertices, errors.faces)
        pictures = image, _drawn_over(image, plain, *place), _drawn_over(image, errors, *place)
        box = portrait_box(head, yaw)
        tiles = tuple(crop_square(picture, box, TILE_PX).image for picture in pictures)
        rows.append(ScanRow(head.name, yaw, light, tiles))
    return rows


def _cases(heads: Sequence[KnownHead]) -> list[tuple[KnownHead, float, str]]:
    lights = list(LIGHTS)
    return [
        (head, YAWS_DEG[(3 + 2 * k) % len(YAWS_DEG)], lights[k % len(lights)])
        for k, head in enumerate(heads[:CASES])
    ]


def write_scan_grid(folder: Path, rows: Sequence[ScanRow]) -> Path:
    """Write all rows as one picture, `grid.png`.

    Raises:
        DataError: the folder cannot be written.
    """
    path = folder / "grid.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_image(path, np.concatenate([row.strip for row in rows]))
    except OSError as error:
        raise DataError(f"{path}: the picture cannot be written ({error})") from error
    return path


def error_mesh(head: KnownHead, shape: FaceShape) -> tuple[Mesh, Similarity]:
    """The compared part of a face, coloured by its distance to the truth, and what aligns it."""
    motion = shape.distance(head.surface, head.points).motion
    tip = head.points[START_POINTS.index(NOSE_TIP)]
    surface = shape.surface
    distance = distances_to_scan(surface, head.surface.within(tip, CROP_RADIUS_MM), tip, motion)
    faces = surface.topology.faces.astype(np.int32)
    return Mesh(surface.vertices, faces, colors=error_colors(distance)), motion


def _drawn_over(
    image: UInt8[np.ndarray, "h w 3"], mesh: Mesh, pose: Pose, camera: Camera
) -> UInt8[np.ndarray, "h w 3"]:
    return composite(render_mesh(mesh, pose, camera, image.shape[:2]), image)


def error_colors(distance_mm: Float[np.ndarray, "v"]) -> Float[np.ndarray, "v 3"]:
    """Colours in [0, 1] of distances; NaN is grey."""
    import cv2

    level = np.clip(np.nan_to_num(distance_mm) / WORST_MM, 0.0, 1.0) * 255.0
    table = cv2.applyColorMap(np.rint(level).astype(np.uint8)[:, None], cv2.COLORMAP_TURBO)
    colors = np.asarray(table)[:, 0, ::-1] / 255.0
    return np.where(np.isnan(distance_mm)[:, None], NO_COUNTERPART, colors)
