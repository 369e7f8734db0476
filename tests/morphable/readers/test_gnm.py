"""GNM's npz, with every array of the published schema, and its text file of landmarks."""

import json
import os

import numpy as np
import pytest

from mlanet.cli import main
from mlanet.errors import AssetError
from mlanet.morphable import load_model

JOINTS, EYE_MM, EYE_TILE = 4, 20.0, 4
JAW_AS_FILED = (0, 1, 6, 5, 4, 3, 2, *range(7, 68))
"""GNM's rows in iBUG's numbers: part of the right jaw runs upwards."""


def gnm_arrays(face):
    """What GNM's own loader asks for: these names, shapes and kinds."""
    count, modes = len(face.mean), face.identity.shape[-1]
    corners = face.mean[face.faces][..., :2] / 200.0 + 0.5
    eye = np.linalg.norm(face.mean - face.mean[face.keypoints[36]], axis=1) < EYE_MM
    squares = np.column_stack([face.faces, face.faces[:, 2]])
    return {
        "version": np.array("3.0"),
        "variant": np.array("head"),
        "template_vertex_positions": (face.mean / 1000.0).astype(np.float32),
        "template_joint_positions": np.zeros((JOINTS, 3), np.float32),
        "vertex_identity_basis": np.moveaxis(face.identity, -1, 0) / np.float32(1000),
        "joint_identity_basis": np.zeros((modes, JOINTS, 3), np.float32),
        "expression_basis": np.moveaxis(face.expression, -1, 0) / np.float32(1000),
        "identity_names": np.array(["head_000", "head_001", "eyes_000", "teeth_000"]),
        "joint_names": np.array(["neck", "head", "left_eye", "right_eye"]),
        "expression_names": np.array(["left_eye_region_000", "tongue_000", "pupils_000"]),
        "joint_parent_indices": np.array([-1, 0, 1, 1]),
        "skinning_weights": np.full((JOINTS, count), 0.25, np.float32),
        "quads": squares.astype(np.int32),
        "triangles": face.faces.astype(np.int32),
        "quad_uvs": corners[:, [0, 1, 2, 2]].astype(np.float32),
        "triangle_uvs": corners.astype(np.float32),
        "mesh_component_names": np.array(["skin"]),
        "mirror_indices": np.arange(count, dtype=np.int32),
        "joint_regressor": np.zeros((JOINTS, count), np.float32),
        "pose_correctives_regressor": np.zeros((9 * JOINTS, 3 * count), np.float32),
        "bone_aligned_template_joint_orientations": np.tile(np.eye(3), (JOINTS, 1, 1)),
        "vertex_groups": np.stack([~eye, eye, eye]).astype(np.float32),
        "vertex_group_names": np.array(["skin", "right_eye", "eye_exteriors"]),
    }


def corners_of(face):
    """Texture coordinates with the eye's front in GNM's fifth tile and the rest in the first."""
    arrays = gnm_arrays(face)
    eye = (arrays["vertex_groups"][1][face.faces] > 0.5).all(axis=1)
    assert 10 < eye.sum() < len(eye) / 4
    return arrays["triangle_uvs"] + np.where(eye[:, None, None], [EYE_TILE, 0.0], 0.0)


def landmark_rows(face):
    """Each landmark inside of a triangle whose corners stand in another order than the mesh's."""
    rows = []
    for vertex in face.keypoints[list(JAW_AS_FILED)]:
        a, b, c = face.faces[(face.faces == vertex).any(axis=1).argmax()]
        others = [v for v in (c, a, b) if v != vertex]
        rows.append(f"{others[0]} 0.004 {vertex} 0.994 {others[1]} 0.002")
    return rows


@pytest.fixture
def gnm(small_face, tmp_path):
    path = tmp_path / "gnm_head.npz"
    np.savez_compressed(path, **gnm_arrays(small_face))
    return path


@pytest.fixture
def landmarks(small_face, tmp_path):
    path = tmp_path / "head_sparse_68.txt"
    path.write_text("\n".join(landmark_rows(small_face)) + "\n")
    return path


def test_gnm(small_face, gnm, landmarks):
    found = load_model(gnm, landmarks)
    assert found.name == "GNM head 3.0"
    assert found.provenance.kind == "gnm"
    assert found.provenance.licence == "Apache-2.0"
    assert found.identity_names == ("head_000", "head_001", "eyes_000", "teeth_000")
    assert found.expression_names[-1] == "pupils_000"
    assert not found.expression_bounded
    assert not found.has_albedo
    np.testing.assert_allclose(found.shape.mean, small_face.mean, atol=0.2)
    np.testing.assert_allclose(found.shape.identity, small_face.identity, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.shape.expression, small_face.expression, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.base_faces, small_face.faces)


def test_texture_coordinates_belong_to_corners_and_are_shared(small_face, gnm):
    found = load_model(gnm)
    corners = found.base_uv[found.base_uv_faces]
    np.testing.assert_allclose(corners, corners_of(small_face), atol=1e-6)
    assert len(small_face.mean) < len(found.base_uv) < 1.2 * len(small_face.mean)


def test_triangles_the_other_way_round_keep_their_texture(small_face, tmp_path):
    path = tmp_path / "gnm_head.npz"
    arrays = gnm_arrays(small_face)
    for name in ("triangles", "triangle_uvs"):
        arrays[name] = arrays[name][:, ::-1]
    np.savez(path, **arrays)
    found = load_model(path)
    np.testing.assert_array_equal(found.base_faces, small_face.faces)
    corners = found.base_uv[found.base_uv_faces]
    np.testing.assert_allclose(corners, corners_of(small_face), atol=1e-6)


def test_landmarks_come_in_order_along_the_jaw(small_face, gnm, landmarks):
    found = load_model(gnm, landmarks)
    truth = found.shape.mean[small_face.keypoints]
    assert np.linalg.norm(found.landmarks.mean - truth, axis=1).max() < 0.1
    assert (np.diff(found.landmarks.mean[:9, 1]) <= 0).all()
    # A file in iBUG's order means the same.
    rows = landmark_rows(small_face)
    landmarks.write_text("\n".join(rows[k] for k in np.argsort(JAW_AS_FILED)))
    again = load_model(gnm, landmarks)
    np.testing.assert_array_equal(again.landmarks.mean, found.landmarks.mean)
    landmarks.write_text(json.dumps(small_face.keypoints.tolist()))
    plain = load_model(gnm, landmarks)
    truth = plain.shape.mean[small_face.keypoints]
    np.testing.assert_allclose(plain.landmarks.mean, truth, atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda rows: rows[:-1], "67 lines"),
        (lambda rows: [*rows[:-1], "1 0.5 2 0.5"], "68 lines"),
        (lambda rows: ["a", *rows[1:]], "could not convert"),
        (lambda rows: ["0 0.5 1 0.2 2 0.2", *rows[1:]], "sum is not one"),
        (lambda rows: ["0 0.4 700 0.3 900 0.3", *rows[1:]], "landmark 0 lies on no triangle"),
        (lambda rows: ["999999 1 0 0 1 0", *rows[1:]], "landmark 0 lies on no triangle"),
    ],
)
def test_other_rows_are_refused(small_face, gnm, landmarks, rows, message):
    landmarks.write_text("\n".join(rows(landmark_rows(small_face))))
    with pytest.raises(AssetError, match=message) as caught:
        load_model(gnm, landmarks)
    assert str(caught.value).startswith(str(landmarks))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("triangle_uvs", None, "lacks triangle_uvs"),
        ("triangle_uvs", np.zeros((4, 2)), r"triangle_uvs is \(4, 2\)"),
        ("triangle_uvs", np.zeros((4, 3, 2)), "damaged GNM head"),
        ("vertex_groups", np.zeros((3, 5)), "damaged GNM head"),
        ("triangles", np.array([[0, 1, 10**6]]), "damaged GNM head"),
        ("vertex_identity_basis", np.zeros((2, 5, 3)), "identity must be"),
        ("identity_names", np.array(["one"]), "identity must be"),
        ("expression_basis", np.full((3, 1, 3), np.nan), "expression must be"),
    ],
)
def test_what_does_not_fit_is_one_line(small_face, gnm, name, values, message):
    arrays = gnm_arrays(small_face) | {name: values}
    np.savez(gnm, **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(AssetError, match=message) as caught:
        load_model(gnm)
    assert str(caught.value).startswith(f"{gnm}: ")
    assert "\n" not in str(caught.value)


def test_objects_are_never_unpickled(small_face, gnm):
    attacked = gnm.with_name("attacked")

    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(attacked),)

    arrays = gnm_arrays(small_face) | {"joint_names": np.array([Attack()], dtype=object)}
    np.savez(gnm, **arrays)
    with pytest.raises(AssetError, match="not a face model"):
        load_model(gnm)
    assert not attacked.exists()


def test_the_command_converts_it(gnm, landmarks, tmp_path, capsys, with_scipy):
    """A face of 160 x 190 mm without ears suffices for registration."""
    out = tmp_path / "converted.npz"
    with pytest.raises(SystemExit) as stop:
        main(["models", "convert", str(gnm), "--landmarks", str(landmarks), "--out", str(out)])
    assert stop.value.code == 0
    found = load_model(out)
    assert found.correspondence is not None
    assert found.correspondence.covered.mean() > 0.8
    assert found.provenance.licence == "Apache-2.0"
    assert found.name.startswith("GNM head 3.0 ")
    assert "licence: Apache-2.0" in capsys.readouterr().out
