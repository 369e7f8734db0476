from dataclasses import replace

import numpy as np
import pytest

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError
from mlanet.fitting import PixelFitConfig, refine_face
from mlanet.fitting.lit_skin import Appearance, BlurredPhoto, LitSkin, facing_weight
from mlanet.fitting.skin_surface import SkinSurface
from mlanet.geometry import (
    AMBIENT_WHITE,
    Camera,
    MeshTopology,
    Pose,
    decode_pose,
    harmonics_basis,
    shading,
    six_d_from_matrix,
    vertex_normals,
)
from mlanet.image import crop_square
from mlanet.morphable import AlbedoModel, load_model
from mlanet.reconstruction import Reconstruction
from mlanet.render import composite, render_mesh

SIZE = 160
FRONTAL = np.diag([1.0, -1.0, -1.0])
FEW = PixelFitConfig(size_px=160, steps=3)


@pytest.fixture(scope="module")
def model():
    return load_model(None)


def lamp(x, y, z):
    """A lamp and some light from everywhere, radiance."""
    direction = np.array([[x, y, z]])
    light = 2.0 * harmonics_basis(direction / np.linalg.norm(direction))[0]
    light[0] += 0.4 * AMBIENT_WHITE
    return np.repeat(light[:, None], 3, axis=1)


def photographed(model, identity, light):
    """The neutral head of this identity, drawn; the reconstruction says that it is the mean."""
    rest = np.zeros(model.layout.expression, np.float32)
    given = Coefficients(
        identity=np.zeros(model.layout.identity, np.float32),
        expression=rest,
        albedo=np.zeros(model.layout.albedo, np.float32),
        rotation=six_d_from_matrix(FRONTAL).astype(np.float32),
        translation=np.array([0.0, 0.0, -0.05], np.float32),
        lighting=np.zeros(27, np.float32),
    )
    colored = AlbedoModel.load().on(model)
    mesh = colored.mesh(identity, rest, np.zeros(colored.layout.albedo, np.float32))
    pose = decode_pose(given.rotation, given.translation)
    drawn = render_mesh(mesh, pose, Camera.of_crop(SIZE), (SIZE, SIZE), light)
    picture = composite(drawn, np.full((SIZE, SIZE, 3), 0.5, np.float32))
    image = np.rint(255.0 * picture).clip(0, 255).astype(np.uint8)
    crop = crop_square(image, np.array([0.0, 0.0, SIZE, SIZE]), SIZE)
    return Reconstruction(image, None, crop, given, "6d", model)


def face_error(model, coefficients, identity):
    """Mean distance of the skin's vertices in mm, but for its place."""
    surface = SkinSurface(model)
    truth, found = (
        surface.vertices(np.concatenate([shape, expression]))[surface.skin]
        for shape, expression in (
            (identity, np.zeros(model.layout.expression)),
            (coefficients.identity, coefficients.expression),
        )
    )
    apart = (found - found.mean(axis=0)) - (truth - truth.mean(axis=0))
    return float(np.linalg.norm(apart, axis=1).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_shape_is_found_in_its_shading(model, seed):
    rng = np.random.default_rng(seed)
    identity = np.zeros(model.layout.identity, np.float32)
    identity[:30] = rng.normal(size=30)
    face = photographed(model, identity, lamp(0.6, 0.5, 1.0))
    before = face_error(model, face.coefficients, identity)
    found = refine_face(face, FEW)
    assert face_error(model, found.coefficients, identity) < 0.75 * before
    again = refine_face(face, FEW)
    np.testing.assert_array_equal(found.coefficients.identity, again.coefficients.identity)
    assert 0.0 <= found.coefficients.expression.min() <= found.coefficients.expression.max() <= 1.0


def test_the_light_is_found(model):
    identity = np.zeros(model.layout.identity, np.float32)
    light = lamp(-0.8, 0.2, 1.0)
    found = refine_face(photographed(model, identity, light), FEW)
    normals = np.array([[x, y, 1.0] for x in (-1, 0, 1) for y in (-1, 0, 1)])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    seen, true = (shading(normals, radiance) for radiance in (found.lighting, light))
    assert np.abs(seen / seen.mean() - true / true.mean()).max() < 0.12


def test_a_face_that_fits_stays(model):
    identity = np.zeros(model.layout.identity, np.float32)
    face = photographed(model, identity, lamp(0.1, 0.3, 1.0))
    found = refine_face(face, FEW)
    assert face_error(model, found.coefficients, identity) < 0.4
    assert np.abs(found.landmarks_px - face.landmarks_px).mean() < 0.5


def test_what_lies_outside_of_the_photo_counts_nothing(model):
    """The crop is black there; a half that is seen tells the light."""
    identity = np.zeros(model.layout.identity, np.float32)
    whole = photographed(model, identity, lamp(0.1, 0.3, 1.0))
    image = whole.image[:, : SIZE // 2].copy()
    crop = crop_square(image, np.array([0.0, 0.0, SIZE, SIZE]), SIZE)
    half = refine_face(replace(whole, image=image, crop=crop), FEW)
    assert face_error(model, half.coefficients, identity) < 0.8
    assert half.lighting[0].min() > 0.5


def test_a_photo_of_noise_tells_nothing(model):
    face = photographed(model, np.zeros(model.layout.identity, np.float32), lamp(0, 0, 1))
    noise = np.random.default_rng(0).integers(0, 256, face.image.shape, dtype=np.uint8)
    found = refine_face(replace(face, image=noise, crop=replace(face.crop, image=noise)), FEW)
    assert face_error(model, found.coefficients, face.coefficients.identity) < 1.5


def test_a_face_out_of_sight_stays(model):
    face = photographed(model, np.zeros(model.layout.identity, np.float32), lamp(0, 0, 1))
    crop = crop_square(face.image, np.array([500.0, 500.0, 500.0 + SIZE, 500.0 + SIZE]), SIZE)
    found = refine_face(replace(face, crop=crop), FEW).coefficients
    np.testing.assert_allclose(found.identity, face.coefficients.identity, atol=1e-6)
    np.testing.assert_allclose(found.translation, face.coefficients.translation, atol=1e-6)


def test_normals_and_their_derivatives(model):
    surface = SkinSurface(model)
    rng = np.random.default_rng(3)
    shape = 0.3 * rng.normal(size=surface.basis.shape[-1])
    vertices = surface.vertices(shape)
    normals = surface.normals(vertices)
    topology = MeshTopology(model.base_faces, len(vertices))
    plain = vertex_normals(vertices, topology.faces, topology.faces_of_vertex)[surface.skin]
    np.testing.assert_allclose(normals.unit, plain, atol=1e-6)
    change = rng.normal(size=len(shape))
    step = 1e-3
    ends = [surface.normals(surface.vertices(shape + s * change)).unit for s in (step, -step)]
    expected = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(normals.by_shape @ change, expected, atol=2e-2)


def test_derivatives_of_lit_colours():
    rng = np.random.default_rng(4)
    normals = rng.normal(size=(7, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    image = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    photo = BlurredPhoto(image, 1.0).at(rng.uniform(4, 16, (7, 2)))
    basis = rng.normal(size=(7, 3, 4))
    skin = LitSkin(photo, rng.uniform(size=(7, 3)), basis, normals, np.ones(7), 0.2)
    now = Appearance(rng.normal(size=4), rng.normal(size=(9, 3)))
    direction, step = rng.normal(size=31), 1e-6

    def residual(sign, normals=normals):
        albedo = now.albedo + sign * step * direction[:4]
        light = now.light + sign * step * direction[4:].reshape(9, 3)
        return replace(skin, normals=normals).residual(Appearance(albedo, light))

    expected = -(residual(1) - residual(-1)) / (2 * step)
    np.testing.assert_allclose(skin.by_appearance(now) @ direction, expected, atol=1e-6)
    turned = rng.normal(size=(7, 3))
    ends = [residual(0, normals + s * step * turned) for s in (1, -1)]
    expected = -(ends[0] - ends[1]) / (2 * step)
    by_normal = skin.by_normal(now)
    np.testing.assert_allclose((by_normal @ turned[:, :, None])[..., 0], expected, atol=1e-6)


def test_slopes_of_a_photo():
    ramp = np.zeros((20, 20, 3), np.uint8)
    ramp[...] = (5 * np.arange(20)[None, :, None] + 3 * np.arange(20)[:, None, None]) % 256
    found = BlurredPhoto(ramp, 1.0).at(np.array([[10.0, 8.0]]))
    np.testing.assert_allclose(found.slope[0], [[5 / 255, 3 / 255]] * 3, atol=1e-4)
    np.testing.assert_allclose(found.color[0], (5 * 9.5 + 3 * 7.5) / 255, atol=1e-4)


def test_what_faces_the_camera_counts():
    points = np.array([[0.0, 0.0, 1000.0]] * 3)
    normals = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(facing_weight(normals, points), [1.0, 0.0, 0.0])


def test_hidden_skin_is_not_visible(model):
    surface = SkinSurface(model)
    vertices = surface.vertices(np.zeros(surface.basis.shape[-1]))
    ahead = Pose(FRONTAL, np.array([0.0, 0.0, 1100.0]))
    away = Pose(FRONTAL @ np.diag([-1.0, 1.0, -1.0]), ahead.translation)
    assert len(surface.visible(vertices, ahead, SIZE)) > 0.8 * len(surface.skin)
    assert len(surface.visible(vertices, away, SIZE)) < 0.01 * len(surface.skin)


def test_bad_arguments_are_named(model):
    face = photographed(model, np.zeros(model.layout.identity, np.float32), lamp(0, 0, 1))
    with pytest.raises(ConfigurationError, match="color_noise must be positive, got 0"):
        PixelFitConfig(color_noise=0.0)
    with pytest.raises(ConfigurationError, match="6d"):
        refine_face(replace(face, rotation_kind="euler"))
    plain = replace(model, albedo_mean=model.albedo_mean[:0])
    with pytest.raises(ConfigurationError, match="no albedo"):
        refine_face(replace(face, model=plain))
