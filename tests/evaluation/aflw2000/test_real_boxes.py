import os
from pathlib import Path

import numpy as np
import pytest

from mlanet.datasets import AFLW2000, AFLW2000Annotations, read_annotations
from mlanet.errors import DataError
from mlanet.evaluation.aflw2000.framing import square_roi_box
from mlanet.geometry import bounding_box
from mlanet.metrics import mean_of_yaw_bins, nme_2d_68

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA is not set"),
]


@pytest.fixture(scope="module")
def annotations():
    return AFLW2000Annotations.load(
        Path(os.environ["MLANET_DATA"]) / "aflw2000_dev" / "annotations.npz"
    )


def test_boxes_are_the_protocols_squares(annotations):
    square = np.stack([square_roi_box(box, (450, 450)) for box in annotations.roi_box_px])
    box = bounding_box(annotations.original_px)
    centre, longest = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]).max(axis=1)
    half = longest[:, None] / np.sqrt(2)
    error = np.abs(square - np.concatenate([centre - half, centre + half], axis=1)).max(axis=1)
    assert (error < 1.5).mean() > 0.98  # the rest was clipped on two sides
    covers = (square[:, :2] <= box[:, :2] + 1) & (square[:, 2:] >= box[:, 2:] - 1)
    assert covers.all(axis=1).mean() > 0.995


def test_the_two_annotations_differ_by_a_known_amount(annotations):
    error = nme_2d_68(
        annotations.landmarks_2d_px("reannotated"), annotations.landmarks_2d_px("original")
    )
    found = mean_of_yaw_bins(error, annotations.yaw_deg)
    assert found.counts == {"0-30": 272, "30-60": 76, "60-90": 52}
    assert 1.5 < found.mean < 5.0


def test_the_mat_files_hold_the_same_annotation(annotations):
    dataset = AFLW2000(Path(os.environ["MLANET_DATA"]) / "aflw2000_dev")
    own = read_annotations(None, dataset)
    assert own.names == annotations.names
    np.testing.assert_array_equal(own.roi_box_px, annotations.roi_box_px)
    np.testing.assert_allclose(own.original_px, annotations.original_px, atol=1e-4)
    np.testing.assert_allclose(own.yaw_deg, annotations.yaw_deg, atol=1e-4)


def test_3ddfas_file_of_the_re_annotation(annotations, tmp_path):
    dataset = AFLW2000(Path(os.environ["MLANET_DATA"]) / "aflw2000_dev")
    stored = annotations.reannotated_px.transpose(0, 2, 1)
    np.save(tmp_path / "again.npy", stored)
    found = read_annotations(tmp_path / "again.npy", dataset)
    np.testing.assert_array_equal(found.reannotated_px, annotations.reannotated_px)
    np.save(tmp_path / "again.npy", np.roll(stored, 1, axis=0))
    with pytest.raises(DataError, match="do not lie on the faces"):
        read_annotations(tmp_path / "again.npy", dataset)
