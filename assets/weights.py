"""Make `mobile.onnx`, the network that ships, from a run's checkpoint.

    python assets/weights.py CHECKPOINT VERSION

The run itself is `mlanet train` (docs/how-to/train.md).
"""

import sys
from pathlib import Path

import torch
from register import DATA, register

from mlanet.training.export import export_onnx

FILE = "mobile.onnx"


def main() -> None:
    """Export the checkpoint into the package and register it."""
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    torch.set_num_threads(1)
    report = export_onnx(Path(sys.argv[1]), DATA / FILE, precision="fp16")
    print(
        f"{report.path}: step {report.step}, {report.size_bytes / 1e6:.2f} MB, deviation from "
        f"torch {report.conversion_error:.1e}, with weights in fp16 {report.rounding_error:.1e}"
    )
    register(
        "mobile",
        FILE,
        version=sys.argv[2],
        licence="MIT (code); weights learnt from research data, see docs/model-card.md",
        source=(
            f"last run of {report.step} steps (all runs: docs/records/weights.md) on crops of "
            "AFLW with landmarks derived by 3DDFA_V2 and a fit to AFLW's points, and on "
            "YouTube Faces frames; backbone started from torchvision's MobileNetV2 of ImageNet "
            "(assets/backbone.py)"
        ),
        script="assets/weights.py",
    )


if __name__ == "__main__":
    main()
