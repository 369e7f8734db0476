"""Draw images/likeness.jpg: `python docs/make_likeness.py --data DATA`.

Twenty official portraits of members of the United States House of Representatives (in the public
domain; DATA/portraits/us_house.tar), at equal distances in the archive's order: none was chosen
or left out. Beside each photo are its head in clay from two sides, and textured from one.
"""

import argparse
import io
import os
import tarfile
from pathlib import Path

import numpy as np
from make_portraits import Tile, photo_tile
from picture_parts import FOLDER
from PIL import Image

from mlanet import Reconstruction, Reconstructor
from mlanet.fitting import refine_face
from mlanet.image import read_image

PEOPLE, COLUMNS = 20, 3
TILE = Tile(132, 153)
THREE_QUARTER_DEG = 35.0
GAP = 6


def portraits(archive_file: Path) -> list[np.ndarray]:
    """The photos."""
    with tarfile.open(archive_file) as archive:
        names = sorted(archive.getnames())
        chosen = [names[k * len(names) // PEOPLE] for k in range(PEOPLE)]
        members = [(name, archive.extractfile(name)) for name in chosen]
        return [read_image(io.BytesIO(m.read()), name=name) for name, m in members if m]


def person(face: Reconstruction) -> np.ndarray:
    """Photo, clay from the front and from a side, textured from the side."""
    photo = Image.fromarray(photo_tile(face)).resize((TILE.width, TILE.height))
    clay = [TILE.draw(face, yaw, clay=True) for yaw in (0.0, THREE_QUARTER_DEG)]
    return np.hstack([np.asarray(photo), *clay, TILE.draw(face, THREE_QUARTER_DEG)])


def sheet(people: list[np.ndarray]) -> np.ndarray:
    """All people in columns, with gaps."""
    height, width = people[0].shape[:2]
    rows = -(-len(people) // COLUMNS)
    page = np.full((rows * (height + GAP) - GAP, COLUMNS * (width + GAP) - GAP, 3), 255, np.uint8)
    for k, picture in enumerate(people):
        top, left = k // COLUMNS * (height + GAP), k % COLUMNS * (width + GAP)
        page[top : top + height, left : left + width] = picture
    return page


def main() -> None:
    """Reconstruct the photos and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MLANET_DATA"))
    parser.add_argument("--weights", type=Path, help="a network instead of the shipped one")
    given = parser.parse_args()
    if given.data is None:
        parser.error("--data or MLANET_DATA must name the folder of the data")
    reconstructor = Reconstructor.load(weights=given.weights)
    photos = portraits(Path(given.data) / "portraits" / "us_house.tar")
    faces = [refine_face(reconstructor(photo, max_faces=1)[0]) for photo in photos]
    page = sheet([person(face) for face in faces])
    Image.fromarray(page).save(FOLDER / "likeness.jpg", quality=86, optimize=True)


if __name__ == "__main__":
    main()
