import pytest

pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import PAPER


def test_the_papers_weights():
    assert (PAPER.identity_features, PAPER.photometric, PAPER.landmarks) == (0.35, 1.5, 0.01)
    assert (PAPER.light, PAPER.albedo_uniformity) == (5.0, 3.0)
