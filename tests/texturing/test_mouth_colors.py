import numpy as np

from mlanet.texturing.mouth_colors import mouth_colors

SIZE = 40
SKIN = np.array([65.0, 15.0, 18.0], np.float32)
ENAMEL, GUM, LIP = (75.0, 2.0, 10.0), (45.0, 30.0, 15.0), (50.0, 30.0, 15.0)


def scene():
    """Lips around upper and lower teeth, and the tongue between them, as model and photo."""
    parts = np.zeros((3, SIZE, SIZE), np.float32)
    parts[2, :10] = parts[2, 30:] = 1.0
    parts[0, 10:18] = parts[0, 22:30] = 1.0
    parts[1, 18:22] = 1.0
    model = np.empty((SIZE, SIZE, 3), np.float32)
    model[:] = LIP
    model[10:18] = model[22:30] = ENAMEL
    model[18:22] = GUM
    return parts, model


def judged(found, parts, model):
    share = np.ones((SIZE, SIZE), np.float32)
    return mouth_colors(found, model, share, SKIN, tuple(parts))


def test_what_belongs_where_it_lies_stays():
    parts, model = scene()
    assert judged(model.copy(), parts, model).own.min() > 0.9


def test_teeth_and_lips_that_lie_on_each_other_are_not_kept():
    parts, model = scene()
    found = model.copy()
    found[8:10] = found[18:20] = ENAMEL
    found[10:12] = LIP
    own = judged(found, parts, model).own
    for rows in ((8, 10), (10, 12), (18, 20)):
        assert own[slice(*rows)].max() < 0.1
    assert own[:8].min() > 0.9
    assert own[12:18].min() > 0.9


def test_hidden_teeth_take_the_colour_of_those_that_are_seen():
    parts, model = scene()
    yellow = model.copy()
    yellow[10:18] += (-6.0, 0.0, 9.0)
    yellow[22:30] = LIP
    told = judged(yellow, parts, model)
    np.testing.assert_allclose(told.change, (-6.0, 0.0, 9.0), atol=0.1)
    assert told.teeth[22:30].min() > 0.9
    assert told.teeth[:10].max() == 0.0


def test_a_line_of_teeth_between_closed_lips_is_not_believed():
    parts, model = scene()
    closed = model.copy()
    closed[10:30] = LIP
    closed[10, :4] = ENAMEL
    told = judged(closed, parts, model)
    assert told.own[10:18].max() < 0.1
    assert not told.teeth.any()
