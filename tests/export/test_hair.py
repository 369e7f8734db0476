"""Hair as a part of an avatar's file."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pygltflib import GLTF2

from mlanet.export import Animation, read_avatar, write_avatar
from mlanet.export.hair import palette_png
from mlanet.morphable import load_model

READERS = Path(__file__).with_name("readers.mjs")


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def hair():
    """A sheet behind the head."""
    x, y = np.meshgrid(np.linspace(-80.0, 80.0, 5), np.linspace(40.0, -120.0, 4))
    at = np.arange(20).reshape(4, 5)
    a, b, c, d = (part.ravel() for part in (at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]))
    return SimpleNamespace(
        vertices=np.stack([x.ravel(), y.ravel(), np.full(20, -110.0)], axis=1),
        normals=np.tile([0.0, 0.0, -1.0], (20, 1)),
        faces=np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32),
        uv=np.stack([(x.ravel() + 80.0) / 160.0, (y.ravel() + 120.0) / 160.0], axis=1),
        texture=np.concatenate([np.full((8, 16, 4), (90, 60, 40, a), np.uint8) for a in (255, 0)]),
    )


@pytest.fixture(scope="module")
def path(model, hair, tmp_path_factory):
    path = tmp_path_factory.mktemp("hair") / "face.glb"
    layout = model.layout
    texture = np.full((16, 16, 3), 128, np.uint8)
    shape = np.zeros(layout.identity), np.zeros(layout.expression)
    write_avatar(path, model, *shape, texture, long_hair=hair)
    return path


def test_it_hangs_from_the_head(path, hair):
    document = GLTF2().load(str(path))
    nodes = {node.name: (index, node) for index, node in enumerate(document.nodes)}
    index, node = nodes["Hair"]
    assert index in nodes["Head"][1].children
    mesh = document.meshes[node.mesh]
    assert mesh.name == "Hair"
    (primitive,) = mesh.primitives
    material = document.materials[primitive.material]
    assert material.doubleSided
    assert material.pbrMetallicRoughness.roughnessFactor > 0.6
    assert (material.alphaMode, material.alphaCutoff) == ("MASK", 0.5)
    assert not primitive.targets
    place = document.accessors[primitive.attributes.POSITION]
    np.testing.assert_allclose(place.min, hair.vertices.min(axis=0) / 1000.0, atol=1e-6)
    np.testing.assert_allclose(place.max, hair.vertices.max(axis=0) / 1000.0, atol=1e-6)
    own = document.textures[material.pbrMetallicRoughness.baseColorTexture.index].source
    skin = document.materials[0].pbrMetallicRoughness.baseColorTexture.index
    assert document.textures[skin].source != own


def test_files_with_it_are_read_and_animated(path, model, tmp_path):
    avatar = read_avatar(path, model)
    assert len(avatar.rest) < 19738  # the head alone
    turns = np.broadcast_to(np.eye(3), (2, 3, 3))
    weights = np.full((2, model.layout.expression), 0.5)
    animated = tmp_path / "animated.glb"
    animation = Animation(np.arange(2.0), weights, turns, np.zeros((2, 3)))
    avatar.write_animated(animated, animation)
    document = GLTF2().load(str(animated))
    hair = next(index for index, node in enumerate(document.nodes) if node.name == "Hair")
    assert document.meshes[document.nodes[hair].mesh].weights in (None, [])
    (tracks,) = document.animations
    assert hair not in {channel.target.node for channel in tracks.channels}


def test_node_readers_open_it(path):
    modules = os.environ.get("MLANET_NODE_MODULES", "")
    if shutil.which("node") is None or not Path(modules, "gltf-validator").is_dir():
        pytest.skip("needs node and MLANET_NODE_MODULES with npm's gltf-validator and three")
    done = subprocess.run(["node", READERS, path], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert not any(found["issues"][f"num{kind}"] for kind in ("Errors", "Warnings", "Infos"))
    assert found["meshes"]["Hair"]["parent"] == "Head"


def test_few_colours_keep_the_picture():
    x, y = np.meshgrid(np.linspace(0.0, 1.0, 96), np.linspace(0.0, 1.0, 64))
    noise = np.random.default_rng(0).normal(0.0, 3.0, x.shape)
    colors = np.clip(
        np.stack([140 * y + 40, 90 * y + 30, 60 * y + 20], -1) + noise[..., None], 0, 255
    )
    cover = np.clip(800.0 * (0.7 - x), 0.0, 255.0)
    texture = np.dstack([colors, cover]).astype(np.uint8)
    read = np.asarray(Image.open(io.BytesIO(palette_png(texture))).convert("RGBA")).astype(int)
    shown = texture[..., 3] > 127
    np.testing.assert_array_equal(read[..., 3] > 127, shown)
    assert np.abs(read[shown][:, :3] - texture[shown][:, :3]).mean() < 4.0
