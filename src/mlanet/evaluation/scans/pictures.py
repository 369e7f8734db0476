"""Pictures of the rendered-scan check: portrait, overlay, shape, error map."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.evaluation.reporting import PictureGrid, PictureRow
from mlanet.evaluation.reporting.face_tiles import FACE_COLUMNS, TILE_PX, face_tiles
from mlanet.evaluation.scans.known_heads import KnownHead
from mlanet.evaluation.scans.portraits import Portrait, portrait_camera
from mlanet.evaluation.scans.scoring import (
    PortraitResult,
    PortraitSource,
    ReconstructedPortraits,
)
from mlanet.evaluation.surfaces.face_shape import NOSE_TIP, START_POINTS, FaceShape
from mlanet.geometry import Camera, Mesh, Pose, Similarity
from mlanet.image import crop_square
from mlanet.metrics import CROP_RADIUS_MM, distances_to_scan
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


NOTE = f"Distances from none (blue) to {WORST_MM:g} mm (red); grey has no counterpart."


def portrait_grid(
    source: ReconstructedPortraits | PortraitSource,
    portraits: Sequence[Portrait],
    results: Sequence[PortraitResult],
) -> PictureGrid:
    """Pictures of some portraits (`grid.png`), one of each of the first heads.

    Distances to the truth go from blue (none) to red (`WORST_MM` and more); grey has no
    counterpart. Reconstructions are drawn as `COLUMNS`, other methods' meshes as `MESH_COLUMNS`.
    Results are those of the portraits, in their order.
    """
    rows: list[PictureRow] = []
    for place in _chosen(portraits):
        portrait, result = portraits[place], results[place]
        caption = (
            f"{result.head}\nyaw {result.yaw_deg:g} degrees\nlight {result.light}\n"
            f"{result.mean_mm:.2f} mm{', missed' if result.missed else ''}"
        )
        own = isinstance(source, ReconstructedPortraits)
        tiles = _face_tiles(source, portrait) if own else _mesh_tiles(source, portrait)
        rows.append(PictureRow(caption, tiles))
    columns = COLUMNS if isinstance(source, ReconstructedPortraits) else MESH_COLUMNS
    return PictureGrid("Portraits", columns, tuple(rows), NOTE, "grid.png")


def _face_tiles(source: ReconstructedPortraits, portrait: Portrait) -> tuple[np.ndarray, ...]:
    image = portrait.draw()
    face = source.reconstruct(portrait, image)
    errors, _ = error_mesh(portrait.head, source.shape(face))
    drawn = _drawn_over(image, errors, face.pose, face.camera)
    plain, distance = (crop_square(p, portrait.box_px, TILE_PX).image for p in (image, drawn))
    return (plain, *face_tiles(face, portrait.box_px), distance)


def _mesh_tiles(source: PortraitSource, portrait: Portrait) -> tuple[np.ndarray, ...]:
    image = portrait.draw()
    errors, motion = error_mesh(portrait.head, source(portrait).shape)
    errors = replace(errors, vertices=motion.apply(errors.vertices))
    place = portrait.pose, portrait_camera()
    plain = Mesh(errors.vertices, errors.faces)
    pictures = image, _drawn_over(image, plain, *place), _drawn_over(image, errors, *place)
    return tuple(crop_square(picture, portrait.box_px, TILE_PX).image for picture in pictures)


def _chosen(portraits: Sequence[Portrait]) -> list[int]:
    """Of each of the first heads one portrait: from the next angle, under the next light."""
    yaws = list(dict.fromkeys(portrait.yaw_deg for portrait in portraits))
    lights = list(dict.fromkeys(portrait.light for portrait in portraits))
    places = {(p.head.name, p.yaw_deg, p.light): k for k, p in enumerate(portraits)}
    heads = list(dict.fromkeys(portrait.head.name for portrait in portraits))[:CASES]
    return [
        places[head, yaws[(3 + 2 * k) % len(yaws)], lights[k % len(lights)]]
        for k, head in enumerate(heads)
    ]


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
