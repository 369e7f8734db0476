"""Heads fitted on kept features against constructed truths."""

import numpy as np
import pytest

from mlanet.labelling.teacher import Teacher
from mlanet.morphable import load_model

torch = pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

from mlanet.differentiable_face import DifferentiableFace

FEATURES, SIZE = 24, 128
ORDER = ("identity", "expression", "albedo", "rotation", "shift", "depth", "lighting")


@pytest.fixture(scope="module")
def script(_scripts):
    import fit_heads

    return fit_heads


def heads_of(seed, scale=0.05):
    """Random heads over a face that stands upright."""
    generator = torch.Generator().manual_seed(seed)
    layout = load_model().layout
    sizes = (layout.identity, layout.expression, layout.albedo, 6, 2, 1, 27)
    heads = {
        name: (scale * torch.randn((size, FEATURES), generator=generator), torch.zeros(size))
        for name, size in zip(ORDER, sizes, strict=True)
    }
    heads["rotation"][1][:] = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    heads["expression"][1][:] = 0.4
    return heads


def answers(heads, features):
    given = torch.from_numpy(features).float()
    return torch.cat([given @ weight.T + bias for weight, bias in heads.values()], dim=1)


def rows_of(script, heads, count=400):
    """Crops on which these heads are right."""
    features = np.random.default_rng(1).normal(size=(count, FEATURES)) + 1.0
    face = DifferentiableFace(load_model())
    known = face.layout.split(answers(heads, features))
    return script.Rows(
        features=features,
        landmarks=face.landmarks_px(known, SIZE)[..., :2].numpy(),
        identity=known.identity.numpy(),
        expression=known.expression.clamp(0.0, 1.0).numpy(),
        rotation=known.rotation.numpy(),
        weight=np.ones(count),
    )


def after(script, rows, heads, monkeypatch, steps=120):
    monkeypatch.setattr(script, "STEPS", steps)
    monkeypatch.setattr(script, "BATCH", 128)
    monkeypatch.setattr(script, "RATE", 5e-3)
    new = script.fitted(rows, heads, SIZE)
    assert set(new) == {f"{name}.{what}" for name in script.FITTED for what in ("weight", "bias")}
    return {
        name: (new.get(f"{name}.weight", weight), new.get(f"{name}.bias", bias))
        for name, (weight, bias) in heads.items()
    }


def errors(rows, heads):
    """Mean distances of landmarks (px) and squared ones of the rotation."""
    face = DifferentiableFace(load_model())
    known = face.layout.split(answers(heads, rows.features))
    points = face.landmarks_px(known, SIZE)[..., :2].numpy()
    turned = np.square(known.rotation.numpy() - rows.rotation).sum(axis=1).mean()
    return np.linalg.norm(points - rows.landmarks, axis=-1).mean(), turned


def test_heads_come_nearer_to_those_that_made_the_labels(script, monkeypatch):
    truth, start = heads_of(0), heads_of(0)
    for name in script.FITTED:
        start[name] = (start[name][0] + 0.3 * heads_of(1)[name][0], start[name][1] + 0.01)
    rows = rows_of(script, truth)
    before = errors(rows, start)
    now = errors(rows, after(script, rows, start, monkeypatch))
    assert now[0] < 0.5 * before[0]
    assert now[1] < 0.3 * before[1]


def test_what_is_right_stays_right(script, monkeypatch):
    truth = heads_of(2)
    rows = rows_of(script, truth)
    distance, turned = errors(rows, after(script, rows, truth, monkeypatch, steps=60))
    assert distance < 0.3
    assert turned < 1e-4


def test_what_nobody_knows_pulls_at_nothing(script, monkeypatch):
    """Without rotations and expressions, wrong ones in their places change nothing."""
    rows = rows_of(script, heads_of(0))
    rows.rotation[:] = np.nan
    rows.expression[:] = np.nan
    start = heads_of(3)
    found = after(script, rows, start, monkeypatch, steps=3)
    monkeypatch.setitem(script.WEIGHTS, "rotation", 1e9)
    again = after(script, rows, start, monkeypatch, steps=3)
    for name in script.FITTED:
        torch.testing.assert_close(again[name][0], found[name][0])


def test_a_turned_crop_turns_the_camera(script):
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = script.turn_of(np.column_stack([2.5 * turn, [3.0, 4.0]]))
    np.testing.assert_allclose(found[:2, :2], turn)
    np.testing.assert_allclose(found[2], [0, 0, 1])
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-12)


def test_lids_and_jaw_are_the_teachers_brows_half_way(script):
    names = list(load_model().expression_names)
    rng = np.random.default_rng(8)
    labels = rng.uniform(0.0, 1.0, (50, len(names)))
    scores = {name: rng.uniform(0.0, 0.6, 50) for name in script.TEACHERS_SHARE}
    scores["eyeBlinkLeft"][:2] = (0.0, 0.7)
    found = script.wanted_expression(
        labels, Teacher(np.ones(50, bool), np.zeros((50, 68, 2)), {}, scores)
    )
    np.testing.assert_allclose(found[:2, names.index("eyeBlinkLeft")], [0.0, 1.0])
    for name, share in (("jawOpen", 1.0), ("browInnerUp", 0.5)):
        place = names.index(name)
        theirs = (found[:, place] - (1.0 - share) * labels[:, place]) / share
        unclipped = (theirs > 1e-9) & (theirs < 1.0 - 1e-9)
        assert unclipped.sum() > 10
        assert np.corrcoef(theirs[unclipped], scores[name][unclipped])[0, 1] > 1.0 - 1e-9
    moved = [names.index(name) for name in scores]
    np.testing.assert_array_equal(np.delete(found, moved, axis=1), np.delete(labels, moved, axis=1))
