"""Draw images/portraits.jpg and images/turning.webp: `python docs/make_portraits.py --data DATA`.

DATA/portraits/us_house.tar holds official portraits of members of the United States House of
Representatives, which are in the public domain. Below the example photo, each row of the sheet is
a portrait, its head from three sides, and three expressions. The animation is the example's head.
Each file is redrawn when the network or the textures are.
"""

import argparse
import io
import os
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from picture_parts import FOLDER
from PIL import Image

from mlanet import Reconstruction, Reconstructor
from mlanet.assets import verified_path
from mlanet.fitting import refine_face
from mlanet.geometry import Camera, Mesh, Pose, matrix_from_euler
from mlanet.image import crop_square, read_image
from mlanet.render import composite, render_mesh

PORTRAITS = (
    "us_house_00248.webp",
    "us_house_00336.webp",
    "us_house_00508.webp",
    "us_house_00472.webp",
)

BACKGROUND = (233, 235, 238)
WIDTH, HEIGHT, GAP = 176, 204, 4
SUPERSAMPLING = 2
DISTANCE_MM, SHOWN_MM = 1400.0, 250.0
"""How far away the camera is, and how wide the middle of a tile."""

CENTRE_MM = (0.0, 24.0, 12.0)
"""Point of the head in a tile's middle: the neck's end lies below the tile."""

SIDES_DEG = (-35.0, 0.0, 75.0)
PHOTO_ROOM = 1.75
"""Height of a photo's part over the distance from brow to chin."""

Weights = dict[str, float]
SMILE: Weights = {"mouthSmileLeft": 0.75, "mouthSmileRight": 0.75}
EXPRESSIONS: tuple[tuple[float, Weights], ...] = (
    (
        18.0,
        {"browInnerUp": 1.0, "eyeWideLeft": 0.8, "eyeWideRight": 0.8}
        | {"browOuterUpLeft": 0.8, "browOuterUpRight": 0.8},
    ),
    (
        -18.0,
        {
            "mouthSmileLeft": 0.9,
            "browOuterUpLeft": 0.5,
            "eyeLookInLeft": 0.8,
            "eyeLookOutRight": 0.8,
        },
    ),
    (12.0, {"mouthPucker": 0.9, "browDownLeft": 0.7, "browDownRight": 0.7}),
)

FRAMES, FRAME_MS = 64, 60
TURN_DEG = 48.0
TURNING_SIDE = 400
TURNING_QUALITY = 80


@dataclass(frozen=True)
class Tile:
    """A head's picture: its size in pixels, and millimetres across its middle."""

    width: int
    height: int
    shown_mm: float = SHOWN_MM

    def draw(
        self,
        face: Reconstruction,
        yaw_deg: float,
        weights: Weights | None = None,
        pitch_deg: float = 0.0,
        clay: bool = False,
    ) -> np.ndarray:
        """The head (height, width, 3), with the photo's expression or another, maybe in clay."""
        mesh = face.mesh
        if weights is not None:
            model = face.model
            amounts = np.zeros(model.layout.expression, np.float32)
            for name, weight in weights.items():
                amounts[model.expression_names.index(name)] = weight
            mesh = model.mesh_of(model.vertices(face.coefficients.identity, amounts))
        rotation = matrix_from_euler(np.radians([pitch_deg, yaw_deg, 0.0]))
        place = np.array([0.0, 0.0, DISTANCE_MM]) - rotation @ CENTRE_MM
        height, width = SUPERSAMPLING * self.height, SUPERSAMPLING * self.width
        camera = Camera(width * DISTANCE_MM / self.shown_mm, (width / 2, height / 2))
        mesh, texture = dressed(face, mesh, clay)
        picture = composite(
            render_mesh(mesh, Pose(rotation, place), camera, (height, width), texture=texture),
            np.full((height, width, 3), BACKGROUND, np.uint8),
        )
        return np.asarray(
            Image.fromarray(picture).resize((self.width, self.height), Image.Resampling.BOX)
        )


def dressed(face: Reconstruction, mesh: Mesh, clay: bool) -> tuple[Mesh, np.ndarray | None]:
    """A mesh of the face with its hair and its texture; in clay the bare head."""
    if clay:
        return Mesh(mesh.vertices, mesh.faces), None
    mesh = replace(mesh, vertices=mesh.vertices + face.hair)
    falls = face.long_hair
    texture = face.texture.image
    return (mesh, texture) if falls is None else falls.beside(mesh, texture)


def photo_tile(face: Reconstruction) -> np.ndarray:
    """The part of the photo around the face, upright."""
    points = face.landmarks_px[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    half = PHOTO_ROOM * (high[1] - low[1]) / 2.0
    centre = np.array([(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0 - 0.18 * half])
    size = np.array(face.image.shape[1::-1], float)
    half = float(min(half, *(size / 2.0)))
    centre = np.clip(centre, half, size - half)
    square = crop_square(face.image, np.concatenate([centre - half, centre + half]), HEIGHT).image
    side = (HEIGHT - WIDTH) // 2
    return square[:, side : side + WIDTH]


def row(face: Reconstruction) -> np.ndarray:
    """The photo, three sides, three expressions, with gaps."""
    tile = Tile(WIDTH, HEIGHT)
    tiles = [photo_tile(face), *(tile.draw(face, yaw) for yaw in SIDES_DEG)]
    tiles += [tile.draw(face, yaw, weights) for yaw, weights in EXPRESSIONS]
    return np.hstack(tiles)


def draw_sheet(faces: list[Reconstruction]) -> None:
    """The sheet of all."""
    gap = np.full((GAP, WIDTH * (1 + len(SIDES_DEG) + len(EXPRESSIONS)), 3), 255, np.uint8)
    rows = [part for face in faces for part in (gap, row(face))]
    page = np.vstack(rows[1:])
    Image.fromarray(page).save(FOLDER / "portraits.jpg", quality=86, optimize=True)


def draw_turning(face: Reconstruction) -> None:
    """An endless animation: from side to side, a smile, two blinks."""
    tile = Tile(TURNING_SIDE, TURNING_SIDE, 285.0)
    frames = []
    for number in range(FRAMES):
        phase = 2.0 * np.pi * number / FRAMES
        blink = max(bump(number, 10, 3.0), bump(number, 43, 3.0))
        smile = 0.35 + 0.45 * bump(number, 27, 14.0)
        brows = 0.5 * bump(number, 54, 8.0)
        weights = {"eyeBlinkLeft": blink, "eyeBlinkRight": blink, "browInnerUp": brows}
        weights |= {"mouthSmileLeft": smile, "mouthSmileRight": smile}
        yaw = TURN_DEG * float(np.sin(phase))
        pitch = 4.0 * float(np.sin(2.0 * phase))
        frames.append(Image.fromarray(tile.draw(face, yaw, weights, pitch)))
    frames[0].save(
        FOLDER / "turning.webp",
        save_all=True,
        append_images=frames[1:],
        duration=FRAME_MS,
        loop=0,
        quality=TURNING_QUALITY,
        method=4,
    )


def bump(at: float, middle: float, half_width: float) -> float:
    """1 in the middle, 0 beyond the half width, smooth."""
    apart = min(abs(at - middle) / half_width, 1.0)
    return float(0.5 + 0.5 * np.cos(np.pi * apart))


def main() -> None:
    """Reconstruct the photos and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MLANET_DATA"))
    parser.add_argument("--weights", type=Path, help="a network instead of the shipped one")
    parser.add_argument("--portraits", nargs="+", default=PORTRAITS, help="names in the archive")
    given = parser.parse_args()
    if given.data is None:
        parser.error("--data or MLANET_DATA must name the folder of the data")
    reconstructor = Reconstructor.load(weights=given.weights)
    photos = [read_image(verified_path("example-image"))]
    with tarfile.open(Path(given.data) / "portraits" / "us_house.tar") as archive:
        for name in given.portraits:
            member = archive.extractfile(name)
            assert member is not None
            photos.append(read_image(io.BytesIO(member.read()), name=name))
    faces = [refine_face(reconstructor(photo, max_faces=1)[0]) for photo in photos]
    draw_sheet(faces)
    draw_turning(faces[0])


if __name__ == "__main__":
    main()
