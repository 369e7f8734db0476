import numpy as np

from mlanet.morphable import closed_lids, load_model


def test_lids_meet_where_the_seam_is():
    model = load_model()
    lids = closed_lids(model)
    assert lids is not None
    assert len(lids.eyes) == 2
    assert (lids.areas_mm2 > 0.0).all()
    mean = model.subdivide(model.shape.mean)
    for eye, centre in zip(lids.eyes, model.eye_centres(mean), strict=True):
        assert 100 < eye.lid.sum() < 2000
        assert not (eye.rim & ~eye.near).any()
        lower = (eye.below_mm < 0.3) & eye.near & ~eye.rim
        seam = eye.lid & eye.upper & ~eye.rim & (np.abs(eye.above_mm) < 0.3)
        for rows in (lower, seam):
            assert np.ptp(mean[rows, 0]) > 15.0
            assert (np.linalg.norm(lids.vertices[rows] - centre, axis=1) < 20.0).all()
        outwards = (mean[:, 0] - centre[0]) * np.sign(centre[0])
        order = np.argsort(outwards[seam])
        assert (np.diff(eye.along[seam][order]) > -0.1).all()


def test_both_eyes_are_alike():
    lids = closed_lids(load_model())
    assert lids is not None
    left, right = lids.eyes
    assert abs(int(left.lid.sum()) - int(right.lid.sum())) < 10
    assert abs(float(left.along[left.lid].mean() - right.along[right.lid].mean())) < 0.01
