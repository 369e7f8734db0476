"""The trained network as onnxruntime runs it. Needs no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.assets import verified_path
from mlanet.errors import AssetError, ConfigurationError
from mlanet.files import json_value, one_line, parsing, printable
from mlanet.network.config import NetworkConfig
from mlanet.sessions import open_session

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "mlanet"
FORMAT = "mlanet-network-1"

MAX_BATCH = 16
"""Crops that the network sees at once: memory does not grow with a crowd."""


@dataclass(frozen=True, slots=True, eq=False)
class CoefficientRegressor:
    """Maps face crops to coefficient vectors. Safe to call from several threads.

    Attributes:
        session: onnxruntime's session of a network that `mlanet export` wrote.
        config: the network's configuration, read from the file.
        face_model: name of the face model whose coefficients it regresses, from the file too.
    """

    session: "onnxruntime.InferenceSession"
    config: NetworkConfig
    face_model: str

    @classmethod
    def load(cls, path: Path | None = None, threads: int = 1) -> "CoefficientRegressor":
        """The shipped network, or one of the user's, run on `threads` threads.

        Raises:
            AssetError: the file is missing, altered or was not written by `mlanet export`.
            ValueError: `threads` is not positive.
        """
        file = verified_path("mobile") if path is None else path
        session = open_session(file, threads)
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
            return cls(session, network, printable(str(described["face_model"])))

    def __call__(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b n"]:
        """Coefficient vectors in the order of `config.layout`, of RGB crops."""
        parts = range(0, max(len(crops), 1), MAX_BATCH)
        return np.concatenate([self._vectors(crops[k : k + MAX_BATCH]) for k in parts])

    def _vectors(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b n"]:
        batch = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
        batch *= np.float32(1.0 / 255.0)
        return np.asarray(self.session.run(None, {"crop": batch})[0])


def _check_ends(session: "onnxruntime.InferenceSession", config: NetworkConfig) -> None:
    """See that a network takes crops and gives coefficients, as far as its file tells.

    Raises:
        ValueError: it does not.
    """
    given, made = session.get_inputs(), session.get_outputs()
    size = config.input_size
    ends = (
        (given, [None, 3, size, size], "input", "crop"),
        (made, [None, config.layout.size], "output", None),
    )
    for found, shape, end, name in ends:
        if len(found) != 1 or found[0].type != "tensor(float)" or name not in (None, found[0].name):
            raise ValueError(f"its {end} is another")
        sides = list(found[0].shape)
        fits = len(sides) == len(shape) and all(
            want is None or not isinstance(have, int) or have == want
            for want, have in zip(shape, sides, strict=True)
        )
        if not fits:
            raise ValueError(f"its {end} is of the shape {sides}")
