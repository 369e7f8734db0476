"""The trained network as onnxruntime runs it. Needs no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.assets import verified_path
from mlanet.errors import AssetError, ConfigurationError
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
        try:
            described = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
            if described["format"] != FORMAT:
                raise AssetError(f"{file}: of format {described['format']}, expected {FORMAT}")
            network = NetworkConfig.from_dict(described["network"])
            return cls(session, network, str(described["face_model"]))
        except (KeyError, ValueError, ConfigurationError) as error:
            raise AssetError(f"{file}: not a network written by `mlanet export`") from error

    def __call__(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b n"]:
        """Coefficient vectors in the order of `config.layout`, of RGB crops."""
        parts = range(0, max(len(crops), 1), MAX_BATCH)
        return np.concatenate([self._vectors(crops[k : k + MAX_BATCH]) for k in parts])

    def _vectors(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b n"]:
        batch = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
        batch *= np.float32(1.0 / 255.0)
        return np.asarray(self.session.run(None, {"crop": batch})[0])
