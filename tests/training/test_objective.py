from dataclasses import replace

import numpy as np
import pytest
import torch

from mlanet.coefficients import Coefficients
from mlanet.morphable import load_model
from mlanet.training import TrainingConfig
from mlanet.training.objective import Objective, paired_sides

SIDE = 64


@pytest.fixture(scope="module")
def objective(model):
    return Objective(model, model.layout, TrainingConfig())


@pytest.fixture(scope="module")
def truth(model, make_faces):
    """Coefficient vectors of three faces and the landmarks that they have."""
    faces = make_faces(3)
    vector = torch.from_numpy(model.layout.join(faces.coefficients)).float()
    return vector, torch.from_numpy(faces.landmarks_px).float()


@pytest.fixture(scope="module")
def labels(make_samples):
    """`labels(landmarks_px)`: samples of which nothing else is known."""
    return lambda landmarks: make_samples(landmarks, SIDE)


def grey(level=0.5):
    return torch.full((3, 3, SIDE, SIDE), level)


def test_landmarks_are_those_of_the_face_model(objective, truth):
    vector, landmarks = truth
    found = objective.face.landmarks_px(objective.face.layout.split(vector), SIDE)
    torch.testing.assert_close(found, landmarks, rtol=0, atol=2e-3)


def test_true_coefficients_cost_the_least(objective, truth, labels):
    vector, landmarks = truth
    _, at_truth = objective(vector, grey(), labels(landmarks))
    assert at_truth["landmarks"] < 0.1
    assert at_truth["apertures"] < 0.1
    for name in ("identity", "expression", "rotation", "translation"):
        moved = vector.clone()
        moved[:, objective.face.layout.slices[name]] += 0.1
        _, terms = objective(moved, grey(), labels(landmarks))
        assert terms["landmarks"] > 3 * at_truth["landmarks"], name


def test_depth_may_be_left_to_the_face_model(model, truth, labels):
    vector, landmarks = truth
    deep = landmarks * torch.tensor([1.0, 1.0, 1.5])
    blind = Objective(model, model.layout, TrainingConfig(landmark_depth=0.0))
    seeing = Objective(model, model.layout, TrainingConfig())
    errors = [one(vector, grey(), labels(deep))[1]["landmarks"] for one in (blind, seeing)]
    assert errors[0] < 0.1 < errors[1]


def test_the_loss_is_the_weighted_sum_of_its_terms(objective, truth, labels):
    vector, landmarks = truth
    loss, terms = objective(vector + 0.05, grey(), labels(landmarks))
    weights = objective.config.weights
    expected = sum(getattr(weights, name) * value for name, value in terms.items())
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert set(terms) == {name for name in weights.__slots__ if getattr(weights, name) > 0}


def test_colours_move_albedo_and_light_but_never_the_geometry(objective, truth):
    vector = truth[0].clone().requires_grad_()
    coefficients = objective.face.layout.split(vector)
    objective.photometric(coefficients, grey(0.8)).sum().backward()
    slices = objective.face.layout.slices
    moved = {name: vector.grad[:, cut].abs().max() for name, cut in slices.items()}
    assert moved["albedo"] > 0
    assert moved["lighting"] > 0
    for name in ("identity", "expression", "rotation", "translation"):
        assert moved[name] == 0, name


def test_light_explains_a_dark_picture(objective, truth, labels):
    vector = truth[0].clone()
    lighting = torch.zeros(3, 27, requires_grad=True)
    optimizer = torch.optim.Adam([lighting], lr=0.1)
    block = objective.face.layout.slices["lighting"]
    distances = []
    for _ in range(25):
        vector = vector.detach()
        vector[:, block] = lighting
        loss, terms = objective(vector, grey(0.15), labels(truth[1]))
        distances.append(terms["photometric"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert distances[-1] < 0.4 * distances[0]
    ambient = lighting.detach().reshape(3, 9, 3)[:, 0]
    assert (ambient < -0.5).all()


def test_moving_the_objective_moves_the_whole_face_model(objective, model):
    names = {name for name, _ in objective.named_buffers()}
    parts = ("mean", "identity", "expression", "landmark_mean", "albedo_basis")
    assert {f"face.{part}" for part in parts} <= names
    np.testing.assert_array_equal(objective.face.mean.numpy(), model.shape.mean)
    assert not list(objective.parameters())


def test_other_numbers_of_coefficients_are_another_face_models(model):
    from mlanet.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="preset: regresses"):
        Objective(model, replace(model.layout, identity=3), TrainingConfig())
    euler = replace(model.layout, rotation="euler")
    assert Objective(model, euler, TrainingConfig()).face.layout == euler


def test_split_keeps_gradients(objective, truth, labels):
    vector = truth[0].clone().requires_grad_()
    loss, _ = objective(vector, grey(), labels(truth[1] + 2.0))
    loss.backward()
    assert isinstance(objective.face.layout.split(vector), Coefficients)
    assert torch.isfinite(vector.grad).all()
    for name, cut in objective.face.layout.slices.items():
        assert vector.grad[:, cut].abs().max() > 0, name


def test_sides_are_told_by_the_names():
    names = ("eyeBlinkRight", "jawOpen", "eyeBlinkLeft", "mouthLeft", "smileLeft")
    assert paired_sides(names).tolist() == [[2], [0]]
    assert paired_sides(("jawOpen",)).shape == (2, 0)
    pairs = paired_sides(load_model().expression_names)
    assert pairs.shape[1] > 15


def test_lids_and_jaw_are_compared_alone(model, truth, labels):
    vector, landmarks = truth
    weights = replace(TrainingConfig().weights, emphasised_expressions=1.0, people=1.0)
    objective = Objective(model, model.layout, TrainingConfig(weights=weights))
    known = replace(labels(landmarks), coefficients=vector, known=torch.ones_like(vector))
    first = model.layout.slices["expression"].start
    for name, costs in (("eyeBlinkLeft", True), ("jawOpen", True), ("mouthSmileLeft", False)):
        moved = vector.clone()
        moved[:, first + model.expression_names.index(name)] += 0.3
        _, terms = objective(moved, grey(), known)
        wanted = (0.3 / objective.config.block_deviations.expression) ** 2 / 3
        assert terms["emphasised_expressions"] == pytest.approx(costs * wanted, abs=1e-4)
        assert terms["people"] == 0.0


def test_identities_of_one_person_are_drawn_together(model, truth, labels):
    vector, landmarks = truth
    vector = vector.clone().requires_grad_()
    zero = dict.fromkeys(TrainingConfig().weights.__slots__, 0.0)
    weights = replace(TrainingConfig().weights, **zero | {"people": 1.0, "landmarks": 1e-9})
    objective = Objective(model, model.layout, TrainingConfig(weights=weights))
    samples = replace(labels(landmarks), person=torch.tensor([5, 5, 9]))
    loss, terms = objective(vector, grey(), samples)
    loss.backward()
    assert terms["people"] > 0.0
    cut = model.layout.slices["identity"]
    assert vector.grad[:, cut].abs().max() > 1e-4
