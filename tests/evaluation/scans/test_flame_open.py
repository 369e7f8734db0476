"""FLAME Open's npz, written by the test from the embedded model."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from mlanet.errors import AssetError
from mlanet.evaluation.scans import flame_open
from mlanet.evaluation.scans.flame_open import FLAME_FILE, MEDIAPIPE_POINTS, read_flame_open
from mlanet.morphable import load_model

data = os.environ.get("MLANET_DATA")


@pytest.fixture(scope="module")
def model():
    """The skin of the embedded model: the first of its base vertices."""
    return without_eyes_and_mouth(load_model())


def without_eyes_and_mouth(whole):
    count = int((whole.vertex_parts == whole.part_names.index("skin")).sum())
    assert (whole.vertex_parts[:count] == whole.part_names.index("skin")).all()
    return replace(
        whole,
        shape=whole.shape.only(np.arange(count)),
        base_faces=whole.base_faces[(whole.base_faces < count).all(axis=1)],
    )


@pytest.fixture
def arrays(model, monkeypatch):
    """The embedded model's base mesh behind two eyeballs, in metres."""
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.012)
    count, mean = len(ball.vertices), model.shape.mean / 1000.0
    balls = [np.asarray(ball.vertices) + np.array([x, 0.03, 0.09]) for x in (-0.03, 0.03)]
    nearest = [
        int(np.linalg.norm(model.shape.mean - point, axis=1).argmin())
        for point in model.landmarks.mean[:17]
    ]
    monkeypatch.setattr(flame_open, "JAW_VERTICES", tuple(2 * count + k for k in nearest))
    modes = np.zeros((2 * count + len(mean), 3, 4), np.float32)
    modes[2 * count :] = model.shape.identity[..., :4] / 1000.0
    rng = np.random.default_rng(0)
    order = rng.permutation(len(MEDIAPIPE_POINTS))
    return {
        "v_template": np.concatenate([*balls, mean]).astype(np.float32),
        "shapedirs": modes,
        "faces": np.concatenate(
            [ball.faces, ball.faces + count, model.base_faces + 2 * count]
        ).astype(np.int32),
        "landmark_indices": np.array(MEDIAPIPE_POINTS)[order],
        "lmk_face_idx": (model.landmark_faces[17:] + 2 * len(ball.faces))[order],
        "lmk_b_coords": model.landmark_barycentric[17:][order],
    }


@pytest.fixture
def path(arrays, tmp_path):
    path = tmp_path / "flame_basis.npz"
    np.savez(path, **arrays)
    return path


def test_the_skin_without_eyeballs_in_our_frame(model, path):
    found = read_flame_open(path)
    assert found.num_base_vertices == model.num_base_vertices
    assert (found.layout.identity, found.layout.expression) == (4, 0)
    moved = found.shape.mean - model.shape.mean
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-3)
    np.testing.assert_allclose(found.shape.identity, model.shape.identity[..., :4], atol=1e-3)
    np.testing.assert_array_equal(found.base_faces, model.base_faces)
    eyes = found.landmarks.mean[[36, 45]].mean(axis=0)
    np.testing.assert_allclose(eyes, [0.0, 20.0, 87.0], atol=1e-3)
    assert found.provenance.licence == "CC BY 4.0"


def test_landmarks_are_mediapipes_places_and_the_jaws_vertices(model, path):
    found = read_flame_open(path)
    apart = found.landmarks.mean - model.landmarks.mean
    apart -= apart[45]
    np.testing.assert_allclose(apart[17:], 0.0, atol=1e-3)
    places = found.base_faces[found.landmark_faces[:17]]
    assert (found.landmark_barycentric[:17].max(axis=1) == 1.0).all()
    assert len(np.unique(places[found.landmark_barycentric[:17] == 1.0])) > 8
    assert np.linalg.norm(apart[:17], axis=1).max() < 15.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("shapedirs", None, "shapedirs"),
        ("faces", np.array([[0, 1, 9**7]]), "index no vertices"),
        ("lmk_face_idx", np.zeros(51, np.int32), "lies on no skin"),
        ("landmark_indices", np.arange(51), "not an npz of FLAME Open"),
        ("lmk_b_coords", np.zeros((51, 2)), "not an npz of FLAME Open"),
    ],
)
def test_another_file_is_one_line(arrays, tmp_path, name, value, message):
    path = tmp_path / "flame_basis.npz"
    changed = arrays | {name: value}
    np.savez(path, **{key: array for key, array in changed.items() if array is not None})
    with pytest.raises(AssetError, match=message) as caught:
        read_flame_open(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AssetError, match=r"absent\.npz"):
        read_flame_open(tmp_path / "absent.npz")


@pytest.mark.data
@pytest.mark.skipif(data is None, reason="MLANET_DATA is not set")
def test_the_real_file():
    found = read_flame_open(Path(data) / FLAME_FILE)
    assert (found.num_base_vertices, found.layout.identity) == (3931, 60)
    marks = found.landmarks.mean
    mirrored = marks[[16 - k for k in range(17)]] * [-1, 1, 1]
    assert np.linalg.norm(marks[:17] - mirrored, axis=1).max() < 6.0
    assert (np.diff(marks[:9, 1]) < 0).all()
    assert (np.diff(marks[:17, 0]) > 0).all()
