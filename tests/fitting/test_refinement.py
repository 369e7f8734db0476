from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError
from mlanet.fitting import RefinementConfig, photo_error, refine
from mlanet.fitting.one_person import OnePerson
from mlanet.fitting.refinement import unlabelled_cost
from mlanet.geometry import shading
from mlanet.image import Crop, read_image

FEW = RefinementConfig(steps=15)

LIGHT_SHARE, ALBEDO_SHARE = 0.15, 0.4
"""Largest share of the start's error that may be left when colours of a rendering are fitted."""


@pytest.fixture(scope="module")
def face():
    return Reconstructor.load()(read_image(verified_path("example-image")))[0]


def changed(face, **blocks):
    old = face.coefficients
    names = ("identity", "expression", "albedo", "rotation", "translation", "lighting")
    return replace(
        face, coefficients=Coefficients(**{n: blocks.get(n, getattr(old, n)) for n in names})
    )


def drawn(face):
    """The picture of a face in its crop."""
    person = OnePerson([face])
    return person.face.draw(person.of_each(person.start()), person.size)[0]


def rendered(face):
    """The face whose photo is its own rendering."""
    picture = drawn(face).clamp(0, 1).numpy()
    image = np.round(255 * picture).astype(np.uint8)
    return replace(face, crop=Crop(image, face.crop.crop_from_image))


def test_the_photo_is_explained_better_and_landmarks_stay(face):
    found = refine([face], config=FEW)[0]
    assert photo_error(found) < 0.9 * photo_error(face)
    size = np.sqrt(np.ptp(face.landmarks_px[:, :2], axis=0).prod())
    moved = np.linalg.norm((found.landmarks_px - face.landmarks_px)[:, :2], axis=1).mean()
    assert moved < 0.01 * size
    assert found.coefficients.expression.min() >= 0
    assert found.coefficients.expression.max() <= 1


def test_what_lies_outside_of_the_photo_counts_nothing(face):
    whole = rendered(face)
    image = whole.crop.image.copy()
    image[:, : 2 * image.shape[1] // 5] = 0
    cut = replace(face, crop=Crop(image, whole.crop.crop_from_image))
    assert photo_error(cut) < 0.01
    both = [refine([one], config=FEW)[0] for one in (whole, cut)]
    albedo = [one.model.albedo(one.coefficients.albedo) for one in both]
    assert np.abs(albedo[0] - albedo[1]).max() < 0.035


def test_light_and_albedo_of_a_rendering_are_recovered(face):
    """From the side and above: what the network makes of the example's light may be near white."""
    lighting = np.zeros((9, 3), np.float32)
    lighting[:4] = np.array([[-0.8], [0.3], [0.2], [-0.4]])
    truth = rendered(changed(face, lighting=lighting.reshape(-1)))
    start = changed(
        truth, albedo=np.zeros_like(face.coefficients.albedo), lighting=np.zeros(27, np.float32)
    )
    found = refine([start], truth.landmarks_px[None, :, :2], config=RefinementConfig(steps=60))[0]
    assert photo_error(truth) < 0.01
    assert photo_error(found) < 0.25 * photo_error(start)
    for part, share in (seen_light, LIGHT_SHARE), (seen_albedo, ALBEDO_SHARE):
        off = np.abs(part(found) - part(truth)).mean()
        before = np.abs(part(start) - part(truth)).mean()
        assert off < share * before, part.__name__


def seen_light(face):
    """Shading of the normals that face the camera."""
    normals = np.array([[x, y, 1.0] for x in (-1, 0, 1) for y in (-1, 0, 1)], np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return relative(shading(normals, face.lighting))


def seen_albedo(face):
    """Albedo of the skin."""
    model = face.model
    return relative(model.albedo(face.coefficients.albedo)[model.region("face") > 0.5])


def relative(colors):
    """Colours over their mean: how bright the light is, and how the skin, no photo tells."""
    return colors / colors.mean(axis=0)


def test_errors_are_compared_on_pixels_of_both(face):
    aside = changed(face, translation=face.coefficients.translation + np.float32([0.2, 0, 0]))
    people = [OnePerson([f]) for f in (face, aside)]
    both = [p.visible_skin(p.of_each(p.start()))[0].numpy() for p in people]
    apart = np.linalg.norm(drawn(face).numpy() - face.crop.image / np.float32(255), axis=-1)
    expected = np.average(apart, weights=np.minimum(*both))
    assert photo_error(face, aside) == pytest.approx(expected, rel=1e-3)
    assert photo_error(face, aside) != pytest.approx(photo_error(face), rel=1e-3)
    assert photo_error(face, face) == photo_error(face)
    small = replace(face, crop=Crop(face.crop.image[::2, ::2], face.crop.crop_from_image))
    with pytest.raises(ValueError, match="size"):
        photo_error(face, small)


def test_priors_keep_what_the_photo_does_not_tell(face):
    """Noise says nothing of the shape: it must not leave what the network saw, or the likely."""
    noise = np.random.default_rng(0).integers(0, 256, face.crop.image.shape, dtype=np.uint8)
    blind = replace(face, crop=Crop(noise, face.crop.crop_from_image))
    identity = face.coefficients.identity
    found = refine([blind], config=RefinementConfig(steps=40))[0].coefficients.identity
    assert np.square(found - identity).mean() < 0.2 * np.square(identity).mean()
    free = RefinementConfig(steps=40, anchor=0.0)
    found = refine([blind], config=free)[0].coefficients.identity
    assert np.square(found).mean() < np.square(identity).mean()


def test_photos_of_one_person_share_identity_and_albedo(face):
    other = changed(face, identity=face.coefficients.identity + 0.3)
    first, second = refine([face, other], config=RefinementConfig(steps=3))
    np.testing.assert_array_equal(first.coefficients.identity, second.coefficients.identity)
    np.testing.assert_array_equal(first.coefficients.albedo, second.coefficients.albedo)


def test_the_same_answer_twice(face):
    config = RefinementConfig(steps=3)
    a, b = (refine([face], config=config)[0].coefficients for _ in range(2))
    np.testing.assert_array_equal(a.identity, b.identity)
    np.testing.assert_array_equal(a.lighting, b.lighting)


def test_every_coefficient_has_a_gradient(face):
    person = OnePerson([face])
    blocks = {name: block.requires_grad_() for name, block in person.start().items()}
    skin = person.visible_skin(person.of_each(blocks))
    middle = torch.zeros_like(blocks["identity"])
    unlabelled_cost(person, blocks, skin, middle, RefinementConfig()).backward()
    for name, block in blocks.items():
        assert block.grad is not None
        assert torch.isfinite(block.grad).all(), name
        assert block.grad.abs().sum() > 0, name


def test_bad_arguments_are_named(face):
    with pytest.raises(ValueError, match="at least one"):
        refine([])
    with pytest.raises(ValueError, match="68, 2"):
        refine([face], np.zeros((1, 5, 2)))
    with pytest.raises(ValueError, match="weight of 0"):
        refine([face], np.full((1, 68, 2), np.nan))
    for weight in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="finite and not negative"):
            refine([face], weight=np.full((1, 68), weight))
    for change, message in (
        ({"outlier": 0.0}, "outlier must be positive, got 0.0"),
        ({"landmark_noise": 0.0}, "landmark_noise must be positive"),
        ({"steps": 0}, "steps must be positive"),
        ({"photometric": -1.0}, "photometric must not be negative"),
        ({"anchor": float("nan")}, "anchor must not be negative"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            RefinementConfig(**change)
    with pytest.raises(ConfigurationError, match="6d"):
        refine([replace(face, rotation_kind="euler")])
