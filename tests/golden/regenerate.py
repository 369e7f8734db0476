"""Draw the golden pictures anew: `python tests/golden/regenerate.py`. Look at them afterwards."""

from pathlib import Path

import cv2
import numpy as np

from mlanet.geometry import Camera, Pose, landmarks_in_pixels, matrix_from_euler
from mlanet.image import draw_points, write_image
from mlanet.morphable import MorphableModel, load_model
from mlanet.render import composite, render_mesh

FOLDER = Path(__file__).resolve().parent
SIZE = 800
DISTANCE_MM = 2000.0
PIXELS_PER_MM = 4.5
CENTRE_MM = np.array([0.0, -14.0, 40.0])
VIEWS_DEG = {"landmarks_front": (0.0, 0.0, 0.0), "landmarks_side": (0.0, 65.0, 0.0)}

ABOVE, BELOW, LEFT, RIGHT = (-8, -7), (-8, 17), (-24, 5), (7, 5)
LABELS = {
    ABOVE: [*range(17, 27), 37, 38, 43, 44, 49, 50, 51, 52, 53, 61, 62, 63],
    BELOW: [*range(5, 12), 31, 32, 33, 34, 35, 40, 41, 46, 47, 55, 56, 57, 58, 59, 65, 66, 67],
    LEFT: [*range(5), 36, 42, 48, 64],
    RIGHT: [*range(12, 17), 27, 28, 29, 30, 39, 45, 54, 60],
}
"""Where each landmark's number stands, relative to its point in pixels."""


def draw_numbered_landmarks(
    model: MorphableModel, angles_deg: tuple[float, float, float]
) -> np.ndarray:
    """The mean head at (pitch, yaw, roll) with its landmarks, (800, 800, 3) uint8.

    Points on the far side of the nose's ridge are left out when the head is turned.
    """
    layout = model.layout
    zero = [np.zeros(n, np.float32) for n in (layout.identity, layout.expression, layout.albedo)]
    rotation = matrix_from_euler(np.radians(angles_deg))
    pose = Pose(rotation, np.array([0.0, 0.0, DISTANCE_MM]) - rotation @ CENTRE_MM)
    camera = Camera(PIXELS_PER_MM * DISTANCE_MM, (SIZE / 2, SIZE / 2))
    drawn = render_mesh(model.mesh(*zero), pose, camera, (SIZE, SIZE), topology=model.topology)
    image = composite(drawn, np.full((SIZE, SIZE, 3), 60, np.uint8))

    positions = model.landmarks.mean
    pixels = landmarks_in_pixels(camera, pose, positions)
    shown = np.ones(68, bool) if angles_deg[1] == 0 else positions[:, 0] > -0.5
    image = draw_points(image, pixels[shown, :2], (255, 221, 0), 2.2)
    for offset, labels in LABELS.items():
        for k in labels:
            if shown[k]:
                x, y = (round(float(value)) for value in pixels[k, :2] + np.array(offset))
                font = cv2.FONT_HERSHEY_SIMPLEX
                cv2.putText(image, str(k), (x, y), font, 0.42, (255,) * 3, 1, cv2.LINE_AA)
    return image


def main() -> None:
    """Write every picture beside this file."""
    model = load_model()
    for name, angles in VIEWS_DEG.items():
        write_image(FOLDER / f"{name}.png", draw_numbered_landmarks(model, angles))


if __name__ == "__main__":
    main()
