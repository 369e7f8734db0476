import math

import numpy as np
import pytest

from mlanet.geometry import AMBIENT_WHITE, decode_lighting, harmonics_basis, shading


@pytest.fixture(scope="module")
def sphere():
    """Directions (n, 3) and their weights, exact for polynomials of degree 19 on the sphere."""
    z, weight = np.polynomial.legendre.leggauss(40)
    angle = np.arange(80) * (2 * math.pi / 80)
    ring = np.sqrt(1 - z**2)[:, None]
    x, y = ring * np.cos(angle), ring * np.sin(angle)
    directions = np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], axis=-1).reshape(-1, 3)
    return directions, np.repeat(weight, 80) * (2 * math.pi / 80)


def unit_vectors(count, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_basis_is_orthonormal(sphere):
    directions, weight = sphere
    assert weight.sum() == pytest.approx(4 * math.pi)
    basis = harmonics_basis(directions)
    np.testing.assert_allclose((basis * weight[:, None]).T @ basis, np.eye(9), atol=1e-12)


def test_the_order_of_the_basis_is_that_of_the_conventions():
    x, y, z = unit_vectors(30).T
    shapes = [1 + 0 * x, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    basis = harmonics_basis(np.stack([x, y, z], axis=1))
    for k, shape in enumerate(shapes):
        factor = basis[:, k] / shape
        assert factor.min() > 0
        np.testing.assert_allclose(factor, factor[0])


def test_white_ambient_light_shows_the_albedo_unchanged():
    lighting = np.zeros((9, 3))
    lighting[0] = AMBIENT_WHITE
    assert pytest.approx(2 * math.sqrt(math.pi)) == AMBIENT_WHITE
    np.testing.assert_allclose(shading(unit_vectors(50), lighting), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(decode_lighting(np.zeros(27)), lighting)


def test_offsets_are_nine_harmonics_of_three_colours():
    offsets = np.zeros((2, 27))
    offsets[1, 3] = 0.5  # second harmonic (y), red
    offsets[1, 2] = 0.25  # first harmonic, blue
    lighting = decode_lighting(offsets)
    assert lighting.shape == (2, 9, 3)
    assert lighting[1, 1].tolist() == [0.5, 0, 0]
    np.testing.assert_allclose(lighting[1, 0], [AMBIENT_WHITE, AMBIENT_WHITE, AMBIENT_WHITE + 0.25])
    above = shading(np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]), lighting[1])
    assert above[0, 0] > 1 > above[1, 0]
    np.testing.assert_allclose(above[:, 1], 1)


def test_shading_is_the_light_integrated_over_the_cosine_lobe(sphere):
    """Irradiance over π of a smooth environment, whose coefficients are its projections."""
    directions, weight = sphere
    coefficients = np.random.default_rng(1).normal(size=(9, 3))
    radiance = harmonics_basis(directions) @ coefficients
    normals = unit_vectors(5, seed=2)
    cosine = np.maximum(normals @ directions.T, 0)
    irradiance = (cosine * weight) @ radiance
    np.testing.assert_allclose(shading(normals, coefficients), irradiance / math.pi, atol=2e-3)


def test_a_constant_light_projects_onto_the_ambient_coefficient(sphere):
    directions, weight = sphere
    projected = (harmonics_basis(directions) * weight[:, None]).sum(axis=0)
    np.testing.assert_allclose(projected, [AMBIENT_WHITE, *[0] * 8], atol=1e-12)


def test_torch_gives_the_same_numbers(torch):
    normals = unit_vectors(12).reshape(2, 6, 3)
    offsets = np.random.default_rng(3).normal(size=(2, 27))
    expected = shading(normals, decode_lighting(offsets))
    found = shading(torch.from_numpy(normals), decode_lighting(torch.from_numpy(offsets)))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    single = shading(torch.from_numpy(normals).float(), decode_lighting(torch.zeros(2, 27)))
    assert single.dtype == torch.float32


def test_gradients(torch):
    normals = torch.from_numpy(unit_vectors(4)).requires_grad_()
    offsets = torch.from_numpy(np.random.default_rng(4).normal(size=27)).requires_grad_()
    assert torch.autograd.gradcheck(lambda n, o: shading(n, decode_lighting(o)), (normals, offsets))
