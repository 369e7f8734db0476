import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlanet.coefficients import NUM_LIGHTING, CoefficientLayout, Coefficients, array_namespace

counts = st.integers(0, 12)
layouts = st.builds(
    CoefficientLayout,
    identity=counts,
    expression=counts,
    albedo=counts,
    rotation=st.sampled_from(["6d", "euler"]),
)


@given(layouts)
def test_blocks_tile_the_vector_in_order(layout):
    order = list(layout.slices)
    assert order == ["identity", "expression", "albedo", "rotation", "translation", "lighting"]
    covered = [i for cut in layout.slices.values() for i in range(cut.start, cut.stop)]
    assert covered == list(range(layout.size))
    assert layout.num_rotation == {"6d": 6, "euler": 3}[layout.rotation]
    fixed = layout.num_rotation + 3 + NUM_LIGHTING
    assert layout.size == layout.identity + layout.expression + layout.albedo + fixed


@given(layouts, st.sampled_from([(), (1,), (4,), (2, 3)]))
def test_split_and_join_undo_each_other(layout, batch):
    vector = np.random.default_rng(0).normal(size=(*batch, layout.size))
    _check_split_and_join(layout, vector)


@given(layouts, st.sampled_from([(), (4,)]))
def test_split_and_join_undo_each_other_in_torch(torch, layout, batch):
    vector = np.random.default_rng(0).normal(size=(*batch, layout.size))
    _check_split_and_join(layout, torch.from_numpy(vector))


def _check_split_and_join(layout, vector):
    batch = vector.shape[:-1]
    parts = layout.split(vector)
    assert parts.translation.shape == (*batch, 3)
    assert parts.identity.shape == (*batch, layout.identity)
    joined = layout.join(parts)
    assert type(joined) is type(vector)
    np.testing.assert_array_equal(np.asarray(joined), np.asarray(vector))


def test_namespaces_have_what_arrays_need(torch):
    for array in (np.ones(2), torch.ones(2)):
        functions = array_namespace(array, array)
        assert functions.clip(array, max=0.5).sum() == 1.0
        assert functions.astype(array, functions.int64).dtype == functions.int64
    assert not hasattr(np, "astype") or array_namespace(np.ones(2)) is np


def test_the_paper_s_layout_has_257_numbers():
    assert CoefficientLayout(80, 64, 80, rotation="euler").size == 257


def test_gradients_pass_through_split_and_join(torch):
    layout = CoefficientLayout(2, 2, 1)
    vector = torch.zeros(3, layout.size, requires_grad=True)
    layout.join(layout.split(vector)).sum().backward()
    assert vector.grad is not None
    assert (vector.grad == 1).all()


def test_wrong_lengths_are_refused():
    layout = CoefficientLayout(2, 3, 4)
    with pytest.raises(ValueError, match=f"expected {layout.size} coefficients, got 7"):
        layout.split(np.zeros(7))
    other = CoefficientLayout(2, 5, 4)
    with pytest.raises(ValueError, match="expression needs 3 numbers, got 5"):
        layout.join(other.split(np.zeros(other.size)))


@pytest.mark.parametrize("name", ["identity", "expression", "albedo"])
def test_negative_counts_are_refused(name):
    sizes = {"identity": 1, "expression": 1, "albedo": 1, name: -1}
    with pytest.raises(ValueError, match=f"{name} must not be negative, got -1"):
        CoefficientLayout(**sizes)


def test_unknown_rotations_are_refused():
    with pytest.raises((ValueError, TypeError), match="rotation"):
        CoefficientLayout(1, 1, 1, rotation="quaternion")


def test_coefficients_cannot_be_changed():
    parts = CoefficientLayout(1, 1, 1).split(np.zeros(39))
    assert isinstance(parts, Coefficients)
    with pytest.raises(AttributeError):
        parts.identity = np.zeros(1)
