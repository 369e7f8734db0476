from dataclasses import replace

import numpy as np
import pytest
import torch

from mlanet.differentiable_face import DifferentiableFace
from mlanet.errors import ConfigurationError
from mlanet.losses import robust_color_distance
from mlanet.synthesis import RenderedHeads
from mlanet.training import RenderedWeights, TrainingConfig
from mlanet.training.aligned_faces import PADDING, PLACES, POINTS, aligned_faces
from mlanet.training.rendered import OUTLIER, RenderedObjective

SIDE = 48
OFF = RenderedWeights(**dict.fromkeys(RenderedWeights.__slots__, 0.0))


@pytest.fixture(scope="module")
def face(model):
    return DifferentiableFace(model)


def terms_of(face, embed=None, **weights):
    config = TrainingConfig(unlabelled_weights=replace(OFF, **weights))
    return RenderedObjective(face, config, embed)


@pytest.fixture(scope="module")
def truth(model, face):
    """Coefficients of three heads and what they look like, by the objective's own drawing."""
    heads = RenderedHeads(model, size=SIDE, count=3)
    vector = torch.from_numpy(
        np.stack([heads.coefficients(np.random.default_rng(k)) for k in range(3)])
    )
    found = model.layout.split(vector)
    background = torch.full((3, SIDE, SIDE, 3), 0.4)
    drawn = face.draw(found, SIDE, background)
    assert 0.1 < float(face.visible_skin(found, SIDE).mean()) < 0.9
    return vector, drawn.clamp(0, 1).permute(0, 3, 1, 2).contiguous()


def test_the_true_face_costs_the_least_and_gradients_lead_there(face, truth):
    vector, images = truth
    objective = terms_of(face, photometric=1.0)
    at_truth = objective(vector, images)[0].item()
    assert at_truth < 0.02
    for name, cut in face.layout.slices.items():
        if name == "expression":
            continue
        moved = vector.clone()
        generator = torch.Generator().manual_seed(1)
        amount = {"translation": 0.03, "rotation": 0.15}.get(name, 0.3)
        step = torch.randn(moved[:, cut].shape, generator=generator) * amount
        moved[:, cut] += step
        moved.requires_grad_()
        loss, _ = objective(moved, images)
        assert loss.item() > 1.2 * at_truth, name
        loss.backward()
        assert (moved.grad[:, cut] * step).sum() > 0, name


def test_every_coefficient_is_reached(face, truth):
    vector = (truth[0] + 0.02).requires_grad_()
    terms_of(face, photometric=1.0)(vector, truth[1])[0].backward()
    for name, cut in face.layout.slices.items():
        assert vector.grad[:, cut].abs().max() > 0, name


def test_what_lies_before_the_face_counts_less(face, truth):
    vector, images = truth
    covered = images.clone()
    covered[:, :, SIDE // 2 :] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    found = face.layout.split(vector)
    drawn, skin = face.draw(found, SIDE), face.visible_skin(found, SIDE)
    photo = covered.permute(0, 2, 3, 1)
    robust = robust_color_distance(drawn, photo, skin, OUTLIER)
    plain = ((drawn - photo).norm(dim=-1) * skin).sum((1, 2)) / skin.sum((1, 2))
    assert (robust < 0.4 * plain).all()
    outside = torch.zeros_like(photo)
    assert robust_color_distance(drawn, outside, skin, OUTLIER).max() < 1e-3


def test_terms_of_no_weight_are_not_computed(face, truth):
    loss, terms = terms_of(face)(truth[0].clone().requires_grad_(), truth[1])
    assert terms == {}
    assert loss.item() == 0.0
    assert set(terms_of(face, edges=1.0, light=2.0)(*truth)[1]) == {"edges", "light"}


def test_geometry_costs_nothing_where_it_is_that_of_the_mean(face, model, truth):
    vector = torch.zeros(2, model.layout.size)
    vector[:, model.layout.slices["rotation"]] = torch.tensor([1.0, 0, 0, 0, -1.0, 0])
    objective = terms_of(face, edges=1.0, symmetry=1.0)
    _, terms = objective(vector, truth[1][:2])
    assert terms["edges"] < 1e-3
    assert terms["symmetry"] < 2e-3
    vector[:, model.identity_mirror.argmin()] = 3.0
    _, terms = objective(vector, truth[1][:2])
    assert terms["edges"] > 5e-3
    assert terms["symmetry"] > 0.1


def test_mirrored_answers_to_mirrored_pictures_agree(face, model, truth):
    from mlanet.training.crop_coefficients import mirror_image

    vector, images = truth
    flipped = model.layout.join(mirror_image(model.layout.split(vector), model))
    objective = terms_of(face, flip=1.0)
    assert objective(vector, images, flipped)[1]["flip"] < 0.05
    assert objective(vector, images, vector)[1]["flip"] > 1.0


def test_aligned_faces_put_the_points_where_dlib_wants_them():
    rng = np.random.default_rng(0)
    landmarks = np.zeros((2, 68, 2))
    size, places = 150, (np.array(PLACES) + PADDING) / (1 + 2 * PADDING) * 150
    angle = np.array([0.4, -1.2])
    for k in range(2):
        c, s = np.cos(angle[k]), np.sin(angle[k])
        turned = places @ (0.4 * np.array([[c, -s], [s, c]])).T + rng.uniform(30, 40, 2)
        landmarks[k, list(POINTS)] = turned
    low = landmarks[:, list(POINTS)].min()
    landmarks += max(0.0, 12.0 - low)
    side = int(landmarks.max()) + 20
    centers = np.arange(side) + 0.5
    for number, point in enumerate(POINTS):
        dots = np.exp(-0.5 * (centers - landmarks[:, point, :1]) ** 2 / 9)[:, None, :]
        dots = dots * np.exp(-0.5 * (centers - landmarks[:, point, 1:]) ** 2 / 9)[:, :, None]
        picture = torch.from_numpy(np.repeat(dots[:, None], 3, axis=1)).float().requires_grad_()
        faces = aligned_faces(picture, torch.from_numpy(landmarks).float(), size)
        where = faces[:, 0].flatten(1).argmax(dim=1)
        found = torch.stack([where % size, where // size], dim=1).numpy() + 0.5
        assert np.abs(found - places[number]).max() < 1.5
    faces.sum().backward()
    assert picture.grad.abs().max() > 0


def test_identity_features_compare_the_rendering_with_the_photo(face, truth):
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(8, 3, 15, 15, generator=generator)

    def embed(faces):
        assert faces.shape == (3, 3, 150, 150)
        return torch.nn.functional.conv2d(faces - 0.4, filters, stride=15).flatten(1)

    objective = terms_of(face, embed, identity_features=1.0)
    vector = truth[0].clone()
    assert objective(vector, truth[1])[1]["identity_features"] < 1e-3
    vector[:, face.layout.slices["albedo"]] += 1.0
    vector.requires_grad_()
    loss, terms = objective(vector, truth[1])
    assert terms["identity_features"] > 2e-3
    loss.backward()
    assert vector.grad[:, face.layout.slices["identity"]].abs().max() > 0


def test_identity_features_without_dlibs_network_are_refused(face, monkeypatch):
    import mlanet.network.dlib_file as file

    monkeypatch.setattr(file, "PACKAGE", "no_such_package")
    with pytest.raises(ConfigurationError, match=r"unlabelled_weights\.identity_features: .*pip"):
        terms_of(face, identity_features=0.1)
