import re
import zipfile

import numpy as np
import pytest

from mlanet.assets import verified_path
from mlanet.errors import AssetError
from mlanet.morphable import load_model, read_model


@pytest.fixture(scope="module")
def arrays():
    with np.load(verified_path("open_face")) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture
def refused(tmp_path):
    """Asserts that a file is refused with an error of one line that begins with its path."""

    def check(path, message=""):
        with pytest.raises(AssetError, match=re.escape(str(path)) + r": .*" + message) as caught:
            read_model(path)
        assert "\n" not in str(caught.value)

    return check


def test_a_file_of_one_s_own_reads_like_the_embedded_one(arrays, model, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **{**arrays, "name": np.array("mine")})
    found = load_model(path)
    assert found.name == "mine"
    assert found.layout == model.layout
    np.testing.assert_array_equal(found.shape.identity, model.shape.identity)
    assert found.shape.identity.dtype == np.float32
    assert found.base_faces.dtype == np.int32


def test_a_missing_file(refused, tmp_path):
    refused(tmp_path / "none.npz", "no such face model")


@pytest.mark.parametrize("kept", [0, 10, 1_000, 1_000_000, -1, -100])
def test_a_truncated_file(refused, tmp_path, kept):
    path = tmp_path / "short.npz"
    path.write_bytes(verified_path("open_face").read_bytes()[:kept])
    refused(path, "not a face model")


def test_a_corrupted_file(refused, tmp_path):
    content = bytearray(verified_path("open_face").read_bytes())
    for start in range(5_000, len(content) - 5_000, 50_000):
        content[start : start + 100] = bytes(100)
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    refused(path)


def test_foreign_files(refused, tmp_path):
    text = tmp_path / "readme.npz"
    text.write_text("hello")
    refused(text, "not a face model")
    array = tmp_path / "array.npz"
    with array.open("wb") as file:
        np.save(file, np.zeros(3))
    refused(array, "not a face model")
    other = tmp_path / "other.npz"
    np.savez(other, mean=np.zeros((3, 3)))
    refused(other, "mlanet-face-model-1")
    archive = tmp_path / "archive.npz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("format", "mlanet-face-model-1")
    refused(archive, "mlanet-face-model-1")
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, format=np.array({"not": "allowed"}, dtype=object))
    refused(pickled, "not a face model")
    refused(tmp_path, "not a face model")


@pytest.mark.parametrize("name", ["mean", "identity", "faces", "mirror", "regions", "albedo"])
def test_a_missing_array_is_named(refused, arrays, tmp_path, name):
    path = tmp_path / "part.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if key != name})
    refused(path, f"lacks '{name}'")


def with_value(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mean", lambda a: a[:-1]),
        ("mean", lambda a: a[0, 0]),
        ("mean", lambda a: with_value(a, (5, 1), np.nan)),
        ("identity", lambda a: a[..., :-1]),
        ("identity", lambda a: with_value(a, (5, 1, 2), np.inf)),
        ("expression", lambda a: a[..., 0]),
        ("expression_mirror", lambda a: with_value(a, 3, 52)),
        ("albedo", lambda a: a[:-2]),
        ("albedo_mean", lambda a: np.full(a.shape, "red")),
        ("faces", lambda a: a[:, :2]),
        ("faces", lambda a: with_value(a, (7, 0), 3131)),
        ("faces", lambda a: a[:-40]),
        ("uv", lambda a: a[:, :1]),
        ("midpoint_index", lambda a: with_value(a, (7, 0), -1)),
        ("midpoint_index", lambda a: a[:-1]),
        ("midpoint_weight", lambda a: a[:, :4]),
        ("landmark_faces", lambda a: a[:51]),
        ("landmark_faces", lambda a: with_value(a, 7, 99_999)),
        ("landmark_barycentric", lambda a: a[:51]),
        ("mirror", lambda a: with_value(a, 7, 4955)),
        ("regions", lambda a: a[:, :-1]),
        ("regions", lambda a: a[:-1]),
    ],
)
def test_a_malformed_array_is_refused(refused, arrays, tmp_path, name, change):
    path = tmp_path / "wrong.npz"
    np.savez(path, **{**arrays, name: change(arrays[name])})
    refused(path)
