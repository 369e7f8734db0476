"""Draw docs/images/example.png: the example photo, its overlay and the mesh from other sides.

python docs/make_example.py [--weights network.onnx]
"""

import argparse
from pathlib import Path

import numpy as np

from mlanet.assets import verified_path
from mlanet.geometry import Camera, Pose, matrix_from_euler
from mlanet.image import crop_square, read_image, square_from_landmarks, write_image
from mlanet.reconstructor import Reconstructor
from mlanet.render import composite, render_mesh

SIDE = 300
YAWS_DEG = (0.0, 40.0, 80.0)


def main() -> None:
    """Reconstruct the example and write the strip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--photo", type=Path, default=verified_path("example-image"))
    out = Path(__file__).parent / "images" / "example.png"
    parser.add_argument("--out", type=Path, default=out)
    arguments = parser.parse_args()
    photo = read_image(arguments.photo)
    face = Reconstructor.load(weights=arguments.weights)(photo, max_faces=1)[0]
    box = square_from_landmarks(face.landmarks_px)
    box = box + np.array([-0.25, -0.35, 0.25, 0.15]) * (box[2] - box[0])
    tiles = [crop_square(picture, box, SIDE).image for picture in (photo, face.render())]
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    camera = Camera(4.1 * SIDE, (SIDE / 2.0, SIDE / 2.0))
    for yaw in YAWS_DEG:
        rotation = matrix_from_euler(np.radians(np.array([0.0, yaw, 0.0])))
        pose = Pose(rotation, np.array([0.0, -12.0, 1150.0]) - rotation @ [0.0, 0.0, 35.0])
        textured = render_mesh(face.mesh, pose, camera, (SIDE, SIDE), texture=face.texture.image)
        tiles.append(composite(textured, white))
    pose = Pose(matrix_from_euler(np.zeros(3)), np.array([0.0, -12.0, 1185.0]))
    shaded = render_mesh(face.mesh, pose, camera, (SIDE, SIDE), face.lighting)
    tiles.append(composite(shaded, white))
    write_image(arguments.out, np.concatenate(tiles, axis=1))


if __name__ == "__main__":
    main()
