"""From a checkpoint to the ONNX file that inference runs."""

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float

from mlanet.errors import AssetError, ConfigurationError
from mlanet.files import atomic_path
from mlanet.network.runtime import CONFIDENCE_KEY, FORMAT, METADATA_KEY
from mlanet.sessions import open_session
from mlanet.training.attention_graph import speed_up_attention
from mlanet.training.checkpoint import TrainedNetwork, load_trained

if TYPE_CHECKING:
    import onnx

Precision: TypeAlias = Literal["fp16", "fp32"]

FACE_MODEL = "open-4"
"""The face model of checkpoints that do not name theirs: the embedded one of their time."""

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference of a coefficient that the conversion may cause."""

_SMALLEST_HALVED = 1024
"""Weights of fewer numbers stay in single precision: they weigh nothing."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        path: the file.
        size_bytes: its size.
        step: optimiser steps that the weights have seen.
        conversion_error: largest difference of a coefficient from torch with weights in fp32.
        rounding_error: the same for the file as it is.
    """

    path: Path
    size_bytes: int
    step: int
    conversion_error: float
    rounding_error: float


def export_onnx(checkpoint: Path, out: Path, *, precision: Precision = "fp16") -> ExportReport:
    """Write a checkpoint's averaged weights as ONNX, in one atomic step.

    Input `crop` (b, 3, s, s): float32 RGB in [0, 1]. Output `coefficients` (b, n): float32 in
    the order of the layout. A network that says how sure it is has a second output,
    `log_variances` (b, 68) of `mlanet.network.Answers`, and in its metadata how they become
    confidence. `fp16` stores the weights in half precision and casts them back inside the graph;
    runtimes fold the casts when they load it, so that speed is the same.

    Raises:
        AssetError: the file is no checkpoint of mlanet, or its graph deviates from torch by more
            than `TOLERANCE`.
        ConfigurationError: `out` is no .onnx file.
    """
    if out.suffix != ".onnx":
        raise ConfigurationError(f"out: expected a file that ends in .onnx, got {out}")
    trained = load_trained(checkpoint)
    model = convert(trained)
    conversion = deviation(model, trained)
    if not conversion <= TOLERANCE:
        raise AssetError(f"{checkpoint}: its ONNX graph deviates from torch by {conversion:.2g}")
    if precision == "fp16":
        store_in_half(model)
    content = model.SerializeToString(deterministic=True)
    with atomic_path(out) as temporary:
        temporary.write_bytes(content)
    return ExportReport(
        path=out,
        size_bytes=len(content),
        step=trained.step,
        conversion_error=conversion,
        rounding_error=deviation(model, trained),
    )


def convert(trained: TrainedNetwork) -> "onnx.ModelProto":
    """The network as a clean graph in single precision: batch norms folded, metadata set."""
    import onnx

    size = trained.network.config.input_size
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            trained.network,
            (torch.zeros(2, 3, size, size),),
            input_names=["crop"],
            output_names=["coefficients", "log_variances"][
                : 1 + trained.network.config.uncertainty
            ],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise AssetError("torch returned no ONNX program")
    model = program.model_proto
    strip(model)
    speed_up_attention(model)
    described = {
        "format": FORMAT,
        "network": trained.network.config.as_dict(),
        "face_model": trained.face_model or FACE_MODEL,
        "training": trained.training,
        "step": trained.step,
    }
    if trained.confidence is not None:
        described[CONFIDENCE_KEY] = trained.confidence.as_dict()
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(described)})
    onnx.checker.check_model(model, full_check=True)
    left = [node.name for node in model.graph.node if node.op_type == "BatchNormalization"]
    if left:
        raise AssetError(f"batch norms were not folded: {', '.join(left)}")
    return model


def strip(model: "onnx.ModelProto") -> None:
    """Drop what the exporter notes of its own work: source lines, inner shapes, descriptions."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    model.doc_string = graph.doc_string = ""


def store_in_half(model: "onnx.ModelProto") -> None:
    """Keep large weights in half precision, followed by a cast to single precision."""
    import onnx

    graph = model.graph
    casts: list[onnx.NodeProto] = []
    for weights in graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < _SMALLEST_HALVED:
            continue
        name = weights.name
        weights.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node(
                "Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=onnx.TensorProto.FLOAT
            )
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)


def deviation(model: "onnx.ModelProto", trained: TrainedNetwork) -> float:
    """Largest difference of an answer between onnxruntime and torch on random pictures."""
    session = open_session(model.SerializeToString(), threads=1)
    largest = 0.0
    for batch in (1, 4):
        crops = random_pictures(batch, trained.network.config.input_size)
        with torch.no_grad():
            expected = [
                each for each in trained.network(torch.from_numpy(crops)) if each is not None
            ]
        found: Any = session.run(None, {"crop": crops})
        for mine, theirs in zip(found, expected, strict=True):
            largest = max(largest, float(np.abs(mine - theirs.numpy()).max()))
    return largest


def random_pictures(count: int, size: int) -> Float[np.ndarray, "b 3 s s"]:
    """Pictures of coarse to fine random structure in [0, 1], the same on each call."""
    generator = torch.Generator().manual_seed(count)
    pictures = torch.zeros(count, 3, size, size)
    for side in (4, 16, size):
        noise = torch.rand(count, 3, side, side, generator=generator)
        pictures += torch.nn.functional.interpolate(noise, (size, size), mode="bilinear") / 3.0
    return pictures.numpy()
