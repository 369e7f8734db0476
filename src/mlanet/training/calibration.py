"""Which confidence a predicted variance deserves, learnt on faces that were never trained with."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float

from mlanet.errors import DataError
from mlanet.network.confidence import WITHIN_PERCENT, Confidence, LogLogistic, deviation_percent
from mlanet.training.data import LabelledFaces
from mlanet.training.dice import Dice
from mlanet.training.random_crops import random_crops
from mlanet.training.samples import Samples, reduced

if TYPE_CHECKING:
    from mlanet.training.learner import Learner

BATCH = 64

ROUNDS = 4
"""How often each held-out face is seen changed at random, beside once as it is."""

RIDGE = 1e-3
"""Pull towards `PRIOR_STEEPNESS`, in cases: where all are within, or none, no map is known."""

PRIOR_STEEPNESS = 3.0

NEWTON_STEPS = 50


@torch.no_grad()
def fit_confidence(learner: "Learner", faces: LabelledFaces) -> Confidence:
    """How the averaged weights' log-variances become confidence.

    Held-out faces are seen as the evaluation protocol crops them, and `ROUNDS` times with the run's
    random changes (occluders, blur, crops that miss): photos of users are of all kinds.

    Raises:
        DataError: no held-out face is readable.
        ValueError: the network has no head of the uncertainty.
    """
    if learner.average.uncertainty is None:
        raise ValueError("the network has no head of the uncertainty")
    size = learner.network.config.input_size
    face = learner.objective.face
    deviations: list[np.ndarray] = []
    errors: list[np.ndarray] = []
    for batch in _crops(learner, faces, size):
        here = batch.to(learner.device)
        answers = learner.average(here.pixels())
        assert answers.log_variances is not None
        found = face.landmarks_px(face.layout.split(answers.coefficients), size)
        distance = (found - here.landmarks_px)[..., :2].norm(dim=-1) / here.size_px[:, None]
        unsure = here.weight < 1.0  # a jaw of contours is no error of ours
        errors.append((100.0 * distance).masked_fill(unsure, torch.nan).cpu().double().numpy())
        deviations.append(deviation_percent(answers.log_variances.cpu().numpy()))
    error, deviation = np.concatenate(errors), np.concatenate(deviations)
    known = np.isfinite(error)
    return Confidence(
        landmark=fit_log_logistic(deviation[known], error[known] <= WITHIN_PERCENT),
        face=fit_log_logistic(deviation.mean(axis=1), np.nanmean(error, axis=1) <= WITHIN_PERCENT),
    )


def fit_log_logistic(
    deviation: Float[np.ndarray, "n"], within: Bool[np.ndarray, "n"]
) -> LogLogistic:
    """The likeliest `LogLogistic` of cases: logistic regression by Newton's method.

    Args:
        deviation: predicted, per cent.
        within: whether the error lay within the distance.
    """
    middle = float(np.log(deviation).mean())
    x = np.stack([np.ones(len(deviation)), middle - np.log(deviation)], axis=1)
    prior = np.array([0.0, PRIOR_STEEPNESS])
    weights = prior.copy()
    for _ in range(NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30.0, 30.0)))
        gradient = x.T @ (p - within) + RIDGE * (weights - prior)
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + RIDGE * np.eye(2)
        change = np.linalg.solve(hessian, gradient)
        weights = weights - np.clip(change, -2.0, 2.0)
        if np.abs(change).max() < 1e-9:
            break
    offset, steepness = float(weights[0]), max(float(weights[1]), 0.05)
    return LogLogistic(
        even_percent=float(np.exp(np.clip(middle + offset / steepness, -20.0, 20.0))),
        steepness=steepness,
    )


def _crops(learner: "Learner", faces: LabelledFaces, size: int) -> Iterator[Samples]:
    yield from faces.held_out_batches(size, BATCH)
    config, model = learner.config, faces.model
    seen = [place for place in faces.held_out if faces.held_out_face(place) is not None]
    if not seen:
        raise DataError("no held-out face is readable")
    for start in range(0, len(seen), BATCH):
        places = seen[start : start + BATCH]
        read = [faces.held_out_face(place) for place in places]
        kept = [Samples.of(reduced(one, size), model.layout) for one in read if one is not None]
        for number in range(ROUNDS):
            dice = Dice([np.random.default_rng([config.seed, number, *place]) for place in places])
            yield random_crops(Samples.cat(kept), size, config.augmentation, dice, model)
