"""Tensors as arguments of compiled loops, and back."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from mlanet.coefficients import Array
from mlanet.errors import RenderError


def as_loop_array(tensor: Tensor) -> np.ndarray:
    """The tensor's values as contiguous float64 that a compiled loop may read."""
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float64)


def as_loop_indices(indices: Int[Array, "f k"]) -> Int[np.ndarray, "f k"]:
    """Contiguous int32 of a tensor on the CPU or an array."""
    array = indices.detach().numpy() if isinstance(indices, Tensor) else np.asarray(indices)
    return np.ascontiguousarray(array, dtype=np.int32)


def as_indices(indices: Int[Array, "f k"], like: Tensor, name: str) -> Int[Tensor, "f k"]:
    """int64 on the device of `like`.

    Raises:
        RenderError: it is a tensor on another device.
    """
    if isinstance(indices, Tensor):
        check_device(indices, like, name)
        return indices.to(torch.int64)
    return torch.from_numpy(np.asarray(indices).astype(np.int64)).to(like.device)


def check_device(tensor: Tensor, like: Tensor, name: str) -> None:
    """See that two tensors lie on one device.

    Raises:
        RenderError: they do not.
    """
    if tensor.device != like.device:
        raise RenderError(f"{name} must be on {like.device}, got {tensor.device}")


def use_loops(tensor: Tensor) -> bool:
    """Whether the compiled loops can read the tensor."""
    return tensor.device.type == "cpu"
