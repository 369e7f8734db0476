"""Tensors as arguments of compiled loops, and back."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from mlanet.coefficients import Array
from mlanet.errors import RenderError
from mlanet.render.checks import Backend, check_backend


def as_loop_indices(indices: Int[Array, "f k"]) -> Int[np.ndarray, "f k"]:
    """Contiguous int32 of a tensor on the CPU or an array: a copy, which nobody can change."""
    array = indices.detach().numpy() if isinstance(indices, Tensor) else np.asarray(indices)
    return np.array(array, dtype=np.int32, order="C")


def as_indices(indices: Int[Array, "f k"], like: Tensor, name: str) -> Int[Tensor, "f k"]:
    """int64 on the device of `like`.

    Raises:
        RenderError: it is a tensor on another device.
    """
    if isinstance(indices, Tensor):
        check_device(indices, like, name)
        return indices.to(torch.int64)
    return torch.from_numpy(np.asarray(indices).astype(np.int64)).to(like.device)


def check_device(tensor: Array, like: Tensor, name: str) -> None:
    """See that something is a tensor on another's device.

    Raises:
        RenderError: it is not.
    """
    if not isinstance(tensor, Tensor):
        raise RenderError(f"{name} must be a tensor, as the others, got {type(tensor).__name__}")
    if tensor.device != like.device:
        raise RenderError(f"{name} must be on {like.device}, got {tensor.device}")


def check_floats(tensor: Tensor, name: str) -> None:
    """See that a tensor is of single or double precision.

    Raises:
        RenderError: it is not.
    """
    if tensor.dtype not in (torch.float32, torch.float64):
        raise RenderError(f"{name} must be floats of 32 or 64 bits, got {tensor.dtype}")


def use_loops(tensor: Tensor, backend: Backend | None = None) -> bool:
    """Whether the compiled loops are to read the tensor.

    Raises:
        RenderError: there is no such backend, or it cannot.
    """
    check_backend(backend)
    on_cpu = tensor.device.type == "cpu"
    if backend == "numba" and not on_cpu:
        raise RenderError(f"backend numba needs tensors on the CPU, got {tensor.device}")
    return on_cpu if backend is None else backend == "numba"
