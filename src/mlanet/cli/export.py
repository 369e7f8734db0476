"""`mlanet export`: a checkpoint's averaged weights as the ONNX file that inference runs."""

from pathlib import Path
from typing import Literal

from mlanet.cli.common import EXIT_OK, OutPath
from mlanet.cli.runs import require_training_extra


def export(
    *,
    checkpoint: Path,
    out: OutPath,
    precision: Literal["fp16", "fp32"] = "fp16",
) -> int:
    """Write a trained network as ONNX for `reconstruct` and `evaluate`; needs the `train` extra.

    Prints how far its coefficients are from torch's on random pictures.

    Args:
        checkpoint: checkpoint.safetensors of a run.
        out: The .onnx file to write.
        precision: How weights are stored; they are computed with in fp32 either way.

    Returns:
        Exit status.
    """
    require_training_extra()
    import torch

    from mlanet.training.export import export_onnx

    torch.set_num_threads(1)
    report = export_onnx(checkpoint, out, precision=precision)
    print(f"largest difference from torch: {report.conversion_error:.1e} by the conversion")
    if precision == "fp16":
        print(f"largest difference from torch: {report.rounding_error:.1e} with weights in fp16")
    print(f"{out} written: {report.size_bytes / 1e6:.2f} MB, step {report.step}")
    return EXIT_OK
