from dataclasses import replace

import numpy as np

from mlanet.geometry import Camera, Pose
from mlanet.morphable import load_model
from mlanet.render import PosedHead
from mlanet.texturing.folded_lids import folded, lid_planes, unfolded
from mlanet.texturing.of_head import texture_atlas


def seen(model, blink):
    """The shares of a head that is seen from before."""
    layout = model.layout
    expression = np.zeros(layout.expression, np.float32)
    for side in ("Left", "Right"):
        expression[model.expression_names.index(f"eyeBlink{side}")] = blink
    vertices = model.vertices(np.zeros(layout.identity, np.float32), expression)
    turned = np.diag([1.0, -1.0, -1.0])
    pose = Pose(turned, np.array([0.0, 0.0, 1000.0]))
    head = PosedHead(model, vertices, pose, Camera(1000.0, (256.0, 256.0)))
    return unfolded(model, head.projected, head.mm_per_px)


def test_open_lids_are_folded_away_and_closed_ones_are_not():
    model = load_model()
    open_eyes, closed = seen(model, 0.0), seen(model, 1.0)
    lids = open_eyes < 0.5
    assert 20 < lids.sum() < 2000
    assert closed[lids].mean() > 0.9
    assert (closed < 0.5).sum() < 0.2 * lids.sum()


def test_only_lids_are_meant():
    model = load_model()
    mean = model.subdivide(model.shape.mean)
    near = np.min(
        [np.linalg.norm(mean - centre, axis=1) for centre in model.eye_centres(mean)], axis=0
    )
    assert (seen(model, 0.0)[near > 35.0] == 1.0).all()


def test_lashes_are_a_line_at_each_upper_lid():
    model = load_model()
    size = 512
    planes = lid_planes(model, texture_atlas(model, size), size)
    assert len(planes) == 2
    for each in planes:
        dark = (each.lashes > 0.5) & (each.lid > 0.8)
        assert 10 < dark.sum() < 0.1 * dark.size
        rows, columns = np.nonzero(dark)
        assert np.ptp(columns) > 3 * np.ptp(rows)
        assert (each.around * each.lid < 0.3).all()
        assert each.around.sum() > 0.3 * each.lid.sum()


def test_only_closed_eyes_are_not_folded():
    model = load_model()
    assert folded(model, seen(model, 0.0)) == 1.0
    assert folded(model, seen(model, 1.0)) == 0.0


def test_models_without_blinks_trust_everything():
    model = load_model()
    other = replace(model, expression_names=tuple(f"mode_{k}" for k in range(52)))
    share = unfolded(other, np.zeros((model.topology.num_vertices, 3)), 1.0)
    assert (share == 1.0).all()
    assert folded(other, share) == 0.0
    assert lid_planes(other, texture_atlas(model, 256), 256) == []
