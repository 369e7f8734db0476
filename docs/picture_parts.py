"""What the documentation's pictures are made of: heads, captions, sheets."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mlanet.geometry import Camera, Mesh, Pose, matrix_from_euler
from mlanet.image import write_image
from mlanet.morphable import MorphableModel
from mlanet.render import composite, key_light, render_mesh

FOLDER = Path(__file__).resolve().parent / "images"
DISTANCE_MM = 1500.0
SUPERSAMPLING = 2
BACKGROUND = 244
TEXT_HEIGHT = 30
LETTER_PX = 10
TEXT = (30, 30, 30)
QUALITY = 88
LINING = 0.6
"""Albedo of the skin's inner side where a head is cut open."""


@dataclass(frozen=True)
class Framing:
    """What of the head a square picture shows.

    Attributes:
        centre_mm: point of the model frame in the picture's middle.
        width_mm: of what is seen there.
    """

    centre_mm: tuple[float, float, float]
    width_mm: float

    def pose(self, angles_deg: tuple[float, float, float]) -> Pose:
        """The head turned by (pitch, yaw, roll) around the centre."""
        rotation = matrix_from_euler(np.radians(angles_deg))
        return Pose(rotation, np.array([0.0, 0.0, DISTANCE_MM]) - rotation @ self.centre_mm)

    def camera(self, size: int) -> Camera:
        """The camera of a picture of `size` pixels."""
        return Camera(size * DISTANCE_MM / self.width_mm, (size / 2, size / 2))


WHOLE = Framing((0.0, -20.0, 20.0), 330.0)
FACE = Framing((0.0, -8.0, 20.0), 250.0)
EXPRESSION = Framing((0.0, -23.0, 60.0), 206.0)
MOUTH = Framing((0.0, -50.0, 80.0), 110.0)
EYES = Framing((0.0, 24.0, 80.0), 120.0)


def head(
    model: MorphableModel,
    size: int,
    angles_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    *,
    framing: Framing = FACE,
    identity: np.ndarray | None = None,
    albedo: np.ndarray | None = None,
    expression: dict[str, float] | None = None,
    clay: bool = False,
    cut_open: bool = False,
    brightness: float = 1.0,
) -> np.ndarray:
    """A square picture (size, size, 3) of the model with some coefficients."""
    layout = model.layout
    amounts = np.zeros(layout.expression, np.float32)
    for name, amount in (expression or {}).items():
        amounts[model.expression_names.index(name)] = amount
    identity = np.zeros(layout.identity, np.float32) if identity is None else identity
    albedo = np.zeros(layout.albedo, np.float32) if albedo is None else albedo
    mesh = model.mesh(identity, amounts, albedo)
    if clay:
        mesh = Mesh(mesh.vertices, mesh.faces)
    if cut_open:
        mesh = opened(mesh, model.faces_of("skin"))
    large = SUPERSAMPLING * size
    drawn = render_mesh(
        mesh,
        framing.pose(angles_deg),
        framing.camera(large),
        (large, large),
        brightness * key_light(),
    )
    image = composite(drawn, np.full((large, large, 3), BACKGROUND, np.uint8))
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))


def opened(mesh: Mesh, skin: np.ndarray) -> Mesh:
    """The mesh (vertices and colours) with the skin's right half alone, seen from inside, too."""
    kept = mesh.faces[~skin | (mesh.vertices[mesh.faces, 0].mean(axis=1) < 0)]
    lining = mesh.faces[skin & (mesh.vertices[mesh.faces, 0].mean(axis=1) < 0)]
    return Mesh(
        np.concatenate([mesh.vertices, mesh.vertices]),
        np.concatenate([kept, lining[:, ::-1] + len(mesh.vertices)]),
        np.concatenate([mesh.colors, np.full_like(mesh.colors, LINING)]),
    )


def random_head(
    model: MorphableModel,
    size: int,
    rng: np.random.Generator,
    angles_deg: tuple[float, float, float],
    framing: Framing = WHOLE,
) -> np.ndarray:
    """A picture of a head with unit-normal identity and albedo."""
    identity = rng.normal(size=model.layout.identity).astype(np.float32)
    albedo = rng.normal(size=model.layout.albedo).astype(np.float32)
    return head(model, size, angles_deg, framing=framing, identity=identity, albedo=albedo)


def written(
    image: np.ndarray, center_px: np.ndarray, text: str, color: tuple[int, int, int] = TEXT
) -> np.ndarray:
    """The picture with a text around a point."""
    page = Image.fromarray(image)
    font = ImageFont.load_default(size=17)
    ImageDraw.Draw(page).text(
        tuple(center_px.tolist()),
        text,
        color,
        font,
        "mm",
        stroke_width=2,
        stroke_fill=(BACKGROUND,) * 3,
    )
    return np.asarray(page)


def titled(image: np.ndarray, text: str) -> np.ndarray:
    """The picture over a line of text."""
    height, width = image.shape[:2]
    page = np.full((height + TEXT_HEIGHT, width, 3), BACKGROUND, np.uint8)
    page[:height] = image
    return written(page, np.array([width / 2, height + TEXT_HEIGHT / 2]), text)


def footed(text: str, width: int) -> np.ndarray:
    """Lines of text that fill a width in pixels: what stands below a sheet."""
    lines = textwrap.wrap(text, width // LETTER_PX)
    page = np.full((TEXT_HEIGHT * len(lines), width, 3), BACKGROUND, np.uint8)
    for k, line in enumerate(lines):
        page = written(page, np.array([width / 2, (k + 0.5) * TEXT_HEIGHT]), line)
    return page


def write(name: str, rows: list[list[np.ndarray]]) -> None:
    """Tiles to a PNG or a JPEG."""
    page = np.vstack([np.hstack(row) for row in rows])
    if name.endswith(".jpg"):
        Image.fromarray(page).save(FOLDER / name, quality=QUALITY, optimize=True)
    else:
        write_image(FOLDER / name, page)
