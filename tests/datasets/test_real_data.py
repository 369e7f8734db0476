"""Facts about the real data that training and evaluation rely on."""

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from mlanet.datasets import (
    AFLW2000,
    AFLW2000Annotations,
    FaceCrops,
    Shards,
    SkippedSamples,
    read_samples,
    write_shards,
)
from mlanet.geometry import euler_from_matrix, viewer_from_camera

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA is not set"),
]

NOSE_TIP, EYE_CORNERS, JAW_ENDS = 30, [36, 45], [0, 16]


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["MLANET_DATA"])


@pytest.fixture(scope="module")
def aflw(data):
    return FaceCrops(data / "aflw_train")


@pytest.fixture(scope="module")
def aflw2000(data):
    dataset = AFLW2000(data / "aflw2000_dev")
    return dataset, AFLW2000Annotations.load(data / "aflw2000_dev" / "annotations.npz")


def unrotated(landmarks, rotation):
    """Landmarks (n, 68, 3; y down, z nearer) turned back to a frontal face of unit size."""
    viewer = landmarks * [1, -1, 1]
    centred = viewer - viewer.mean(axis=1, keepdims=True)
    turned = centred @ viewer_from_camera(rotation).astype(np.float64)
    return turned / np.linalg.norm(turned, axis=(1, 2), keepdims=True)


def test_counts_and_sizes(data, aflw, aflw2000):
    ytf = FaceCrops(data / "ytf68")
    assert (len(aflw), len(ytf), len(aflw2000[0])) == (18953, 4232, 400)
    assert aflw.decode(18952).shape == aflw.decode(0).shape == (120, 120, 3)
    assert ytf.decode(0).shape == (176, 176, 3)
    assert len(set(ytf.identity.tolist())) == 347
    assert ytf[0].landmarks_px.shape == (68, 2)
    assert aflw2000[0][0].image.shape == (450, 450, 3)


def test_rotations_are_orthonormal_and_agree_with_the_angles(aflw):
    rotation = aflw.rotation.astype(np.float64)
    identity = rotation @ rotation.transpose(0, 2, 1)
    np.testing.assert_allclose(identity, np.tile(np.eye(3), (len(aflw), 1, 1)), atol=1e-4)
    difference = np.degrees(euler_from_matrix(rotation)) - aflw.angles_deg
    difference = np.abs((difference + 180) % 360 - 180)  # labels are stored in half precision
    assert difference.max() < 0.15
    frontal = rotation[np.abs(aflw.angles_deg).max(axis=1) < 5].mean(axis=0)
    np.testing.assert_allclose(frontal, np.diag([1, -1, -1]), atol=0.02)


def test_rotations_turn_every_face_to_the_same_frontal_one(aflw):
    shape = unrotated(aflw.landmarks_px.astype(np.float64), aflw.rotation)
    spread = np.linalg.norm(shape - shape.mean(axis=0), axis=(1, 2))
    assert np.median(spread) < 0.15
    mean = shape.mean(axis=0)
    assert mean[45, 0] > mean[36, 0]  # the subject's left is at the viewer's right
    assert mean[36, 1] > mean[48, 1]  # y up
    assert mean[NOSE_TIP, 2] > mean[JAW_ENDS, 2].max()  # z out of the face


def test_positive_yaw_moves_the_nose_to_the_left_of_the_picture(aflw, aflw2000):
    dataset, annotations = aflw2000
    poses = np.stack([dataset.parameters(k).pose[:3] for k in range(len(dataset))])
    pairs = [
        (aflw.landmarks_px, aflw.angles_deg),
        (annotations.original_px, np.degrees(poses)),
        (annotations.reannotated_px, np.degrees(poses)),
    ]
    for landmarks, angles in pairs:
        turned = (np.abs(angles[:, 1]) > 20) & (np.abs(angles[:, [0, 2]]).max(axis=1) < 45)
        nose = landmarks[:, NOSE_TIP, 0] - landmarks[:, EYE_CORNERS, 0].mean(axis=1)
        assert (np.sign(nose) == -np.sign(angles[:, 1]))[turned].mean() > 0.98


def test_aflw2000_poses_follow_the_conventions(aflw2000):
    dataset, annotations = aflw2000
    samples = [dataset[dataset.index_of[name]] for name in annotations.names]
    landmarks = np.stack([sample.landmarks_px for sample in samples])
    np.testing.assert_allclose(landmarks, annotations.original_px, atol=1e-3)
    yaw = np.array([sample.angles_deg[1] for sample in samples])
    np.testing.assert_allclose(yaw, annotations.yaw_deg, atol=1e-4)
    shape = unrotated(landmarks, np.stack([sample.rotation for sample in samples]))
    spread = np.linalg.norm(shape - shape.mean(axis=0), axis=(1, 2))
    assert np.median(spread) < 0.15
    mean = shape.mean(axis=0)
    assert mean[NOSE_TIP, 2] > mean[JAW_ENDS, 2].max() + 0.1


def test_ground_truth_boxes_cover_the_landmarks(aflw2000):
    _, annotations = aflw2000
    low, high = annotations.original_px[..., :2].min(1), annotations.original_px[..., :2].max(1)
    box = annotations.roi_box_px
    covered = ((low >= box[:, :2]) & (high <= box[:, 2:])).all(axis=1)
    assert (~covered).sum() == 2  # two faces reach beyond the image


def test_aflw2000_landmarks_follow_from_the_parameters(aflw2000):
    """Turned back by our placement, they are linear in the coefficients, to 1e-4 pixels.

    Basel's basis at the landmarks is not at hand; 400 faces determine its 229 columns.
    """
    dataset, _ = aflw2000
    files = [dataset.parameters(k) for k in range(len(dataset))]
    for file in files:
        assert all(getattr(file, field.name) is not None for field in fields(file))
    places = [file.placement(450) for file in files]
    local = np.stack(
        [
            (file.landmarks_px - place.origin_px) / place.scale @ np.diag([1, 1, -1])
            @ place.rotation
            for file, place in zip(files, places, strict=True)
        ]
    ).reshape(len(files), -1)  # fmt: skip
    design = np.stack([np.concatenate([[1.0], file.shape, file.expression]) for file in files])
    design /= np.abs(design).max(axis=0).clip(1e-12)
    basis, *_ = np.linalg.lstsq(design, local, rcond=1e-12)
    scale = np.array([place.scale for place in places])[:, None]
    assert np.abs((design @ basis - local) * scale).max() < 1e-3
    mean = basis[0].reshape(68, 3)
    assert 60 < mean[45, 0] - mean[36, 0] < 130  # millimetres, the subject's left towards x


def test_shards_hold_what_the_data_set_holds(aflw2000, tmp_path):
    dataset, _ = aflw2000

    class First:
        names, skipped = dataset.names[:5], SkippedSamples()

        def __len__(self):
            return 5

        def __getitem__(self, index):
            return dataset[index]

    write_shards(First(), tmp_path, lossless=True)
    for index, sample in enumerate(read_samples(Shards(tmp_path))):
        np.testing.assert_array_equal(sample.image, dataset[index].image)
        np.testing.assert_array_equal(sample.landmarks_px, dataset[index].landmarks_px)
        assert sample.name == dataset.names[index]
