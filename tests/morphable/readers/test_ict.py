"""ICT-FaceKit: a folder of OBJ files, an npz, and the real model."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from mlanet.errors import AssetError
from mlanet.morphable import load_model
from mlanet.morphable.arkit import HALVES, are_arkit, arkit_name, weights_by_name

EXPRESSIONS = ["browInnerUp_L", "jawOpen", "mouthSmile_R"]


def obj(vertices, faces=(), uv=()):
    lines = ["mtllib ICTFaceModelMaterial.mtl"]
    lines += ["v {:.12f} {:.12f} {:.12f}".format(*vertex) for vertex in vertices]
    lines += ["vt {:.6f} {:.6f}".format(*pair) for pair in uv]
    lines += ["usemtl face", "g face"]
    lines += ["f " + " ".join(f"{v + 1}/{v + 1}/{v + 1}" for v in face) for face in faces]
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(small_face, quads, tmp_path):
    face = small_face
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    uv = (face.mean[:, :2] - face.mean[:, :2].min(axis=0)) / 200.0
    (folder / "generic_neutral_mesh.obj").write_text(obj(face.mean / 10.0, quads, uv))
    for k in range(face.identity.shape[-1]):
        shape = (face.mean + face.identity[..., k]) / 10.0
        (folder / f"identity{k:03d}.obj").write_text(obj(shape, quads))
    for k, name in enumerate(EXPRESSIONS):
        shape = (face.mean + face.expression[..., k]) / 10.0
        (folder / f"{name}.obj").write_text(obj(shape, quads))
    (folder / "PupilDilate_L.obj").write_text(obj(face.mean, quads))
    info = {
        "expressions": EXPRESSIONS,
        "idx_to_landmark_verts": face.keypoints.tolist(),
        "idx_to_rigid_landmark_idx": [0, 36],
    }
    (folder / "vertex_indices.json").write_text(json.dumps(info))
    return folder


@pytest.fixture
def quads(small_face):
    """The small face's quads; cut from their first corner they are its triangles."""
    half = len(small_face.faces) // 2
    first, second = small_face.faces[:half], small_face.faces[half:]
    return np.concatenate([first, second[:, 2:]], axis=1)


def test_a_folder(small_face, same_face, folder):
    found = load_model(folder)
    faces = found.base_faces
    half = len(faces) // 2
    order = np.concatenate([np.arange(0, 2 * half, 2), np.arange(1, 2 * half, 2)])
    assert {tuple(sorted(f)) for f in faces.tolist()} == {
        tuple(sorted(f)) for f in small_face.faces.tolist()
    }
    np.testing.assert_array_equal(faces[order], small_face.faces)
    np.testing.assert_allclose(found.shape.identity, small_face.identity, atol=1e-3)
    np.testing.assert_allclose(found.shape.expression, small_face.expression, atol=1e-3)
    np.testing.assert_allclose(found.shape.mean, small_face.mean, atol=2e-3)
    assert found.expression_names == ("browInnerUpLeft", "jawOpen", "mouthSmileRight")
    assert found.expression_bounded
    assert found.known_landmarks.all()
    assert found.provenance.licence == "MIT"
    assert found.uv.shape == (len(small_face.mean), 2)
    np.testing.assert_array_equal(found.uv_faces, faces)


def test_without_the_list_of_indices(small_face, folder):
    (folder / "vertex_indices.json").unlink()
    found = load_model(folder)
    assert found.expression_names == ("browInnerUpLeft", "jawOpen", "mouthSmileRight")
    assert not found.known_landmarks.any()
    landmarks = folder / "landmarks.json"
    landmarks.write_text(json.dumps(small_face.keypoints.tolist()))
    assert load_model(folder, landmarks).known_landmarks.all()


def test_folders_without_the_model(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "holds no generic_neutral_mesh.obj; .*github.com/ICT-VGL")
    for file in folder.glob("identity*"):
        file.unlink()
    refused(folder, "lacks identity000.obj")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("generic_neutral_mesh.obj", "v 0 0\n", "damaged OBJ"),
        ("generic_neutral_mesh.obj", "", "without vertices"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nf 1 2 3\n", ""),
        ("generic_neutral_mesh.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 -9\n", "refers to nothing"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 x\n", "damaged OBJ"),
        ("identity001.obj", "v 0 0 0\n", "1 vertices, the neutral mesh has"),
        ("jawOpen.obj", None, "no such file"),
        ("vertex_indices.json", "{", "not ICT-FaceKit's list"),
        ("vertex_indices.json", '{"expressions": ["../../secret"]}', "not ICT-FaceKit's list"),
        ("vertex_indices.json", "[]", "not ICT-FaceKit's list"),
    ],
)
def test_damaged_files_are_named(folder, file, text, message):
    (folder / file).unlink()
    if text is not None:
        (folder / file).write_text(text)
    with pytest.raises(AssetError, match=re.escape(str(folder)) + ".*" + message):
        load_model(folder)


@pytest.fixture
def arrays(small_face):
    face = small_face
    return {
        "mean": (face.mean / 10.0).astype(np.float32),
        "id_basis": np.moveaxis(face.identity / 10.0, -1, 0).astype(np.float32),
        "exp_basis": np.moveaxis(face.expression / 10.0, -1, 0).astype(np.float32),
        "exp_names": np.array(EXPRESSIONS),
        "faces": face.faces,
        "uv": np.zeros((4, 2), np.float32),
        "uv_faces": np.zeros_like(face.faces),
        "lm68": face.keypoints.astype(np.int32),
        "unit": np.array("cm"),
    }


def test_an_npz(same_face, arrays, tmp_path):
    path = tmp_path / "ict.npz"
    np.savez(path, **arrays)
    found = load_model(path)
    same_face(found, albedo=False)
    assert found.uv.shape == (4, 2)
    np.testing.assert_array_equal(found.uv_faces, arrays["uv_faces"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lm68", None, "lacks lm68"),
        ("unit", np.array("feet"), "unit is 'feet'"),
        ("faces", np.array([[0, 1, 10**6]]), "must index"),
        ("uv_faces", np.full((2560, 3), 4), "uv_faces must index 4"),
        ("lm68", np.zeros(3, np.int32), "apart along x|lacks|landmark"),
        ("mean", np.zeros((0, 3)), ""),
        ("exp_names", np.array(["a"]), "expression must be"),
        ("mean", np.array(1.0), "do not fit"),
    ],
)
def test_a_malformed_npz_is_refused(arrays, tmp_path, name, value, message):
    path = tmp_path / "ict.npz"
    values = {**arrays, name: value}
    np.savez(path, **{key: array for key, array in values.items() if array is not None})
    if name == "lm68" and value is not None:
        assert load_model(path).known_landmarks.sum() == 3
        return
    refused(path, message)


def test_names_of_arkit(model):
    assert arkit_name("mouthSmile_L") == "mouthSmileLeft"
    assert arkit_name("jawOpen") == "jawOpen"
    names = [arkit_name(name) for name in EXPRESSIONS]
    assert are_arkit(names, model.expression_names)
    assert not are_arkit([], model.expression_names)
    assert not are_arkit(["expression 001"], model.expression_names)
    weights = {"browInnerUp": 0.5, "jawOpen": 0.25, "mouthSmileRight": 1.0}
    assert weights_by_name(names, weights) == [0.5, 0.25, 1.0]
    assert set(HALVES.values()) <= set(model.expression_names)


@pytest.mark.data
@pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA is not set")
def test_the_real_model(model):
    path = Path(os.environ["MLANET_DATA"]) / "ict_facekit" / "ict_face_light_9409.npz"
    found = load_model(path)
    assert found.num_base_vertices == 9409
    assert (found.layout.sizes["identity"], found.layout.expression) == (100, 53)
    assert are_arkit(found.expression_names, model.expression_names)
    missing = set(model.expression_names) - {HALVES.get(n, n) for n in found.expression_names}
    assert missing == {"tongueOut"}
    points, ours = found.landmarks.mean, model.landmarks.mean
    assert np.linalg.norm(points[17:] - ours[17:], axis=1).mean() < 10.0
    assert found.normals(found.shape.mean)[0, 2] > 0.5
    jaw = found.expression_names.index("jawOpen")
    assert found.landmarks.expression[8, 1, jaw] < -15.0
    smile = found.expression_names.index("mouthSmileLeft")
    assert found.landmarks.expression[54, 0, smile] > 2.0  # the subject's left


def refused(path, message=""):
    with pytest.raises(AssetError, match=re.escape(str(path)) + ".*" + message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
