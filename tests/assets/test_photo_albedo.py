"""How the photographic albedo is read off photos and analysed."""

from importlib import import_module

import numpy as np
import pytest

from mlanet.fitting import LandmarkFit
from mlanet.geometry import viewer_from_camera
from mlanet.morphable import MorphableModel
from mlanet.render import rasterize

SIZE, SCALE = 400, 1.6


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def script(name: str):
    """A module of assets/photo_albedo."""
    return import_module(f"photo_albedo.{name}")


def frontal(model) -> LandmarkFit:
    """The mean face, looking into the camera, in the middle of the picture."""
    layout = model.layout
    rotation = viewer_from_camera(np.eye(3))[None]
    place = np.array([[SIZE / 2, SIZE / 2, np.log(SCALE), 0.0]])
    zero = np.zeros((1, 0, 3))
    return LandmarkFit(
        np.zeros((1, layout.identity)), np.zeros((1, layout.expression)), rotation, place, zero
    )


def painted(model, colors) -> np.ndarray:
    """A picture of the mean face without light."""
    zero = np.zeros(model.layout.identity, np.float32), np.zeros(model.layout.expression)
    camera = model.vertices(*zero) @ frontal(model).rotation[0].T
    points = np.column_stack([SCALE * camera[:, :2] + SIZE / 2, camera[:, 2] + 1000.0])
    seen = rasterize(points, model.topology.faces, (SIZE, SIZE), cull_backfaces=True)
    ends = model._spread(colors)[model.topology.faces[seen.face_index]]
    image = np.where(seen.mask[..., None], (ends * seen.barycentric[..., None]).sum(axis=2), 0.5)
    return np.rint(255 * image).astype(np.uint8)


def test_colors_come_back_from_a_picture(model):
    colors = np.random.default_rng(0).uniform(0.3, 0.7, (model.num_base_vertices, 3))
    seen = script("observe").observe(model, [painted(model, colors)], frontal(model))
    sure = (seen.weight[0] > 0.95) & (model.regions["cheeks"] + model.regions["lips"] > 0.5)
    assert sure.sum() > 50
    error = np.abs(seen.colors[0] - colors)[sure]
    assert np.median(error) < 0.02
    assert seen.weight[0][model.vertex_parts != model.part_names.index("skin")].max() == 0.0


def test_corner_weights_are_those_of_the_decoded_mesh(model):
    weights = script("observe").base_corner_weights(model)
    values = np.random.default_rng(0).normal(size=model.num_base_vertices)
    base = np.repeat(values[model.base_faces], 4, axis=0)
    decoded = model._spread(values)[model.topology.faces]
    np.testing.assert_allclose(np.einsum("gkb,gb->gk", weights, base), decoded, atol=1e-6)


def test_modes_of_incomplete_samples_are_found():
    rng = np.random.default_rng(0)
    basis = 0.1 * rng.normal(size=(40, 3, 2))
    mean = rng.uniform(0.4, 0.6, (40, 3))
    z = rng.normal(size=(300, 2))
    samples = mean + np.einsum("vca,na->nvc", basis, z)
    weight = (rng.uniform(size=(300, 40)) > 0.3).astype(float)
    found, modes = script("components").expectation_maximisation(
        samples, weight, np.ones(300), 2, 20
    )
    np.testing.assert_allclose(found, mean, atol=0.03)
    true, got = (np.linalg.qr(b.reshape(120, 2))[0] for b in (basis, modes))
    assert np.linalg.svd(true.T @ got)[1].min() > 0.99


def test_an_important_sample_counts_as_several():
    rng = np.random.default_rng(1)
    first = np.arange(90) < 30
    samples = np.where(first, 0.4, 0.6)[:, None, None] + 0.01 * rng.normal(size=(90, 40, 3))
    for importance, expected in ((np.ones(90), 1.6 / 3), (np.where(first, 2.0, 1.0), 0.5)):
        mean, _ = script("components").expectation_maximisation(
            samples, np.ones((90, 40)), importance, 1, 20
        )
        assert mean.mean() == pytest.approx(expected, abs=0.01)


def test_light_is_found_beside_a_beard():
    rng = np.random.default_rng(0)
    harmonics = np.column_stack([np.ones(500), rng.normal(size=(500, 8)) / 3])
    light = np.array([0.0, 0.2, -0.1, 0.1, 0, 0, 0, 0, 0])
    grey = 0.5 * (1 + harmonics @ light)
    bearded = np.where(np.arange(500) < 50, 0.2 * grey, grey)
    shading = script("light").fitted_shading(bearded, np.ones(500), harmonics, np.ones(500), 1e-4)
    true = 1 + harmonics @ light
    ratio = shading / true
    assert np.std(ratio) / np.mean(ratio) < 0.02
