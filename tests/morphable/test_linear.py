import numpy as np
import pytest

from mlanet.morphable import LinearShape


@pytest.fixture(scope="module")
def shape():
    rng = np.random.default_rng(0)
    return LinearShape(
        rng.normal(size=(6, 3)), rng.normal(size=(6, 3, 4)), rng.normal(size=(6, 3, 2))
    )


def decode_slowly(shape, identity, expression):
    points = shape.mean.copy()
    for vertex in range(len(points)):
        for axis in range(3):
            for k, amount in enumerate(identity):
                points[vertex, axis] += amount * shape.identity[vertex, axis, k]
            for k, amount in enumerate(expression):
                points[vertex, axis] += amount * shape.expression[vertex, axis, k]
    return points


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_decoding_equals_the_slow_loop(shape, batch):
    rng = np.random.default_rng(1)
    identity, expression = rng.normal(size=(*batch, 4)), rng.normal(size=(*batch, 2))
    found = shape(identity, expression)
    assert found.shape == (*batch, 6, 3)
    for index in np.ndindex(batch):
        expected = decode_slowly(shape, identity[index], expression[index])
        np.testing.assert_allclose(found[index], expected)


def test_points_on_triangles_are_blended_after_or_before_decoding(shape):
    corners = np.array([[0, 1, 2], [5, 3, 1]])
    weights = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
    identity, expression = np.arange(4.0), np.array([1.0, -2.0])
    points = shape.at(corners, weights)(identity, expression)
    whole = shape(identity, expression)
    np.testing.assert_allclose(points, (whole[corners] * weights[..., None]).sum(axis=1))
    np.testing.assert_allclose(points[1], whole[3])


def test_a_selection_decodes_to_the_selected_points(shape):
    chosen = np.array([4, 0])
    identity, expression = np.arange(4.0), np.ones(2)
    found = shape.only(chosen)(identity, expression)
    np.testing.assert_allclose(found, shape(identity, expression)[chosen])


def test_torch_gives_the_same_numbers_and_gradients(shape, torch):
    rng = np.random.default_rng(2)
    identity, expression = rng.normal(size=(3, 4)), rng.normal(size=(3, 2))
    in_torch = shape.convert(torch.from_numpy)
    tensors = [torch.from_numpy(part).requires_grad_() for part in (identity, expression)]
    found = in_torch(*tensors)
    np.testing.assert_allclose(found.detach().numpy(), shape(identity, expression), atol=1e-12)
    assert torch.autograd.gradcheck(in_torch, tuple(tensors))
