"""FLAME's pickle, as Python 2 wrote it and as Python 3 writes it; and pickles that attack."""

import io
import os
import pickle
import re
import struct
import subprocess
import sys
import types
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from mlanet.errors import AssetError
from mlanet.morphable import load_model

NUM_IDENTITY, NUM_EXPRESSION = 300, 100


@pytest.fixture(scope="module")
def chumpy():
    """A module whose classes pickle as chumpy's: state without weak references."""
    modules = {
        name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")
    }

    class Ch:
        def __init__(self, x):
            self.x = x
            self._dirty_vars, self._itr, self._depends_on_deps = {"x"}, None, {}

    class Select:
        def __init__(self, a, idxs, preferred_shape):
            self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape

    for kind, module in ((Ch, "chumpy.ch"), (Select, "chumpy.reordering")):
        kind.__module__, kind.__qualname__ = module, kind.__name__
        setattr(modules[module], kind.__name__, kind)
    sys.modules.update(modules)
    yield types.SimpleNamespace(Ch=Ch, Select=Select)
    for name in modules:
        del sys.modules[name]


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2's strings and names modules as Python 2's numpy and scipy did."""

    def save_bytes(self, value):
        self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_bytes}


def python_2(content):
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(content)
    return (
        file.getvalue()
        .replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
        .replace(b"cscipy.sparse._csc\n", b"cscipy.sparse.csc\n")
        .replace(b"ccopyreg\n", b"ccopy_reg\n")
    )


@pytest.fixture
def content(small_face, chumpy):
    face, count = small_face, len(small_face.mean)
    modes = np.zeros((count, 3, NUM_IDENTITY + NUM_EXPRESSION))
    modes[..., :4] = face.identity / 1000.0
    modes[..., NUM_IDENTITY : NUM_IDENTITY + 3] = face.expression / 1000.0
    return {
        "v_template": face.mean / 1000.0,
        "f": face.faces.astype(np.uint32),
        "shapedirs": chumpy.Ch(modes),
        "posedirs": np.zeros((count, 3, 36)),
        "J_regressor": csc_matrix(np.eye(5, count)),
        "J": np.zeros((5, 3)),
        "weights": np.asfortranarray(np.ones((count, 5)) / 5),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


@pytest.fixture
def landmarks(small_face, tmp_path):
    path = tmp_path / "landmarks.json"
    path.write_text(str(small_face.keypoints.tolist()))
    return path


DUMPS = [python_2, *(partial(pickle.dumps, protocol=protocol) for protocol in (0, 2, 4, 5))]


@pytest.mark.parametrize("dump", DUMPS)
def test_flame(small_face, content, landmarks, tmp_path, dump):
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(dump(content))
    found = load_model(path, landmarks)
    assert found.layout.sizes["identity"] == NUM_IDENTITY
    assert found.layout.expression == NUM_EXPRESSION
    assert not found.expression_bounded
    assert not found.has_albedo
    assert found.provenance.kind == "flame"
    np.testing.assert_allclose(found.shape.mean, small_face.mean, atol=2e-3)
    np.testing.assert_allclose(found.shape.identity[..., :4], small_face.identity, atol=1e-3)
    np.testing.assert_allclose(found.shape.expression[..., :3], small_face.expression, atol=1e-3)
    np.testing.assert_array_equal(found.base_faces, small_face.faces)
    assert found.known_landmarks.all()


def test_chumpy_s_selections_are_followed(small_face, content, chumpy, tmp_path):
    values = content["v_template"]
    index = np.arange(values.size)
    content["v_template"] = chumpy.Select(chumpy.Ch(values), index[::-1].copy(), values.shape)
    path = tmp_path / "flame.pkl"
    path.write_bytes(python_2(content))
    found = load_model(path)
    backwards = small_face.mean.reshape(-1)[::-1].reshape(-1, 3)
    np.testing.assert_allclose(found.shape.mean, backwards, atol=2e-3)


def test_without_landmarks_the_file_s_origin_stays(small_face, content, tmp_path):
    path = tmp_path / "flame.pkl"
    path.write_bytes(python_2(content))
    found = load_model(path)
    assert not found.known_landmarks.any()
    np.testing.assert_allclose(found.shape.mean, small_face.mean, atol=2e-3)


def test_deca_s_landmark_file(small_face, content, landmarks, tmp_path, torch):
    path = tmp_path / "flame.pkl"
    path.write_bytes(python_2(content))
    by_vertex = load_model(path, landmarks)
    embedding = {
        "full_lmk_faces_idx": by_vertex.landmark_faces[None].astype(np.int64),
        "full_lmk_bary_coords": by_vertex.landmark_barycentric[None].astype(np.float64),
        "static_lmk_faces_idx": np.zeros(51, np.int64),
        "dynamic_lmk_faces_idx": torch.zeros((79, 17), dtype=torch.int64),  # as in DECA's file
    }
    file = tmp_path / "landmark_embedding.npy"
    np.save(file, np.array(embedding, dtype=object), allow_pickle=True)
    found = load_model(path, file)
    np.testing.assert_array_equal(found.landmark_faces, by_vertex.landmark_faces)
    np.testing.assert_allclose(found.landmarks.mean, by_vertex.landmarks.mean, atol=1e-4)


class Payload:
    """Runs a shell command when it is unpickled in the ordinary way."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("place", ["whole", "beside", "inside chumpy", "landmarks"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("function", [os.system, eval, exec, subprocess.Popen, open])
def test_nothing_in_a_pickle_is_executed(content, chumpy, tmp_path, place, protocol, function):
    proof = tmp_path / "executed"
    arguments = {
        os.system: (f"touch {proof}",),
        eval: (f"open({str(proof)!r}, 'w')",),
        exec: (f"open({str(proof)!r}, 'w')",),
        subprocess.Popen: (["touch", str(proof)],),
        open: (str(proof), "w"),
    }
    payload = Payload(function, *arguments[function])
    path, landmarks = tmp_path / "flame.pkl", None
    if place == "landmarks":
        path.write_bytes(python_2(content))
        landmarks = tmp_path / "landmarks.npy"
        np.save(landmarks, np.array({"full_lmk_faces_idx": payload}, object), allow_pickle=True)
    elif place == "whole":
        path.write_bytes(pickle.dumps(payload, protocol))
    elif place == "beside":
        path.write_bytes(pickle.dumps({**content, "extra": payload}, protocol))
    else:
        path.write_bytes(pickle.dumps({**content, "shapedirs": chumpy.Ch(payload)}, protocol))
    with pytest.raises(AssetError, match=r"it would run \w+\.|not a face model") as caught:
        load_model(path, landmarks)
    assert str(landmarks or path) in str(caught.value)
    assert not proof.exists()


def test_names_that_look_like_chumpy_s_are_inert(content, tmp_path):
    """The stand-in is made for the name; nothing of that name is looked up."""
    path = tmp_path / "flame.pkl"
    path.write_bytes(b"\x80\x02cchumpy.ch\nos.system\n(X\x02\x00\x00\x00lstR.")
    with pytest.raises(AssetError, match="holds no dictionary"):
        load_model(path)


@pytest.mark.parametrize("kept", [2, 100, 10_000, -1, -500])
def test_a_truncated_file(content, tmp_path, kept):
    path = tmp_path / "flame.pkl"
    path.write_bytes(python_2(content)[:kept])
    refused(path, "unreadable pickle")


def test_a_missing_entry_is_named(content, tmp_path):
    path = tmp_path / "flame.pkl"
    del content["shapedirs"]
    path.write_bytes(python_2(content))
    refused(path, "lacks shapedirs; FLAME is obtained from https://flame")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("v_template", np.full((1353, 3), np.nan), "not finite"),
        ("v_template", np.zeros((7, 3)), "shapedirs"),
        ("f", np.array([[0, 1, 99_999]]), "must index"),
        ("f", np.array(["a", "b"], dtype=object), "no numbers"),
        ("shapedirs", np.zeros((1353, 3, 200)), "200 modes"),
        ("shapedirs", {"x": 1}, "no numbers"),
    ],
)
def test_malformed_arrays_are_refused(content, tmp_path, name, value, message):
    path = tmp_path / "flame.pkl"
    content[name] = value
    path.write_bytes(pickle.dumps(content, 2))
    refused(path, message)


def test_an_array_that_claims_to_be_huge(content, tmp_path):
    path = tmp_path / "flame.pkl"

    class Huge:
        def __reduce__(self):
            array = np.zeros(2)
            function, arguments, state = array.__reduce__()
            return function, arguments, (state[0], (10**12, 3), *state[2:])

    path.write_bytes(pickle.dumps({**content, "v_template": Huge()}, 2))
    refused(path, "damaged FLAME model")


def refused(path, message=""):
    with pytest.raises(AssetError, match=re.escape(str(path)) + ".*" + message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_a_number_that_would_take_all_memory(tmp_path):
    """A memo entry of a high number makes the usual unpickler allocate gigabytes."""
    path = tmp_path / "flame.pkl"
    path.write_bytes(b"\x80\x02}r" + struct.pack("<I", 2**32 - 2) + b".")
    refused(path, "lacks v_template")
