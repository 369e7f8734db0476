"""The trained network as onnxruntime runs it. Needs no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.assets import verified_path
from mlanet.errors import AssetError, ConfigurationError
from mlanet.files import json_value, one_line, parsing, printable
from mlanet.network.confidence import Confidence
from mlanet.network.config import NetworkConfig
from mlanet.sessions import DeviceName, open_session

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "mlanet"
FORMAT = "mlanet-network-1"

NUM_LANDMARKS = 68

MAX_BATCH = 16
"""Crops that the network sees at once: memory does not grow with a crowd."""


CONFIDENCE_KEY = "confidence"
"""Under which the description holds how variances become confidence."""


@dataclass(frozen=True, slots=True, eq=False)
class CoefficientRegressor:
    """Maps face crops to coefficient vectors. Safe to call from several threads.

    Attributes:
        session: onnxruntime's session of a network that `mlanet export` wrote.
        config: the network's configuration, read from the file.
        face_model: name of the face model whose coefficients it regresses, from the file too.
        confidence: how its landmarks' variances become confidence; None of files without them.
    """

    session: "onnxruntime.InferenceSession"
    config: NetworkConfig
    face_model: str
    confidence: Confidence | None = None

    @classmethod
    def load(
        cls, path: Path | None = None, threads: int = 1, device: DeviceName = "cpu"
    ) -> "CoefficientRegressor":
        """The shipped network, or one of the user's, run on `threads` threads of a device.

        Raises:
            AssetError: the file is missing, altered or was not written by `mlanet export`.
            UsageError: there is no such device here; the message says how to get it.
            ValueError: `threads` is not positive.
        """
        file = verified_path("mobile") if path is None else path
        session = open_session(file, threads, device)
        with parsing(file, "not a network written by `mlanet export`", AssetError):
            described = json_value(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
            if described["format"] != FORMAT:
                noted = one_line(described["format"])
                raise AssetError(f"{file}: of format {noted}, expected {FORMAT}")
            try:
                network = NetworkConfig.from_dict(described["network"])
            except ConfigurationError as error:
                raise ValueError(str(error)) from error
            _check_ends(session, network)
            noted = described.get(CONFIDENCE_KEY) if network.uncertainty else None
            confidence = None if noted is None else Confidence.from_dict(noted)
            return cls(session, network, printable(str(described["face_model"])), confidence)

    def __call__(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b n"]:
        """Coefficient vectors in the order of `config.layout`, of RGB crops."""
        return self.answers(crops)[0]

    def answers(
        self, crops: UInt8[np.ndarray, "b s s 3"]
    ) -> tuple[Float[np.ndarray, "b n"], Float[np.ndarray, "b 68"] | None]:
        """Coefficient vectors of RGB crops, and the landmarks' log-variances where there are such.

        The log-variances are those of `mlanet.network.Answers`.
        """
        size = self.config.input_size
        some = crops if len(crops) else np.zeros((1, size, size, 3), np.uint8)
        parts = range(0, len(some), MAX_BATCH)
        found = [self._outputs(some[k : k + MAX_BATCH]) for k in parts]
        vectors, *others = (
            (part[0] if len(part) == 1 else np.concatenate(part))[: len(crops)]
            for part in zip(*found, strict=True)
        )
        return vectors, others[0] if others else None

    def _outputs(self, crops: UInt8[np.ndarray, "b s s 3"]) -> list[Float[np.ndarray, "b _"]]:
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
        batch = np.multiply(planes, np.float32(1.0 / 255.0))
        return [np.asarray(output) for output in self.session.run(None, {"crop": batch})]


def _check_ends(session: "onnxruntime.InferenceSession", config: NetworkConfig) -> None:
    """See that a network takes crops and gives its answers, as far as its file tells.

    Raises:
        ValueError: it does not.
    """
    given, made = session.get_inputs(), session.get_outputs()
    size = config.input_size
    shapes = [[None, config.layout.size], *([[None, NUM_LANDMARKS]] if config.uncertainty else [])]
    if len(given) != 1 or given[0].name != "crop":
        raise ValueError("its input is another")
    if len(made) != len(shapes):
        raise ValueError("its output is another")
    wanted = [([None, 3, size, size], "input"), *((shape, "output") for shape in shapes)]
    for found, (shape, end) in zip((*given, *made), wanted, strict=True):
        if found.type != "tensor(float)":
            raise ValueError(f"its {end} is another")
        sides = list(found.shape)
        fits = len(sides) == len(shape) and all(
            want is None or not isinstance(have, int) or have == want
            for want, have in zip(shape, sides, strict=True)
        )
        if not fits:
            raise ValueError(f"its {end} is of the shape {sides}")
