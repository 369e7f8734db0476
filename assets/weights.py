"""Make `mobile.onnx`, the network that ships, from a run's checkpoint.

    python assets/weights.py CHECKPOINT VERSION

The run itself is `mlanet train` (docs/how-to/train.md; all runs: docs/records/weights.md).
"""

import argparse
from pathlib import Path

import torch
from register import DATA, register

from mlanet.training.export import export_onnx

FILE = "mobile.onnx"
SOURCE = (
    "the runs of docs/records/weights.md on crops of AFLW with landmarks "
    "derived by 3DDFA_V2 and a fit to AFLW's points, on frames of YouTube Faces, on "
    "portraits (Face Research Lab London Set, CC BY 4.0; official portraits of "
    "the US House, public domain; MEBeauty, research; SCUT-FBP5500, non-commercial research) and "
    "on rendered heads; points and expressions of the photos also from MediaPipe's Face Landmarker "
    "(Apache-2.0); backbone started from torchvision's MobileNetV2 of ImageNet (assets/backbone.py)"
)


def main() -> None:
    """Export the checkpoint into the package and register it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("version")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report = export_onnx(arguments.checkpoint, DATA / FILE, precision="fp16")
    print(
        f"{report.path}: step {report.step}, {report.size_bytes / 1e6:.2f} MB, deviation from "
        f"torch {report.conversion_error:.1e}, with weights in fp16 {report.rounding_error:.1e}"
    )
    register(
        "mobile",
        FILE,
        version=arguments.version,
        licence="MIT (code); weights learnt from research data, see docs/model-card.md",
        source=SOURCE,
        script="assets/weights.py",
    )


if __name__ == "__main__":
    main()
