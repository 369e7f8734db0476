"""The one place where onnxruntime is imported: its devices, its threads, its telemetry off."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mlanet.errors import AssetError, UsageError
from mlanet.files import check_regular

if TYPE_CHECKING:
    import onnxruntime

MAX_BYTES = 1024**3
"""What a network's file may have; the shipped ones have up to 15 MB, ResNet-50 100 MB."""

TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"
"""onnxruntime's official builds report to their maker unless this variable is set before the
import; faces are nobody else's business. A value that the user has set stays."""

DeviceName: TypeAlias = Literal["auto", "cpu", "cuda", "openvino", "coreml"]
"""What runs the network. `auto` is `cuda` where that works, else `cpu`."""

_PROBE = (
    b'\x08\x08:3\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04'
    b"\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)
"""The smallest network, y = max(x, 0) of one number: whether it opens says whether a device works.
"""


@dataclass(frozen=True, slots=True)
class Device:
    """One of onnxruntime's execution providers.

    Attributes:
        provider: onnxruntime's name of it.
        package: which package has it; empty where there is none for this system.
        options: of the provider, for answers in full precision.
        threads_option: which of them is the number of threads, if one is.
    """

    provider: str
    package: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    threads_option: str | None = None

    def settings(self, threads: int) -> dict[str, str]:
        """The options for a number of threads."""
        counted = {} if self.threads_option is None else {self.threads_option: str(threads)}
        return {**self.options, **counted}


CPU = Device("CPUExecutionProvider", "onnxruntime")

DEVICES: dict[str, Device] = {
    "cpu": CPU,
    "cuda": Device("CUDAExecutionProvider", "onnxruntime-gpu", {"use_tf32": "0"}),
    "openvino": Device(
        "OpenVINOExecutionProvider",
        "onnxruntime-openvino",
        {"device_type": "CPU", "precision": "FP32"},
        threads_option="num_of_threads",
    ),
    "coreml": Device(
        "CoreMLExecutionProvider",
        "onnxruntime" if sys.platform == "darwin" else "",
        {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"},
    ),
}
"""All but `auto`, by the names that users give."""


def open_session(
    model: Path | bytes, threads: int, device: DeviceName = "cpu"
) -> "onnxruntime.InferenceSession":
    """An ONNX model, from a file or its bytes, ready to run with `threads` threads.

    A pickle of the session holds the file's path (or the bytes) and the device: it is opened anew
    where the pickle is read.

    Raises:
        AssetError: the file is missing or onnxruntime cannot read it.
        UsageError: there is no such device here; the message says how to get it.
        ValueError: `threads` is not positive.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    name = model if isinstance(model, Path) else "the ONNX model"
    if isinstance(model, Path):
        check_regular(model, AssetError, MAX_BYTES, missing="network")
    chosen = chosen_device(device)
    try:
        return _session_class()(model, _options(threads), chosen, DEVICES[chosen].settings(threads))
    except Exception as error:  # onnxruntime's own errors have no common base
        raise AssetError(f"{name}: onnxruntime cannot read it") from error


def chosen_device(name: str) -> str:
    """The device that a name stands for: `cuda` where it works, else `cpu`, for `auto`.

    Raises:
        UsageError: there is none here; the message says how to get it.
    """
    if name == "auto":
        return "cuda" if _starts("cuda") else "cpu"
    if name not in DEVICES:
        raise UsageError(f"there is no device {name!r}; there are auto, {', '.join(DEVICES)}")
    if name != "cpu" and not _starts(name):
        raise UsageError(f"the device {name} is not there: {_remedy(name)}")
    return name


def device_states() -> dict[str, str]:
    """Of each device: `ready`, or what to do to get it."""
    return {name: "ready" if _starts(name) else _remedy(name) for name in DEVICES}


def _remedy(name: str) -> str:
    device = DEVICES[name]
    if device.provider in _onnxruntime().get_available_providers():
        return "onnxruntime has it, but its driver or its libraries are missing"
    if not device.package:
        return "onnxruntime has it on macOS only"
    return f"pip uninstall onnxruntime; pip install {device.package}"


@cache
def _starts(name: str) -> bool:
    """Whether a device can run a network here: onnxruntime also lists those without a driver."""
    device = DEVICES[name]
    if device.provider not in _onnxruntime().get_available_providers():
        return False
    try:
        session = _session_class()(_PROBE, _options(1), name, device.settings(1))
    except Exception:  # onnxruntime's own errors have no common base
        return False
    return device.provider in session.get_providers()


def _options(threads: int) -> Any:
    options = _onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Spinning threads starve their neighbours and gain nothing for one picture.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


@cache
def _session_class() -> Any:
    onnxruntime = _onnxruntime()

    class Session(onnxruntime.InferenceSession):
        """onnxruntime's session, which can be pickled."""

        def __init__(
            self, model: Path | bytes, options: Any, device: str, settings: dict[str, str]
        ) -> None:
            self._opened_with = (model, options.intra_op_num_threads, device)
            source = str(model) if isinstance(model, Path) else model
            providers = [(DEVICES[device].provider, settings), (CPU.provider, {})]
            super().__init__(source, options, providers=providers[: 1 + (device != "cpu")])

        def __reduce__(self) -> tuple[Any, ...]:
            return open_session, self._opened_with

    return Session


def _onnxruntime() -> Any:
    os.environ.setdefault(TELEMETRY_OFF, "1")
    import onnxruntime

    return onnxruntime
