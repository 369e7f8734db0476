"""Detail of rendered heads with grooves, and with the same lines painted on smooth skin."""

import detail as benchmark
import numpy as np
import pytest

from mlanet.morphable import load_model
from mlanet.texturing import detail_normals


@pytest.fixture(scope="module")
def found():
    model = load_model()
    scenes = {look: benchmark.scene(model, 1, look) for look in ("relief", "paint")}
    return scenes, {look: benchmark.agreement(made) for look, made in scenes.items()}


def test_relief_is_told_and_paint_is_not(found):
    _, agreements = found
    relief, paint = agreements["relief"], agreements["paint"]
    assert relief.correlation > 0.4
    assert abs(paint.correlation) < 0.1
    # painted lines are the stronger ones in the photo
    assert paint.strength < relief.strength


def test_normals_are_units_and_flat_off_the_seen_face(found):
    made = found[0]["relief"]
    normals = detail_normals(made.texture, made.head, made.albedo)
    length = np.linalg.norm(normals / 127.5 - 1.0, axis=-1)
    np.testing.assert_allclose(length, 1.0, atol=0.02)
    flat = (normals == [128, 128, 255]).all(axis=-1)
    assert 0.5 < flat.mean() < 0.99
    assert flat[made.texture.visibility == 0.0].all()
