import io
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest
from scipy.io import savemat

from mlanet.datasets.parameters import Placement, read_parameters
from mlanet.errors import DataError
from mlanet.geometry import matrix_from_euler, viewer_from_camera

CONTENT = {
    "Pose_Para": np.array([[0.1, -0.4, 0.2, 231.0, 262.0, -102.0, 1.5e-3]], np.float32),
    "Shape_Para": np.arange(199.0)[:, None],
    "Exp_Para": np.arange(29, dtype=np.uint8)[:, None],
    "Tex_Para": np.arange(199.0)[None],
    "Color_Para": np.arange(7, dtype=np.uint8)[None],
    "Illum_Para": np.arange(10.0)[None],
    "roi": np.array([[13, -26, 437, 398]], np.int16),
    "pt2d": np.array([[1.5, -1.0, 7.0], [2.5, 452.0, 8.0]]),
    "pt3d_68": np.arange(204.0).reshape(3, 68),
}


def mat(**changes):
    file = io.BytesIO()
    savemat(file, {k: v for k, v in (CONTENT | changes).items() if v is not None})
    return file.getvalue()


def test_every_variable_is_read_in_double_precision():
    found = read_parameters(mat(), "a.mat")
    arrays = {name: getattr(found, name) for name in [field.name for field in fields(found)]}
    assert arrays.pop("malformed") == found.oddities == ()
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float64)}
    np.testing.assert_allclose(found.pose, CONTENT["Pose_Para"][0])
    np.testing.assert_array_equal(found.shape, np.arange(199))
    np.testing.assert_array_equal(found.expression, np.arange(29))
    np.testing.assert_array_equal(found.texture, np.arange(199))
    np.testing.assert_array_equal(found.color, np.arange(7))
    np.testing.assert_array_equal(found.illumination, np.arange(10))
    np.testing.assert_array_equal(found.roi_px, [13, -26, 437, 398])
    np.testing.assert_array_equal(found.points_px, [[1.5, 2.5], [np.nan, np.nan], [7.0, 8.0]])
    np.testing.assert_array_equal(found.landmarks_px[3], [3.0, 71.0, 139.0])


def test_variables_that_are_not_needed_may_be_absent():
    found = read_parameters(mat(Tex_Para=None, roi=None, pt3d_68=None), "a.mat")
    assert found.texture is found.roi_px is found.landmarks_px is None
    with pytest.raises(DataError, match=r"a\.mat: pt3d_68 is missing"):
        read_parameters(mat(pt3d_68=None), "a.mat", ("pt3d_68",))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("Pose_Para", None, "Pose_Para is missing"),
        ("Exp_Para", np.zeros((28, 1)), "Exp_Para is malformed"),
        ("Shape_Para", np.full((199, 1), np.nan), "Shape_Para is not finite"),
        ("Exp_Para", {"a": 1}, "Exp_Para is malformed"),
    ],
)
def test_malformed_variables_are_named(key, value, message):
    with pytest.raises(DataError, match=rf"a\.mat.*{message}"):
        read_parameters(mat(**{key: value}), "a.mat")


def test_pose_in_our_conventions_projects_as_the_data_set_does():
    """The published formula: s R v + t with y up, then y = height + 1 - y."""
    parameters = read_parameters(mat(), "a.mat")
    points = np.random.default_rng(0).normal(0, 6e4, (9, 3))
    viewer = viewer_from_camera(matrix_from_euler(parameters.pose[:3]))
    wanted = parameters.pose[6] * points @ viewer.T + parameters.pose[3:6]
    wanted[:, 1] = 450 + 1 - wanted[:, 1]
    found = parameters.placement(450).project(points / 1000.0)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert found[points[:, 2].argmax(), 2] > found[points[:, 2].argmin(), 2]
    np.testing.assert_allclose(parameters.angles_deg, np.degrees(parameters.pose[:3]))


def test_a_frontal_placement_is_upright():
    place = Placement.from_source(np.diag([1.0, -1.0, -1.0]), 1e-3, np.array([10.0, 20, 0]), 100)
    up, left, near = place.project(50.0 * np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]))
    assert up[1] < place.origin_px[1] < left[1] + 1e-9
    assert left[0] > place.origin_px[0]
    assert near[2] > 0
    assert place.scale == pytest.approx(1.0)


def test_a_bomb_is_never_unpacked():
    file = io.BytesIO()
    savemat(file, {"Shape_Para": np.zeros(100 * 2**20, np.uint8)}, do_compression=True)
    data = file.getvalue()
    assert len(data) < 2**20
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a\.mat.*64 MiB"):
        read_parameters(data, "a.mat")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_version_4_is_read(write_face, tmp_path):
    content = write_face(tmp_path, "a", 1)
    file = io.BytesIO()
    savemat(file, {name: np.float64(value) for name, value in content.items()}, format="4")
    found = read_parameters(file.getvalue(), "a.mat")
    np.testing.assert_array_equal(found.shape, content["Shape_Para"].ravel())


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("Tex_Para", np.zeros((199, 1), complex), "texture"),
        ("Color_Para", "seven n", "color"),
        ("pt2d", np.zeros((21, 2)), "points_px"),
        ("roi", {"a": 1}, "roi_px"),
        ("Illum_Para", np.full((1, 10), np.inf), "illumination"),
    ],
)
def test_what_nobody_needs_is_left_out_where_it_is_malformed(key, value, field):
    found = read_parameters(mat(**{key: value}), "a.mat")
    assert getattr(found, field) is None
    assert [text.split()[0] for text in found.oddities] == [key]


def test_a_pose_that_cannot_be_is_odd_and_no_error():
    """As image04157 of AFLW2000-3D."""
    pose = np.array([[0.1, 15.6, 0.2, 231.0, 262.0, -102.0, -1.5e-3]], np.float32)
    found = read_parameters(mat(Pose_Para=pose), "a.mat")
    assert "scale" in found.oddities[0]
    assert "894 degrees" in found.oddities[1]
    with pytest.raises(DataError, match="scale"):
        found.placement(450)
