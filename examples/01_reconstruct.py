"""A photo in, files out.

python examples/01_reconstruct.py photo.jpg out
"""

import sys
from pathlib import Path

from mlanet import Reconstructor
from mlanet.image import read_image, write_image

photo, out = Path(sys.argv[1]), Path(sys.argv[2])
image = read_image(photo)
overlay = image
for number, face in enumerate(Reconstructor.load()(image)):
    print(*face.save(out, f"face_{number:02d}"), sep="\n")
    overlay = face.render(overlay)
write_image(out / "overlay.png", overlay)
