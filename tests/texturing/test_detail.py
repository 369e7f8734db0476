from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.geometry import Camera, Pose
from mlanet.morphable import load_model
from mlanet.render import PosedHead
from mlanet.texturing import Texture, detail_normals
from mlanet.texturing.detail import SeenSkin, height_slopes

FLAT = [128, 128, 255]
TEXEL_MM = (0.5, 0.25)


def groove(profile, light):
    """Skin lit along u, with a vertical line whose brightness is a function of the distance."""
    across = (np.arange(160) - 80) * TEXEL_MM[0]
    brightness = np.broadcast_to(profile(across), (200, 160))
    excess = np.repeat(brightness[..., None], 3, axis=-1).astype(np.float32)
    tilt = np.zeros((200, 160, 2), np.float32)
    tilt[..., 0] = light
    trust = np.ones((200, 160), np.float32)
    return SeenSkin((slice(0, 200), slice(0, 160)), excess, trust, tilt, TEXEL_MM)


def slope(across):
    """Of a groove 0.2 mm deep and 1 mm wide."""
    return 0.2 * across * np.exp(-(across**2) / 2.0)


def found_on_line(skin):
    along = height_slopes(skin)[100]
    assert np.abs(along[:, 1]).max() < 1e-3  # nothing changes along the line
    return along[60:101, 0]


@pytest.mark.parametrize("light", [0.5, -0.5])
def test_a_balanced_line_is_a_groove(light):
    across = (np.arange(60, 101) - 80) * TEXEL_MM[0]
    found = found_on_line(groove(lambda x: light * slope(x), light))
    assert np.corrcoef(found, slope(across))[0, 1] > 0.9
    assert found @ slope(across) > 0.1 * slope(across) @ slope(across)


def test_a_line_that_is_dark_as_a_whole_is_paint():
    relief = found_on_line(groove(lambda x: 0.5 * slope(x), 0.5))
    paint = found_on_line(groove(lambda x: -0.06 * np.exp(-(x**2) / 2.0), 0.5))
    assert np.abs(paint).max() < 0.2 * np.abs(relief).max()


def test_without_light_from_a_side_nothing_is_told():
    assert np.abs(height_slopes(groove(lambda x: 0.5 * slope(x), 0.0))).max() == 0.0


def test_what_is_much_darker_is_no_skin():
    glasses = found_on_line(groove(lambda x: 6.0 * slope(x), 0.5))
    assert np.abs(glasses).max() < 0.05


@pytest.fixture(scope="module")
def model():
    return load_model()


def head_of(model, mm_per_px):
    pose = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1000.0 * mm_per_px]))
    vertices = model.subdivide(model.shape.mean)
    return PosedHead(model, vertices, pose, Camera(1000.0, (200.0, 200.0)))


def texture_of(size, visible):
    image = np.random.default_rng(0).integers(60, 200, (size, size, 3)).astype(np.uint8)
    return Texture(image, np.full((size, size), visible, np.float32), np.ones((8, 8), np.float32))


def test_what_is_hidden_or_not_resolved_is_flat(model):
    albedo = model.albedo(np.zeros(model.layout.albedo, np.float32))
    hidden = detail_normals(texture_of(128, 0.0), head_of(model, 0.4), albedo)
    small = detail_normals(texture_of(128, 1.0), head_of(model, 1.5), albedo)
    for normals in (hidden, small):
        assert normals.shape == (128, 128, 3)
        assert (normals == FLAT).all()


def test_a_model_without_regions_has_all_its_skin(model):
    plain = replace(model, regions={})
    albedo = model.albedo(np.zeros(model.layout.albedo, np.float32))
    normals = detail_normals(texture_of(128, 1.0), head_of(plain, 0.4), albedo)
    assert normals.dtype == np.uint8


def test_maps_of_odd_textures_are_no_larger_than_others(model):
    albedo = model.albedo(np.zeros(model.layout.albedo, np.float32))
    normals = detail_normals(texture_of(515, 1.0), head_of(model, 0.4), albedo)
    assert normals.shape == (512, 512, 3)
    assert (normals != FLAT).any()


def test_large_textures_are_refused(model):
    albedo = model.albedo(np.zeros(model.layout.albedo, np.float32))
    with pytest.raises(RenderError, match="at most 1024 texels, got 2048"):
        detail_normals(texture_of(2048, 1.0), head_of(model, 0.4), albedo)
