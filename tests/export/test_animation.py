import json
import os
import shutil
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mlanet.export import Animation, write_avatar
from mlanet.morphable import eye_rotations, load_model

COUNT = 7
MIXER = Path(__file__).with_name("mixer.mjs")
VIEWER_MODULES = Path(__file__).parents[2] / "web" / "viewer" / "node_modules"


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def animation(model):
    rng = np.random.default_rng(0)
    expression = rng.uniform(0.0, 1.0, (COUNT, model.layout.expression))
    turns = Rotation.from_euler("y", np.linspace(-50.0, 50.0, COUNT)[:, None], degrees=True)
    times = np.array([0.0, 0.033, 0.067, 0.1, 0.4, 0.433, 0.5])
    return Animation(times, expression, turns.as_matrix(), rng.normal(size=(COUNT, 3)) * 30.0)


@pytest.fixture(scope="module")
def path(model, animation, tmp_path_factory):
    path = tmp_path_factory.mktemp("animation") / "face.glb"
    texture = np.full((8, 8, 3), 128, np.uint8)
    identity = np.zeros(model.layout.identity)
    write_avatar(path, model, identity, animation.expression[0], texture, animation=animation)
    return path


@pytest.fixture(scope="module")
def tracks(path):
    return Tracks(path)


class Tracks:
    """The animation's keys by node and path, read by the layout of the specification."""

    def __init__(self, path):
        data = path.read_bytes()
        (size,) = struct.unpack_from("<I", data, 12)
        self.document = json.loads(data[20 : 20 + size])
        self.binary = data[28 + size :]
        (found,) = self.document["animations"]
        self.keys = {}
        for channel in found["channels"]:
            target, sampler = channel["target"], found["samplers"][channel["sampler"]]
            name = self.document["nodes"][target["node"]]["name"]
            keys = self.values(sampler["input"]), self.values(sampler["output"])
            self.keys[name, target["path"]] = keys

    def values(self, index):
        accessor = self.document["accessors"][index]
        assert accessor["componentType"] == 5126
        view = self.document["bufferViews"][accessor["bufferView"]]
        assert "target" not in view
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        count = accessor["count"] * width
        found = np.frombuffer(self.binary, np.float32, count, view.get("byteOffset", 0))
        return found if width == 1 else found.reshape(-1, width)


def test_weights_move_all_meshes_but_the_eyes(tracks, model, animation):
    for name in ("Wolf3D_Head", "Wolf3D_Teeth", "Tongue", "Eyelashes"):
        times, weights = tracks.keys[name, "weights"]
        assert np.allclose(times, animation.times_s, atol=1e-6)
        assert np.allclose(weights.reshape(COUNT, -1), animation.expression, atol=1e-6)
    assert not {name for name, _ in tracks.keys} & {"EyeLeft", "EyeRight"}
    meshes = {mesh["name"]: mesh for mesh in tracks.document["meshes"]}
    assert not any(meshes["EyeLeft"]["weights"])
    assert np.allclose(meshes["Wolf3D_Head"]["weights"], animation.expression[0])


def test_times_have_bounds_as_the_specification_asks(tracks):
    (found,) = tracks.document["animations"]
    for sampler in found["samplers"]:
        accessor = tracks.document["accessors"][sampler["input"]]
        assert np.isclose(accessor["min"], [0.0])
        assert np.isclose(accessor["max"], [0.5])


def test_the_head_turns_and_moves(tracks, animation):
    _, turns = tracks.keys["Head", "rotation"]
    assert np.allclose(Rotation.from_quat(turns).as_matrix(), animation.rotation, atol=1e-5)
    assert (np.einsum("nk,nk->n", turns[1:], turns[:-1]) > 0.0).all()
    _, moved = tracks.keys["face", "translation"]
    assert np.allclose(moved * 1000.0, animation.offset_mm, atol=1e-3)


def test_eyes_turn_about_their_joints(tracks, model, animation):
    expected = eye_rotations(model, animation.expression)
    for eye, joint in enumerate(("LeftEye", "RightEye")):
        _, turns = tracks.keys[joint, "rotation"]
        assert np.allclose(Rotation.from_quat(turns).as_rotvec(), expected[:, eye], atol=1e-5)


@pytest.fixture(scope="module")
def moments():
    """On keys, between them, and a millisecond beside."""
    return [0.0, 0.067, 0.068, 0.25, 0.433, 0.5]


def between(times, keys, moments):
    flat = keys.reshape(len(keys), -1)
    found = [np.interp(moments, times, column) for column in flat.T]
    return np.stack(found, axis=1)


def test_three_js_plays_the_same_weights_at_the_same_times(path, model, animation, moments):
    modules = Path(os.environ.get("MLANET_NODE_MODULES", VIEWER_MODULES))
    if shutil.which("node") is None or not (modules / "three").is_dir():
        pytest.skip("needs node and three.js (MLANET_NODE_MODULES, or npm ci in web/viewer)")
    command = ["node", str(MIXER), str(path), *map(str, moments)]
    environment = os.environ | {"MLANET_NODE_MODULES": str(modules)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    played = json.loads(answer.stdout)
    assert abs(played["duration_s"] - 0.5) < 1e-3
    expected = between(animation.times_s, animation.expression, moments)
    for number, moment in enumerate(played["moments"]):
        for mesh in ("Wolf3D_Head", "Wolf3D_Teeth", "Tongue"):
            weights = [moment["weights"][mesh][name] for name in model.expression_names]
            assert np.allclose(weights, expected[number], atol=1e-4)
        assert not any(moment["weights"]["EyeLeft"].values())
    turned = Rotation.from_quat([moment["rotations"]["Head"] for moment in played["moments"]])
    yaw = between(animation.times_s, np.linspace(-50.0, 50.0, COUNT), moments)[:, 0]
    assert np.allclose(turned.as_euler("yxz", degrees=True)[:, 0], yaw, atol=0.05)


BLENDER = """
import json, sys, bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = 1000
bpy.ops.import_scene.gltf(filepath=sys.argv[1])
head = next(o for o in bpy.data.objects if o.type == "MESH" and o.name == "Wolf3D_Head")
blocks = head.data.shape_keys.key_blocks
found = []
for seconds in map(float, sys.argv[2:]):
    frame = seconds * 1000.0
    scene.frame_set(int(frame), subframe=frame - int(frame))
    found.append({block.name: block.value for block in blocks if block.name != "Basis"})
print("FOUND " + json.dumps(found))
"""


def test_blender_plays_the_same_weights_at_the_same_times(path, model, animation, moments):
    """By its Python module, in a process of its own: `python -m pip install bpy` (400 MB)."""
    if find_spec("bpy") is None:
        pytest.skip("needs bpy, which is Blender")
    command = [sys.executable, "-c", BLENDER, str(path), *map(str, moments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = [each for each in answer.stdout.splitlines() if each.startswith("FOUND ")]
    expected = between(animation.times_s, animation.expression, moments)
    for number, weights in enumerate(json.loads(line.removeprefix("FOUND "))):
        found = [weights[name] for name in model.expression_names]
        assert np.allclose(found, expected[number], atol=2e-3)


def test_malformed_animations_are_refused(model, animation):
    with pytest.raises(ValueError, match="increase"):
        Animation(
            animation.times_s[::-1], animation.expression, animation.rotation, animation.offset_mm
        )
    with pytest.raises(ValueError, match="rotation"):
        Animation(
            animation.times_s, animation.expression, animation.rotation[1:], animation.offset_mm
        )
    with pytest.raises(ValueError, match="some"):
        Animation(np.zeros(0), np.zeros((0, 52)), np.zeros((0, 3, 3)), np.zeros((0, 3)))
