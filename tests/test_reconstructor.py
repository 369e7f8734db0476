"""The library's front door."""

import json
import os
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import mlanet
from mlanet.assets import verified_path
from mlanet.errors import AssetError, ImageError
from mlanet.geometry import turn_points_back
from mlanet.image import read_image
from mlanet.metrics import nme_2d_68
from mlanet.network.confidence import Confidence, LogLogistic
from mlanet.reconstructor import Reconstructor


@pytest.fixture(scope="module")
def reconstructor():
    return Reconstructor.load()


@pytest.fixture(scope="module")
def photo():
    return read_image(verified_path("example-image"))


def test_public_names_are_those_promised():
    assert set(mlanet.__all__) == {
        "CoefficientLayout",
        "Coefficients",
        "MlanetError",
        "Reconstruction",
        "Reconstructor",
        "__version__",
    }
    for name in mlanet.__all__:
        assert getattr(mlanet, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        mlanet.nonsense  # noqa: B018


def test_floats_and_bytes_give_the_same_face(reconstructor, photo):
    (first,) = reconstructor(photo)
    (second,) = reconstructor(photo.astype(np.float32) / 255.0)
    np.testing.assert_allclose(first.landmarks_px, second.landmarks_px, atol=1e-3)


def test_mesh_projected_through_pose_and_camera_covers_the_landmarks(reconstructor, photo):
    (face,) = reconstructor(photo)
    projected = face.camera.project(face.pose.apply(face.mesh.vertices))[:, :2]
    for point in face.landmarks_px[:, :2]:
        assert np.hypot(*(projected - point).T).min() < 2.0
    assert face.mesh.vertices.shape == face.mesh.colors.shape
    assert face.texture.image.shape[2] == 3
    assert face.texture.visibility.max() > 0.9


def test_a_shifted_photo_shifts_everything_but_the_face(reconstructor, photo):
    (face,) = reconstructor(photo)
    padded = np.pad(photo, ((40, 0), (64, 0), (0, 0)))
    box = np.array([160.0, 66.0, 292.0, 198.0])
    first = reconstructor.predict_in_box(photo, box)
    second = reconstructor.predict_in_box(padded, box + np.array([64.0, 40.0] * 2))
    moved = second.landmarks_px - [64.0, 40.0, 0.0]
    np.testing.assert_allclose(first.landmarks_px, moved, atol=1e-2)
    np.testing.assert_allclose(first.euler_deg, second.euler_deg, atol=1e-3)
    assert nme_2d_68(first.landmarks_px[None, :, :2], face.landmarks_px[None, :, :2])[0] < 4.0


def test_mirrored_photo_gives_the_opposite_yaw_and_roll(reconstructor, photo):
    (face,) = reconstructor(photo)
    (mirrored,) = reconstructor(np.ascontiguousarray(photo[:, ::-1]))
    pitch, yaw, roll = face.euler_deg
    np.testing.assert_allclose(mirrored.euler_deg, [pitch, -yaw, -roll], atol=4.0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_gives_the_same_person_in_the_photo_as_given(reconstructor, photo, turns):
    (face,) = reconstructor(photo)
    (turned,) = reconstructor(np.ascontiguousarray(np.rot90(photo, turns)))
    back = turn_points_back(turned.landmarks_px[:, :2], photo.shape[:2], turns)
    assert nme_2d_68(back[None], face.landmarks_px[None, :, :2])[0] < 4.0
    roll = (turned.euler_deg[2] - face.euler_deg[2] + 90 * turns + 180) % 360 - 180
    assert abs(roll) < 4
    projected = turned.camera.project(turned.pose.apply(turned.mesh.vertices))[:, :2]
    for point in turned.landmarks_px[:, :2]:
        assert np.hypot(*(projected - point).T).min() < 2.0
    apart = np.abs(turned.texture.image.astype(int) - face.texture.image)
    assert apart[face.texture.visibility > 0.9].mean() < 12


def test_the_crop_that_is_turned_is_the_same_crop(reconstructor, photo):
    box = np.array([160.0, 66.0, 292.0, 198.0])
    face = reconstructor.predict_in_box(photo, box)
    corners = turn_points_back(box.reshape(2, 2), photo.shape[:2], -1)
    lying_box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    lying = reconstructor.predict_in_box(np.rot90(photo, 1).copy(), lying_box, quarter_turns=3)
    back = turn_points_back(lying.landmarks_px[:, :2], photo.shape[:2], 1)
    np.testing.assert_allclose(back, face.landmarks_px[:, :2], atol=5e-2)


def test_a_crowd_is_shown_to_the_network_in_parts(reconstructor, photo):
    seen = []

    def counting(crops):
        seen.append(len(crops))
        return reconstructor.regressor.answers(crops)

    regressor = reconstructor.regressor
    counter = SimpleNamespace(config=regressor.config, answers=counting, confidence=None)
    crowd = Reconstructor(reconstructor.detector, counter, reconstructor.model)
    assert len(crowd(np.tile(photo, (4, 5, 1)))) == 20
    assert sum(seen) == 20
    assert max(seen) <= 16


def test_many_pictures_give_what_each_gives_and_are_taken_when_needed(reconstructor, photo):
    grey = np.full((100, 120, 3), 128, np.uint8)
    pictures = [np.roll(photo, shift, axis=1) for shift in range(0, 50, 10)]
    pictures[2] = grey
    taken = []

    def giving():
        for number, picture in enumerate(pictures):
            taken.append(number)
            yield picture

    found = reconstructor.many(giving(), batch_size=2)
    assert taken == []
    first = next(found)
    assert taken == [0, 1]
    together = [first, *found]
    assert [len(faces) for faces in together] == [1, 1, 0, 1, 1]
    for picture, faces in zip(pictures, together, strict=True):
        for face, alone in zip(faces, reconstructor(picture), strict=True):
            np.testing.assert_allclose(face.landmarks_px, alone.landmarks_px, atol=1e-2)
            assert face.image is not alone.image
    assert [len(faces) for faces in reconstructor(pictures)] == [1, 1, 0, 1, 1]
    assert list(reconstructor.many([])) == []


def test_a_bad_picture_among_many_is_told_or_ends_it(reconstructor, photo):
    pictures = [photo, b"no picture", photo]
    told = []
    found = list(reconstructor.many(pictures, failed=lambda *said: told.append(said)))
    assert [len(faces) for faces in found] == [1, 0, 1]
    ((number, error),) = told
    assert number == 1
    assert isinstance(error, ImageError)
    with pytest.raises(ImageError, match="picture 2: "):
        list(reconstructor.many(pictures))
    with pytest.raises(ValueError, match="batch_size"):
        reconstructor.many(pictures, batch_size=0)


def test_pickles_hold_neither_networks_nor_the_shipped_model(reconstructor, photo):
    (face,) = reconstructor(photo)
    for computed in (face.mesh, face.head, face.camera):
        assert computed is not None
    content = pickle.dumps(face)
    assert len(content) < photo.nbytes + face.crop.image.nbytes + 10_000
    again = pickle.loads(content)
    assert again.as_dict() == face.as_dict()
    np.testing.assert_array_equal(again.mesh.vertices, face.mesh.vertices)
    assert pickle.loads(content).model is again.model
    small = pickle.dumps(reconstructor)
    assert len(small) < 10_000
    (other,) = pickle.loads(small)(photo)
    np.testing.assert_array_equal(other.landmarks_px, face.landmarks_px)


def test_a_changed_face_model_travels_in_the_pickle(reconstructor):
    fewer = reconstructor.model.first_modes(2, 3, 1)
    assert fewer.loader is None
    assert fewer.landmarks is not None
    again = pickle.loads(pickle.dumps(fewer))
    assert again.layout == fewer.layout
    np.testing.assert_array_equal(again.shape.mean, fewer.shape.mean)


def test_the_least_score_is_the_callers():
    with pytest.raises(ValueError, match="threshold"):
        Reconstructor.load(min_score=1.0)
    assert Reconstructor.load(min_score=0.99)(verified_path("example-image")) == []


def test_no_face_is_an_empty_list(reconstructor):
    assert reconstructor(np.full((100, 120, 3), 128, np.uint8)) == []


def test_bad_arguments_are_named(reconstructor, photo, tmp_path):
    with pytest.raises(ImageError):
        reconstructor(np.zeros((3, 4, 5, 6)))
    with pytest.raises(ValueError, match="max_faces"):
        reconstructor(photo, max_faces=0)
    with pytest.raises(AssetError, match="no such network"):
        Reconstructor.load(weights=tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(AssetError, match=r"text\.onnx"):
        Reconstructor.load(weights=tmp_path / "text.onnx")
    with pytest.raises(AssetError, match="export"):
        Reconstructor.load(weights=verified_path("detector"))


def test_more_threads_than_the_machine_has_are_not_started(photo):
    reconstructor = Reconstructor.load(threads=100_000)
    options = reconstructor.regressor.session.get_session_options()
    assert options.intra_op_num_threads <= (os.cpu_count() or 1)
    assert len(reconstructor(photo)) == 1


def test_paths_and_pillow_images_are_pictures_too(reconstructor, photo):
    (reference,) = reconstructor(photo)
    path = verified_path("example-image")
    with Image.open(path) as picture:
        for given in (path, str(path), picture):
            (face,) = reconstructor(given)
            np.testing.assert_allclose(face.landmarks_px, reference.landmarks_px, atol=1e-3)
    with pytest.raises(ImageError, match="no such file"):
        reconstructor("nowhere.jpg")


def test_results_do_not_change_with_the_callers_array(reconstructor, photo):
    frame = photo.copy()
    (face,) = reconstructor(frame)
    frame[:] = 0
    assert face.texture.image.mean() > 50
    assert "image=512x512" in repr(face)


def test_a_network_of_another_face_model_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the extra train")
    model = onnx.load(verified_path("mobile"))
    described = json.loads(model.metadata_props[0].value)
    described["face_model"] = "another"
    model.metadata_props[0].value = json.dumps(described)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(AssetError, match=r"other\.onnx: drives the face model 'another'"):
        Reconstructor.load(weights=tmp_path / "other.onnx")


@pytest.fixture(scope="module")
def sure(reconstructor):
    """A reconstructor whose network doubts the jaw of every second crop."""
    regressor = reconstructor.regressor

    def answers(crops):
        deviation = np.full((len(crops), 68), 2.0, np.float32)
        deviation[::2, :17] = 6.0
        return regressor(crops), 2.0 * np.log(deviation)

    confidence = Confidence(landmark=LogLogistic(4.0, 3.0), face=LogLogistic(3.0, 6.0))
    doubting = SimpleNamespace(config=regressor.config, answers=answers, confidence=confidence)
    return Reconstructor(reconstructor.detector, doubting, reconstructor.model)


def test_a_face_says_how_sure_it_is(sure, photo):
    (face,) = sure(photo)
    assert face.confidence == pytest.approx(0.5)
    expected = 1.0 / (1.0 + (np.array([6.0, 2.0]) / 4.0) ** 3)
    np.testing.assert_allclose(face.landmark_confidence[[0, 67]], expected, rtol=1e-5)
    described = face.as_dict()
    assert described["confidence"] == 0.5
    np.testing.assert_allclose(
        described["landmark_confidence"], face.landmark_confidence, atol=1e-4
    )


def test_each_face_of_a_crowd_has_its_own(sure, photo):
    found = [face.confidence for face in sure(np.tile(photo, (1, 2, 1)))]
    assert sorted(found) == pytest.approx([0.5, 1.0 / (1.0 + (2.0 / 3.0) ** 6)], rel=1e-4)


def test_a_network_that_does_not_say_has_none(reconstructor, photo):
    quiet = SimpleNamespace(
        config=reconstructor.regressor.config,
        answers=lambda crops: (reconstructor.regressor(crops), None),
        confidence=None,
    )
    (face,) = Reconstructor(reconstructor.detector, quiet, reconstructor.model)(photo)
    assert face.confidence is None
    assert face.landmark_confidence is None
    assert not {"confidence", "landmark_confidence"} & set(face.as_dict())


def test_what_draws_and_writes_is_not_imported_before_it_is_needed():
    code = (
        "import sys, mlanet.reconstructor; names = ('render', 'export', 'viewing');"
        "print([name for name in names if f'mlanet.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
