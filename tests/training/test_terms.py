import pytest

from mlanet.errors import ConfigurationError
from mlanet.network import PRESETS
from mlanet.training import LossWeights, RenderedWeights, paper_weights


def test_the_papers_weights():
    """Sums of squared coefficients there, means here."""
    labelled, rendered = paper_weights(PRESETS["paper"].layout)
    used = {name for name in LossWeights.__slots__ if getattr(labelled, name) > 0.0}
    assert used == {"emphasised_landmarks"}
    assert labelled.emphasised_landmarks == 0.01
    assert (rendered.identity_features, rendered.photometric) == (0.35, 1.5)
    assert (rendered.light, rendered.albedo_uniformity) == (5.0, 3.0)
    layout = PRESETS["paper"].layout
    assert rendered.identity_prior == pytest.approx(5e-4 * 1.3 * layout.identity)
    assert rendered.expression_prior == pytest.approx(5e-4 * 1.1 * layout.expression)
    assert rendered.albedo_prior == pytest.approx(5e-4 * 0.06 * layout.albedo)
    assert rendered.light_prior == rendered.flip == rendered.symmetry == rendered.edges == 0.0


@pytest.mark.parametrize("kind", [LossWeights, RenderedWeights])
def test_weights_are_not_negative(kind):
    with pytest.raises(ConfigurationError, match="photometric must be at least 0"):
        kind(photometric=-1.0)
    with pytest.raises(ConfigurationError, match="light must be a number"):
        kind(light="much")
