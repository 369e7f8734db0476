"""The Basel Face Model of 2009 as its .mat files have it."""

import re
import struct

import numpy as np
import pytest
from scipy.io import savemat

from mlanet.errors import AssetError
from mlanet.morphable import load_model

SD_IDENTITY = np.array([3e5, 2e5, 1e5, 5e4])
SD_EXPRESSION = np.array([2.0, 1.0, 0.5])
SD_ALBEDO = np.array([900.0, 700.0])


def deep3d(face):
    return {
        "meanshape": face.flat(face.mean)[None] / 100.0,
        "idBase": face.flat(face.identity) / 100.0,
        "exBase": face.flat(face.expression) / 100.0,
        "meantex": face.flat(face.albedo_mean)[None] * 255.0,
        "texBase": face.flat(face.albedo) * 255.0,
        "tri": (face.clockwise + 1).astype(np.float64),
        "point_buf": np.ones((len(face.mean), 8)),
        "tri_mask2": (face.faces[:9] + 1).astype(np.float64),
        "keypoints": (face.keypoints[None] + 1).astype(np.float64),
        "frontmask2_idx": np.ones((5, 1)),
        "skinmask": np.ones((1, len(face.mean))),
    }


def original(face):
    return {
        "shapeMU": face.flat(face.mean)[:, None].astype(np.float32) * 1000,
        "shapePC": (face.flat(face.identity) * 1000 / SD_IDENTITY).astype(np.float32),
        "shapeEV": SD_IDENTITY[:, None].astype(np.float32),
        "texMU": face.flat(face.albedo_mean)[:, None].astype(np.float32) * 255,
        "texPC": (face.flat(face.albedo) * 255 / SD_ALBEDO).astype(np.float32),
        "texEV": SD_ALBEDO[:, None].astype(np.float32),
        "tl": (face.clockwise + 1).astype(np.float64),
        "segbin": np.ones((len(face.mean), 4)),
    }


def write_three_ddfa(face, folder):
    shape = {
        "mu_shape": face.flat(face.mean)[:, None] * 1000 - 7.0,
        "w": face.flat(face.identity) * 1000 / SD_IDENTITY,
        "sigma": SD_IDENTITY[:, None],
        "tri": (face.clockwise + 1).T.astype(np.float64),
        "keypoints": (face.keypoints[None] + 1).astype(np.float64),
    }
    expression = {
        "mu_exp": np.full((3 * len(face.mean), 1), 7.0),
        "w_exp": face.flat(face.expression) * 1000 / SD_EXPRESSION,
        "sigma_exp": SD_EXPRESSION[:, None],
    }
    savemat(folder / "Model_Shape.mat", shape)
    savemat(folder / "Model_Expression.mat", expression)
    return folder / "Model_Shape.mat"


def write_guo(face, folder, modes, rows):
    with (folder / "Exp_Pca.bin").open("wb") as file:
        file.write(struct.pack("<i", modes.shape[-1]))
        file.write(np.zeros(3 * rows, "<f4").tobytes())
        file.write(np.ascontiguousarray(face.flat(modes).T).astype("<f4").tobytes())
    np.savetxt(folder / "std_exp.txt", SD_EXPRESSION[None])


@pytest.mark.parametrize("compressed", [False, True])
def test_deep3d(small_face, same_face, tmp_path, compressed):
    path = tmp_path / "anything"
    savemat(path, deep3d(small_face), appendmat=False, do_compression=compressed)
    found = load_model(path)
    same_face(found)
    assert not found.expression_bounded
    assert found.provenance.kind == "basel 2009 (Deep3DFaceRecon)"
    assert "non-commercial" in found.provenance.licence
    assert len(found.provenance.sha256) == 64


def test_the_original_without_expressions(small_face, tmp_path):
    path = tmp_path / "01_MorphableModel.mat"
    savemat(path, original(small_face))
    found = load_model(path)
    assert found.layout.sizes["identity"] == 4
    assert found.layout.expression == 0
    assert not found.known_landmarks.any()
    np.testing.assert_allclose(
        np.ptp(found.shape.mean, axis=0), np.ptp(small_face.mean, axis=0), atol=0.01
    )
    with pytest.raises(AssetError, match="lacks 68 of the 68 landmarks: give them with"):
        _ = found.landmarks


def test_the_original_with_the_expressions_of_guo(small_face, same_face, tmp_path):
    """Expressions move a part of the vertices; the others go, and triangles are renumbered."""
    face, kept = small_face, np.arange(len(small_face.mean))
    savemat(tmp_path / "01_MorphableModel.mat", with_extra_vertices(face))
    savemat(tmp_path / "BFM_exp_idx.mat", {"trimIndex": (kept + 3)[:, None].astype(np.float64)})
    write_guo(face, tmp_path, face.expression * 1000 / SD_EXPRESSION, len(kept))
    savemat(tmp_path / "model_info.mat", {"keypoints": (face.keypoints[None] + 1.0)})
    found = load_model(tmp_path / "01_MorphableModel.mat")
    same_face(found)
    assert found.provenance.kind == "basel 2009"


def with_extra_vertices(face):
    """The original's arrays with two more vertices, and a triangle on them, at the beginning."""
    values = original(face)
    for name in ("shapeMU", "shapePC", "texMU", "texPC"):
        values[name] = np.concatenate([values[name][:6] * 0, values[name]])
    values["tl"] = np.concatenate([[[1.0, 2.0, 3.0]], values["tl"] + 2])
    return values


def test_three_ddfa_and_its_parameters(small_face, same_face, tmp_path):
    found = load_model(write_three_ddfa(small_face, tmp_path))
    same_face(found, albedo=False)
    assert found.provenance.kind == "basel 2009 (3DDFA)"
    shape_para, exp_para = 2.0 * SD_IDENTITY, -1.0 * SD_EXPRESSION  # as 300W-LP has them
    identity, expression = found.standardized(shape_para, exp_para)
    np.testing.assert_allclose(identity, 2.0)
    np.testing.assert_allclose(expression, -1.0)


@pytest.mark.parametrize("name", ["meanshape", "exBase", "keypoints", "tri"])
def test_a_missing_variable_is_named(small_face, tmp_path, name):
    path = tmp_path / "BFM_model_front.mat"
    savemat(path, {key: value for key, value in deep3d(small_face).items() if key != name})
    with pytest.raises(AssetError, match=f"lacks the variable {name}; .*faces.dmi.unibas.ch"):
        load_model(path)


def test_a_missing_companion_is_named(small_face, tmp_path):
    path = write_three_ddfa(small_face, tmp_path)
    (tmp_path / "Model_Expression.mat").unlink()
    with pytest.raises(AssetError, match=r"Model_Expression.mat: there is no such file; .*3DDFA"):
        load_model(path)
    savemat(tmp_path / "01_MorphableModel.mat", original(small_face))
    write_guo(small_face, tmp_path, small_face.expression, len(small_face.mean))
    with pytest.raises(AssetError, match=r"BFM_exp_idx.mat: missing beside Exp_Pca.bin"):
        load_model(tmp_path / "01_MorphableModel.mat")


def test_a_truncated_companion(small_face, tmp_path):
    face = small_face
    savemat(tmp_path / "01_MorphableModel.mat", original(face))
    savemat(tmp_path / "BFM_exp_idx.mat", {"trimIndex": np.arange(1.0, len(face.mean) + 1)})
    write_guo(face, tmp_path, face.expression, len(face.mean))
    binary = tmp_path / "Exp_Pca.bin"
    binary.write_bytes(binary.read_bytes()[:-100])
    with pytest.raises(AssetError, match=r"Exp_Pca.bin: not the modes of"):
        load_model(tmp_path / "01_MorphableModel.mat")


@pytest.mark.parametrize("kept", [20, 200, 50_000, -1])
def test_a_truncated_file(small_face, tmp_path, kept):
    path = tmp_path / "short.mat"
    savemat(path, deep3d(small_face))
    path.write_bytes(path.read_bytes()[:kept])
    refused(path)


def test_other_mat_files(tmp_path):
    path = tmp_path / "other.mat"
    savemat(path, {"hello": np.ones(3)})
    refused(path, "not a face model: a .mat file that holds hello")
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(600))
    refused(path, "save it with -v7")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tri", lambda a: a + 1, "must index"),
        ("tri", lambda a: a[:, :2], ""),
        ("idBase", lambda a: a[:-1], ""),
        ("idBase", lambda a: a[:-3], "identity must be"),
        ("meanshape", lambda a: np.where(np.arange(a.size) == 7, np.nan, a), "not finite"),
        ("exBase", lambda a: np.where(a > 0, np.inf, a), "not finite"),
        ("keypoints", lambda a: a[:, :51], "51 keypoints"),
        ("keypoints", lambda a: a + 99_999, "no triangle uses"),
        ("keypoints", lambda a: a[:, ::-1], "another order"),
        ("meanshape", lambda a: a * 10, "another unit"),
    ],
)
def test_malformed_arrays_are_refused(small_face, tmp_path, name, change, message):
    path = tmp_path / "wrong.mat"
    values = deep3d(small_face)
    savemat(path, {**values, name: change(values[name])})
    refused(path, message)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path, monkeypatch):
    monkeypatch.setattr("mlanet.morphable.readers.matlab.MAX_BYTES", 1_000_000)
    path = tmp_path / "bomb.mat"
    savemat(path, {"meanshape": np.zeros((1, 500_000))}, do_compression=True)
    refused(path, "decompresses to more than")


def refused(path, message=""):
    with pytest.raises(AssetError, match=re.escape(str(path)) + ".*" + message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
