"""Checkpoints without pickles: tensors in safetensors, the rest in its JSON metadata."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from mlanet.errors import AssetError, ConfigurationError
from mlanet.files import PARSER_ERRORS, atomic_path, check_regular, json_value, one_line, parsing
from mlanet.network import MLANet, NetworkConfig
from mlanet.network.confidence import Confidence


def save_checkpoint(
    path: Path,
    *,
    network: nn.Module,
    average: nn.Module,
    optimizer: Optimizer,
    step: int,
    config: dict[str, Any],
    face_model: str,
    scaler: dict[str, Any] | None = None,
    confidence: Confidence | None = None,
) -> None:
    """Write everything a run needs to go on, in one atomic step.

    `face_model` names the face model whose coefficients the network regresses. `scaler` is the
    state of half precision's `GradScaler`, empty where there is none; `confidence` is known at a
    run's end.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    tensors |= {f"network.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"average.{key}": value for key, value in average.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    metadata = {"step": str(step), "config": json.dumps(config), "face_model": face_model}
    if scaler:
        metadata["scaler"] = json.dumps(scaler)
    if confidence is not None:
        metadata["confidence"] = json.dumps(confidence.as_dict())
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_checkpoint(
    path: Path,
    *,
    network: nn.Module,
    average: nn.Module,
    optimizer: Optimizer,
    scaler: GradScaler | None = None,
) -> int:
    """Load what `save_checkpoint` wrote into existing objects and return the step.

    Raises:
        AssetError: the file is no checkpoint of these objects.
    """
    tensors, metadata = read_tensors(path)
    groups = optimizer.state_dict()["param_groups"]
    expected = {index for group in groups for index in group["params"]}
    state: dict[int, dict[str, Tensor]] = {}
    with parsing(path, "the checkpoint is of another network", AssetError):
        network.load_state_dict(_below(tensors, "network."))
        average.load_state_dict(_below(tensors, "average."))
        for key, value in _below(tensors, "optimizer.").items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        step = int(metadata["step"])
        if scaler is not None and scaler.is_enabled() and "scaler" in metadata:
            scaler.load_state_dict(json_value(metadata["scaler"]))
    if set(state) != expected and (step > 0 or state):  # before the first step there is none
        raise AssetError(f"{path}: the checkpoint lacks the optimiser's state")
    with parsing(path, "the checkpoint is of another network", AssetError):
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    return step


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """The averaged weights of a checkpoint.

    Attributes:
        network: ready for inference; needs no gradients.
        training: the run's configuration as plain values.
        step: how many optimiser steps it has seen.
        face_model: name of the face model whose coefficients it regresses; None in checkpoints of
            earlier versions.
        confidence: how the averaged weights' log-variances become confidence, if that is known.
    """

    network: MLANet
    training: dict[str, Any]
    step: int
    face_model: str | None = None
    confidence: Confidence | None = None


def load_trained(path: Path) -> TrainedNetwork:
    """Build the network that a checkpoint describes, with its averaged weights.

    Raises:
        AssetError: the file is no checkpoint of mlanet.
    """
    tensors, metadata = read_tensors(path)
    with parsing(path, "the checkpoint is of another network", AssetError):
        described = json_value(metadata["config"])
        try:
            network = MLANet(NetworkConfig.from_dict(described["network"]))
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        network.load_state_dict(_below(tensors, "average."))
        network.requires_grad_(False).eval()
        step, face_model = int(metadata["step"]), metadata.get("face_model")
        noted = metadata.get("confidence")
        confidence = None if noted is None else Confidence.from_dict(json_value(noted))
        return TrainedNetwork(network, described["training"], step, face_model, confidence)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a checkpoint.

    Raises:
        AssetError: the file is missing or no checkpoint.
    """
    from safetensors import SafetensorError, safe_open

    check_regular(path, AssetError, missing="checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (*PARSER_ERRORS, SafetensorError) as error:
        reason = one_line(error)
        raise AssetError(f"{path}: not a readable safetensors file ({reason})") from error
    if "step" not in metadata or "config" not in metadata:
        raise AssetError(f"{path}: not a checkpoint of mlanet")
    return tensors, metadata


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }
