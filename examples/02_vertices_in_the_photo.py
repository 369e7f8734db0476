"""From the model's millimetres to the photo's pixels, and the strongest expressions.

python examples/02_vertices_in_the_photo.py photo.jpg
"""

import sys
from pathlib import Path

from mlanet import Reconstructor
from mlanet.image import read_image

for face in Reconstructor.load()(read_image(Path(sys.argv[1]))):
    pixels = face.camera.project(face.pose.apply(face.mesh.vertices))
    nose = face.landmarks_px[30]
    print(f"{len(pixels)} vertices; the tip of the nose is at x {nose[0]:.1f}, y {nose[1]:.1f}")
    pitch, yaw, roll = face.euler_deg
    print(f"pitch {pitch:.1f}, yaw {yaw:.1f}, roll {roll:.1f} degrees")
    for name, weight in sorted(face.expression.items(), key=lambda item: -item[1])[:5]:
        print(f"{name} {weight:.2f}")
