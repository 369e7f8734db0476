import json
import struct

import numpy as np
import pytest
import trimesh

from mlanet.errors import DataError
from mlanet.export import Animation, read_avatar, write_avatar
from mlanet.morphable import load_model

COUNT = 5


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def identity(model):
    return np.random.default_rng(3).normal(size=model.layout.identity)


@pytest.fixture(scope="module")
def path(model, identity, tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "face.glb"
    texture = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    write_avatar(path, model, identity, np.zeros(model.layout.expression), texture)
    return path


@pytest.fixture(scope="module")
def avatar(path, model):
    return read_avatar(path, model)


@pytest.fixture
def animation(model):
    rng = np.random.default_rng(1)
    expression = rng.uniform(size=(COUNT, model.layout.expression))
    turns = np.broadcast_to(np.eye(3), (COUNT, 3, 3))
    return Animation(np.arange(COUNT) / 10.0, expression, turns, rng.normal(size=(COUNT, 3)))


def document_of(path):
    data = path.read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + size])


def weights(model, **named):
    found = np.zeros(model.layout.expression)
    for name, weight in named.items():
        found[model.expression_names.index(name)] = weight
    return found


def test_a_file_gives_the_person_back(avatar, model, identity):
    """Every vertex is one of the face model's, and moves with it."""
    from scipy.spatial import KDTree

    rest = model.vertices(identity, weights(model))
    away, which = KDTree(rest).query(avatar.rest)
    assert away.max() < 1e-3
    expression = weights(model, jawOpen=0.7, mouthSmileLeft=0.5, eyeBlinkRight=1.0)
    moved = model.vertices(identity, expression)[which]
    assert np.linalg.norm(avatar.vertices(expression) - moved, axis=1).max() < 0.15
    assert len(avatar.rest) < len(avatar.uv)


def test_eyes_turn_about_their_centres(avatar, model):
    aside = avatar.vertices(weights(model, eyeLookOutLeft=1.0))
    for own, centre, turned in zip(avatar.eyes, avatar.eye_centres, (True, False), strict=True):
        before, after = avatar.rest[own] - centre, aside[own] - centre
        assert np.allclose(np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1))
        assert (np.abs(after - before).max() > 3.0) == turned


def test_the_texture_is_the_files(avatar):
    assert avatar.texture.shape == (16, 16, 3)
    assert avatar.uv.min() >= 0.0
    assert avatar.uv.max() <= 1.0


def test_an_animation_takes_the_place_of_an_earlier_one(avatar, model, animation, tmp_path):
    once, twice = tmp_path / "once.glb", tmp_path / "twice.glb"
    avatar.write_animated(once, animation)
    read_avatar(once, model).write_animated(twice, animation)
    assert once.read_bytes() == twice.read_bytes()
    document = document_of(twice)
    (tracks,) = document["animations"]
    targets = {document["nodes"][c["target"]["node"]]["name"] for c in tracks["channels"]}
    assert {"Wolf3D_Head", "Wolf3D_Teeth", "Tongue", "Head", "LeftEye", "RightEye"} < targets
    shown = {mesh["name"]: mesh["weights"] for mesh in document["meshes"]}
    assert np.allclose(shown["Wolf3D_Head"], animation.expression[0])
    assert not any(shown["EyeLeft"])


def test_other_files_are_refused_in_a_line(path, model, tmp_path):
    box = tmp_path / "box.glb"
    trimesh.creation.box().export(box)
    with pytest.raises(DataError, match=r"box\.glb: is no avatar .*no mesh Wolf3D_Head"):
        read_avatar(box, model)
    text = tmp_path / "text.glb"
    text.write_text("words")
    with pytest.raises(DataError, match="is no GLB file"):
        read_avatar(text, model)
    cut = tmp_path / "cut.glb"
    cut.write_bytes(path.read_bytes()[:-200_000])
    with pytest.raises(DataError, match="is malformed"):
        read_avatar(cut, model)
    with pytest.raises(DataError, match="no such file"):
        read_avatar(tmp_path / "none.glb", model)
