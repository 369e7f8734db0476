"""Make `mobile.onnx`, the network that ships, from a run's checkpoint.

    python assets/weights.py CHECKPOINT VERSION [--before OLD_open_face.npz]

The run itself is `mlanet train` (docs/how-to/train.md; all runs: docs/records/weights.md). With
`--before` the run was trained with an earlier build of the face model, which had other colours:
the head of the albedo is carried over to those of today.
"""

import argparse
from pathlib import Path

import onnx
import torch
from rebase_weights.albedo import albedo_change
from rebase_weights.graph import fold
from register import DATA, register

from mlanet.files import atomic_path
from mlanet.morphable import MorphableModel
from mlanet.training.export import export_onnx

FILE = "mobile.onnx"
SOURCE = (
    "last run of {steps} steps (all runs: docs/records/weights.md) on crops of AFLW with landmarks "
    "derived by 3DDFA_V2 and a fit to AFLW's points, on portraits (Face Research Lab London Set, "
    "CC BY 4.0; official portraits of the US House, public domain; MEBeauty, research; "
    "SCUT-FBP5500, non-commercial research) and on rendered heads; points and expressions of the "
    "photos also from MediaPipe's Face Landmarker (Apache-2.0); runs before also saw YouTube Faces "
    "frames; backbone started from torchvision's MobileNetV2 of ImageNet (assets/backbone.py)"
)


def main() -> None:
    """Export the checkpoint into the package and register it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("version")
    parser.add_argument("--before", type=Path, help="face model that the run was trained with")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report = export_onnx(arguments.checkpoint, DATA / FILE, precision="fp16")
    print(
        f"{report.path}: step {report.step}, {report.size_bytes / 1e6:.2f} MB, deviation from "
        f"torch {report.conversion_error:.1e}, with weights in fp16 {report.rounding_error:.1e}"
    )
    if arguments.before is not None:
        recolour(DATA / FILE, MorphableModel.load(arguments.before), MorphableModel.load())
    register(
        "mobile",
        FILE,
        version=arguments.version,
        licence="MIT (code); weights learnt from research data, see docs/model-card.md",
        source=SOURCE.format(steps=report.step),
        script="assets/weights.py",
    )


def recolour(path: Path, before: MorphableModel, after: MorphableModel) -> None:
    """Carry the head of the albedo over from one build of the face model to another."""
    network = onnx.load(path)
    fold(network, "heads.albedo", albedo_change(before, after))
    onnx.checker.check_model(network, full_check=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(network.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
