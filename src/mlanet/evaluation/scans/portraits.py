"""Pictures of known heads: seven angles, five lights, a plain photographer's camera."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.evaluation.exchange import write_picture
from mlanet.evaluation.progress import Progress, counted
from mlanet.evaluation.reporting import Cell, Column, Table
from mlanet.evaluation.reporting.report import csv_text, write_texts
from mlanet.evaluation.scans.known_heads import KnownHead
from mlanet.geometry import (
    AMBIENT_WHITE,
    Camera,
    Pose,
    harmonics_basis,
    matrix_from_euler,
)
from mlanet.image import square_from_landmarks
from mlanet.render import composite, render_mesh
from mlanet.synthesis.surroundings import procedural_background

YAWS_DEG = (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0)

SIZE_PX = 400
DISTANCE_MM, FOCAL_PX = 1000.0, 1000.0
"""A face at arm's length and a half is about 200 pixels high."""

DIRECTED = 4.0 * np.pi / 4.25
"""Harmonics of a direction times this light a surface that faces it with 1 (see shading)."""

LIGHTS: dict[str, tuple[tuple[float, float, float], float, tuple[float, float, float]]] = {
    "front": ((0.1, 0.3, 1.0), 0.45, (1.0, 1.0, 1.0)),
    "left": ((-1.0, 0.2, 0.4), 0.35, (1.0, 0.98, 0.95)),
    "right": ((1.0, 0.2, 0.4), 0.35, (0.95, 0.98, 1.0)),
    "above": ((0.0, 1.0, 0.3), 0.4, (1.0, 1.0, 1.0)),
    "warm": ((0.5, -0.1, 0.8), 0.5, (1.0, 0.88, 0.72)),
}
"""Direction to the light (viewer's frame), share of ambient light, colour."""


def light_of(name: str) -> Float[np.ndarray, "9 3"]:
    """One of `LIGHTS` as harmonics: a surface that faces it shows its albedo times its colour."""
    direction, ambient, color = LIGHTS[name]
    lobe = harmonics_basis(np.array([direction]) / np.linalg.norm(direction))[0]
    lighting = (1.0 - ambient) * DIRECTED * lobe
    lighting[0] += ambient * AMBIENT_WHITE
    return (lighting[:, None] * np.array(color)).astype(np.float32)


def portrait_camera() -> Camera:
    """The camera of every portrait."""
    return Camera(FOCAL_PX, (SIZE_PX / 2.0, SIZE_PX / 2.0))


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A head from an angle about the vertical under one of `LIGHTS`."""

    head: KnownHead
    yaw_deg: float
    light: str

    @property
    def name(self) -> str:
        """By which files of a portrait and of what a method makes of it are told."""
        return f"{self.head.name}_yaw{self.yaw_deg:+.0f}_{self.light}"

    @property
    def pose(self) -> Pose:
        """The head turned, the middle of its landmarks before the camera."""
        rotation = matrix_from_euler(np.radians([0.0, self.yaw_deg, 0.0]))
        turned = self.head.landmarks @ rotation.T
        middle = (turned.min(axis=0) + turned.max(axis=0)) / 2.0
        return Pose(rotation, np.array([0.0, 0.0, DISTANCE_MM]) - middle)

    @property
    def landmarks_px(self) -> Float[np.ndarray, "68 2"]:
        """The 68 landmarks in pixels of the portrait."""
        points = self.pose.apply(self.head.landmarks)
        return np.asarray(portrait_camera().project(points)[:, :2])

    @property
    def box_px(self) -> Float[np.ndarray, "4"]:
        """The square that a network should see, from the true landmarks; pixels."""
        return square_from_landmarks(self.landmarks_px)

    def draw(self) -> UInt8[np.ndarray, "s s 3"]:
        """The head before a background that depends on its name, the angle and the light."""
        drawn = render_mesh(
            self.head.mesh,
            self.pose,
            portrait_camera(),
            (SIZE_PX, SIZE_PX),
            light_of(self.light),
            texture=self.head.texture,
        )
        seed = zlib.crc32(f"{self.head.name} {self.yaw_deg:.0f} {self.light}".encode())
        behind = procedural_background(SIZE_PX, np.random.default_rng(seed))
        picture = composite(drawn, behind.astype(np.float32)) * 255.0
        return np.rint(picture).clip(0, 255).astype(np.uint8)


def portraits_of(
    heads: Sequence[KnownHead],
    yaws_deg: Sequence[float] = YAWS_DEG,
    lights: Sequence[str] = tuple(LIGHTS),
) -> list[Portrait]:
    """Every head from every angle under every light."""
    return [Portrait(*place) for place in product(heads, yaws_deg, lights)]


def write_portraits(
    folder: Path,
    portraits: Sequence[Portrait],
    *,
    progress: Progress | None = None,
) -> None:
    """Write every portrait as `NAME.png`, and `pictures.csv` with the boxes of the faces.

    A box (left, top, right, bottom; pixels) is the square that mlanet's network sees where the
    detector misses a face.

    Raises:
        DataError: the folder cannot be written.
    """
    columns = map(Column, ("name", "left", "top", "right", "bottom"))
    rows: list[tuple[Cell, ...]] = []
    for portrait in counted(portraits, progress):
        write_picture(folder / f"{portrait.name}.png", portrait.draw())
        rows.append((portrait.name, *(round(float(edge), 2) for edge in portrait.box_px)))
    boxes = Table("pictures", tuple(columns), tuple(rows))
    write_texts(folder, {f"{boxes.name}.csv": csv_text(boxes)})
