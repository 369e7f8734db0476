import numpy as np
import pytest

from mlanet.geometry import Similarity
from mlanet.metrics import Surface, nme_interocular_icp

pytestmark = pytest.mark.usefixtures("with_scipy")

STILL = Similarity(1.0, np.eye(3), np.zeros(3))


def plate(z=0.0, side=60.0, step=4.0):
    line = np.arange(-side, side + step / 2, step)
    x, y = np.meshgrid(line, line)
    count = len(line)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).reshape(-1, 1)
    halves = np.array([[0, 1, count + 1], [0, count + 1, count]])
    vertices = np.stack([x, y, np.full_like(x, z)], axis=-1).reshape(-1, 3)
    return Surface(vertices, np.concatenate([corner + half for half in halves]))


def test_an_offset_counts_in_units_of_the_eyes_distance():
    found = nme_interocular_icp(plate(2.0, 40.0), plate(), np.zeros(3), STILL, 80.0)
    assert found == pytest.approx(2.5)


def test_the_motion_is_applied():
    small = Surface(plate(2.0, 40.0).vertices / 10, plate(2.0, 40.0).topology.faces)
    motion = Similarity(10.0, np.eye(3), np.array([0.0, 0.0, -1.0]))
    found = nme_interocular_icp(small, plate(), np.zeros(3), motion, 100.0, num_points=500)
    assert found == pytest.approx(1.0)


def test_the_crop_counts():
    """A plate 2 mm above the other within 24 mm of its middle, 6 mm outside."""
    flat = plate(2.0, 40.0)
    x, y, z = flat.vertices.T
    step = Surface(
        np.stack([x, y, np.where(np.hypot(x, y) < 24.0, z, 6.0)], axis=1), flat.topology.faces
    )
    near = nme_interocular_icp(step, plate(), np.zeros(3), STILL, 80.0, radius_mm=19.0)
    assert near == pytest.approx(2.5)
    far = nme_interocular_icp(step, plate(), np.zeros(3), STILL, 80.0, radius_mm=95.0)
    assert far > 4.0


def test_surfaces_that_face_away_from_each_other_do_not_correspond():
    front = plate(2.0, 40.0)
    back = Surface(front.vertices, front.topology.faces[:, ::-1])
    with pytest.raises(ValueError, match="counterpart"):
        nme_interocular_icp(back, plate(), np.zeros(3), STILL, 80.0)


def test_points_are_spread_by_area():
    surface = plate(0.0, 50.0)
    points, normals = surface.spread(4000)
    assert len(points) == 4000
    np.testing.assert_allclose(normals, np.broadcast_to([0.0, 0.0, 1.0], normals.shape))
    share = (np.abs(points[:, :2]).max(axis=1) < 25).mean()
    assert share == pytest.approx(0.25, abs=0.01)


def test_a_distance_of_the_eyes_must_be_positive():
    with pytest.raises(ValueError, match="interocular_mm"):
        nme_interocular_icp(plate(), plate(), np.zeros(3), STILL, 0.0)
