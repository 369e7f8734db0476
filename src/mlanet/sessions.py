"""The one place where onnxruntime is imported: its threads, its silence, its telemetry off."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlanet.errors import AssetError
from mlanet.files import check_regular

if TYPE_CHECKING:
    import onnxruntime

MAX_BYTES = 1024**3
"""What a network's file may have; the shipped ones have up to 15 MB, ResNet-50 100 MB."""

TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"
"""onnxruntime's official builds report to their maker unless this variable is set before the
import; faces are nobody else's business. A value that the user has set stays."""


def open_session(model: Path | bytes, threads: int) -> "onnxruntime.InferenceSession":
    """An ONNX model, from a file or its bytes, ready to run on the CPU with `threads` threads.

    A pickle of the session holds the file's path (or the bytes): it is opened anew where the pickle
    is read.

    Raises:
        AssetError: the file is missing or onnxruntime cannot read it.
        ValueError: `threads` is not positive.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    name = model if isinstance(model, Path) else "the ONNX model"
    if isinstance(model, Path):
        check_regular(model, AssetError, MAX_BYTES, missing="network")
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads starve their neighbours and gain nothing for one picture.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return _session_class()(model, threads, options)
    except Exception as error:  # onnxruntime's own errors have no common base
        raise AssetError(f"{name}: onnxruntime cannot read it") from error


def execution_providers() -> list[str]:
    """What this machine's onnxruntime could run networks on, by its names; mlanet takes the CPU."""
    return list(_onnxruntime().get_available_providers())


@cache
def _session_class() -> Any:
    onnxruntime = _onnxruntime()

    class Session(onnxruntime.InferenceSession):
        """onnxruntime's session, which can be pickled."""

        def __init__(self, model: Path | bytes, threads: int, options: Any) -> None:
            self._opened_with = (model, threads)
            source = str(model) if isinstance(model, Path) else model
            super().__init__(source, options, providers=["CPUExecutionProvider"])

        def __reduce__(self) -> tuple[Any, ...]:
            return open_session, self._opened_with

    return Session


def _onnxruntime() -> Any:
    os.environ.setdefault(TELEMETRY_OFF, "1")
    import onnxruntime

    return onnxruntime
