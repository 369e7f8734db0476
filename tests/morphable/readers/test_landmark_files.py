import json
import re

import numpy as np
import pytest

from mlanet.errors import AssetError
from mlanet.morphable.landmarks import landmarks_at_vertices, read_landmarks


def test_vertices_become_corners(small_face):
    found = landmarks_at_vertices(small_face.faces, {8: 40, 30: 0})
    assert (found.faces >= 0).sum() == 2
    for number, vertex in ((8, 40), (30, 0)):
        corner = small_face.faces[found.faces[number]]
        assert corner[found.barycentric[number].argmax()] == vertex
        assert found.barycentric[number].sum() == 1.0


@pytest.mark.parametrize("form", ["vertices", "surface", "npy", "npz"])
def test_forms(small_face, tmp_path, form):
    face = small_face
    expected = landmarks_at_vertices(face.faces, dict(enumerate(face.keypoints.tolist())))
    surface = {"face_index": expected.faces, "barycentric": expected.barycentric}
    path = tmp_path / "landmarks"
    if form == "vertices":
        path.write_text(json.dumps(face.keypoints.tolist()))
    elif form == "surface":
        path.write_text(json.dumps({key: value.tolist() for key, value in surface.items()}))
    else:
        with path.open("wb") as file:
            if form == "npy":
                np.save(file, face.keypoints)
            else:
                np.savez(file, **surface)
    found = read_landmarks(path, face.faces)
    np.testing.assert_array_equal(found.faces, expected.faces)
    np.testing.assert_allclose(found.barycentric, expected.barycentric)


def surface(**changes):
    good = {"face_index": [0] * 68, "barycentric": [[1, 0, 0]] * 68}
    return json.dumps(good | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not 68 landmarks"),
        ("[1, 2, 3]", "3 landmarks"),
        ("{}", "face_index"),
        (json.dumps([10**9] * 68), "no triangle uses"),
        (json.dumps([-1] * 68), "no triangle uses"),
        (json.dumps(["a"] * 68), "not 68 landmarks"),
        (surface(face_index=[10**6] * 68), "beyond the model's"),
        (surface(face_index=[0] * 51), "51 faces"),
        (surface(barycentric=[[1, 1, 0]] * 68), "sum is not one"),
        (surface(barycentric=[[float("nan"), 1, 0]] * 68), "sum is not one"),
        (surface(barycentric=[1]), "not 68 landmarks"),
    ],
)
def test_malformed_files_are_refused(small_face, tmp_path, text, message):
    path = tmp_path / "landmarks.json"
    path.write_text(text)
    with pytest.raises(AssetError, match=re.escape(str(path)) + ".*" + message):
        read_landmarks(path, small_face.faces)


def test_a_missing_file(small_face, tmp_path):
    with pytest.raises(AssetError, match="no such landmark file"):
        read_landmarks(tmp_path / "none", small_face.faces)
