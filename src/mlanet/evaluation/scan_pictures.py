"""Pictures of the rendered-scan check: portrait, overlay, shape, error map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import DataError
from mlanet.evaluation.comparison import NOSE_TIP, START_POINTS, FaceComparison
from mlanet.evaluation.known_heads import KnownHead
from mlanet.evaluation.portraits import LIGHTS, YAWS_DEG, draw_portrait, portrait_box
from mlanet.evaluation.scans import reconstruct_portrait
from mlanet.geometry import Mesh
from mlanet.image import crop_square, write_image
from mlanet.metrics import CROP_RADIUS_MM, Surface, distances_to_scan
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor
from mlanet.render import composite, render_mesh

TILE_PX = 200
CASES = 10
"""Portraits in the grid: the first heads, each from the next angle, under the next light."""

WORST_MM = 5.0
"""Distance at the red end of the colours."""

NO_COUNTERPART = (0.6, 0.6, 0.6)


COLUMNS = ("portrait", "overlay", "shape", "distance to the truth")


@dataclass(frozen=True, slots=True, eq=False)
class ScanRow:
    """The pictures of one portrait, one of `COLUMNS` each."""

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
    """Pictures of some heads, one portrait each.

    A row shows the portrait, the overlay, the shape and the distances from the reconstruction to
    the truth from blue (none) to red (`WORST_MM` and more); grey has no counterpart.
    """
    rows: list[ScanRow] = []
    lights = list(LIGHTS)
    for k, head in enumerate(heads[:CASES]):
        yaw, light = YAWS_DEG[(3 + 2 * k) % len(YAWS_DEG)], lights[k % len(lights)]
        image = draw_portrait(head, yaw, light)
        face = reconstruct_portrait(reconstructor, image, head, yaw)
        face = face if refine is None else refine(face)
        pictures = [image, face.draw("overlay"), face.draw("shape"), draw_errors(head, face)]
        box = portrait_box(head, yaw)
        tiles = tuple(crop_square(picture, box, TILE_PX).image for picture in pictures)
        rows.append(ScanRow(head.name, yaw, light, tiles))
    return rows


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


def draw_errors(head: KnownHead, face: Reconstruction) -> UInt8[np.ndarray, "h w 3"]:
    """The compared part of the face over its photo, coloured by its distance to the truth."""
    compare = FaceComparison(face.model)
    coefficients = face.coefficients
    shape = coefficients.identity, coefficients.expression
    found = compare.distance(head.surface, head.points, *shape)
    tip = head.points[START_POINTS.index(NOSE_TIP)]
    surface: Surface = compare.surface(*shape)
    distance = distances_to_scan(
        surface, head.surface.within(tip, CROP_RADIUS_MM), tip, found.motion
    )
    mesh = Mesh(surface.vertices, surface.topology.faces, colors=error_colors(distance))
    drawn = render_mesh(mesh, face.pose, face.camera, face.image.shape[:2])
    return composite(drawn, face.image)


def error_colors(distance_mm: Float[np.ndarray, "v"]) -> Float[np.ndarray, "v 3"]:
    """Colours in [0, 1] of distances; NaN is grey."""
    import cv2

    level = np.clip(np.nan_to_num(distance_mm) / WORST_MM, 0.0, 1.0) * 255.0
    table = cv2.applyColorMap(np.rint(level).astype(np.uint8)[:, None], cv2.COLORMAP_TURBO)
    colors = np.asarray(table)[:, 0, ::-1] / 255.0
    return np.where(np.isnan(distance_mm)[:, None], NO_COUNTERPART, colors)
