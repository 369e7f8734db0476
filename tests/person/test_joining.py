from dataclasses import replace

import numpy as np
import pytest

from mlanet.fitting import refine_face, refine_person
from mlanet.person import join_person


def off(photos, identity, rng):
    """The photos as a network would see them: half of the shape, and wrong differently."""
    return [
        replace(
            face,
            coefficients=replace(
                face.coefficients,
                identity=(0.5 * identity + 0.15 * rng.normal(size=len(identity))).astype(
                    np.float32
                ),
            ),
        )
        for face in photos
    ]


def error(model, face, identity):
    weight = np.square(model.shape.identity).sum(axis=(0, 1))
    return float((weight * np.square(face.coefficients.identity - identity)).sum())


@pytest.fixture(scope="module")
def seen(photos, identity):
    return off(photos, identity, np.random.default_rng(3))


@pytest.fixture(scope="module")
def joined(seen):
    return join_person(seen)


def test_three_photos_are_nearer_to_the_truth_than_one_usually_is(model, seen, joined, identity):
    alone = [error(model, refine_face(face), identity) for face in seen]
    together = error(model, joined[0], identity)
    assert together < 0.85 * np.mean(alone)
    for face in joined[1:]:
        np.testing.assert_array_equal(face.coefficients.identity, joined[0].coefficients.identity)
        np.testing.assert_allclose(
            face.coefficients.albedo, joined[0].coefficients.albedo, atol=1e-6
        )


def test_one_photo_alone_is_refined_as_by_itself(seen):
    (alone,) = refine_person(seen[:1])
    np.testing.assert_array_equal(
        alone.coefficients.identity, refine_face(seen[0]).coefficients.identity
    )


def test_all_photos_have_one_texture(joined, photos):
    texture = joined[0].texture_of(128)
    assert joined[1].texture_of(128) is texture
    alone = photos[0].texture_of(128)
    assert (texture.visibility > 0.5).sum() > 1.2 * (alone.visibility > 0.5).sum()


def test_colours_of_other_photos_become_the_best_ones(joined, photos):
    """The second photo is bluer and the third darker; the texture is neither at its sides."""
    merged, own = joined[0].texture_of(128), photos[0].texture_of(128)
    added = (merged.visibility > 0.9) & (own.visibility < 0.1)
    known = (merged.visibility > 0.9) & (own.visibility > 0.9)
    sides, middle = (np.median(merged.image[mask], axis=0) for mask in (added, known))
    assert np.abs(sides / sides.sum() - middle / middle.sum()).max() < 0.03
    assert 0.8 < sides.sum() / middle.sum() < 1.25


def test_faces_of_nobody_or_of_two_models_are_refused(photos):
    with pytest.raises(ValueError, match="one face model"):
        join_person([])
