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

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "mlanet"
FORMAT = "mlanet-network-1"


@dataclass(frozen=True, slots=True, eq=False)
class CoefficientRegressor:
    """Maps face crops to coefficient vectors. Safe to call from several threads.

    Attributes:
        session: onnxruntime's session of a network that `mlanet export` wrote.
        config: the network's configuration, read from the file.
    """

    session: "onnxruntime.InferenceSession"
    config: NetworkConfig

    @classmethod
    def load(cls, path: Path | None = None, threads: int = 1) -> "CoefficientRegressor":
        """The shipped network, or one of the user's, run on `threads` threads.

        Raises:
            AssetError: the file is missing, altered or was not written by `mlanet export`.
            ValueError: `threads` is not positive.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning threads starve their neighbours and gain nothing for one crop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        file = verified_path("mobile") if path is None else path
        if not file.is_file():
            raise AssetError(f"{file}: no such network")
        try:
            session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
            described = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
            if described["format"] != FORMAT:
                raise AssetError(f"{file}: of format {described['format']}, expected {FORMAT}")
            return cls(session, NetworkConfig.from_dict(described["network"]))
        except (KeyError, ValueError, ConfigurationError) as error:
            raise AssetError(f"{file}: not a network written by `mlanet export`") from error
        except Exception as error:  # onnxruntime's own errors have no common base
            if isinstance(error, AssetError):
                raise
            raise AssetError(f"{file}: onnxruntime cannot read it") from error

    def __call__(self, crops: UInt8[np.ndarray, "b s s 3"]) -> Float[np.ndarray, "b n"]:
        """Coefficient vectors in the order of `config.layout`, of RGB crops."""
        batch = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)
        batch *= np.float32(1.0 / 255.0)
        return np.asarray(self.session.run(None, {"crop": batch})[0])
