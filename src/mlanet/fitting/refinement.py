"""Analysis by synthesis: coefficients whose rendering looks like the photos."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError
from mlanet.fitting.contour import JawKind
from mlanet.fitting.one_person import OnePerson
from mlanet.image import transform_points
from mlanet.losses import (
    color_distance,
    landmark_likelihood,
    prior_terms,
    robust_color_distance,
    weighted_sum,
)
from mlanet.reconstruction import Reconstruction


@dataclass(frozen=True, slots=True)
class RefinementConfig:
    """Terms and steps of `refine`.

    The landmark term is a mean over 68 points, so that as a Gaussian posterior of independent
    errors the prior on `n` coefficients would weigh n / 136 (1.3 for 180 of identity). Errors of
    a network's points are not independent, and priors of several times that gave the best shapes.

    Attributes:
        steps: of Adam, with steps that shrink to nothing as a cosine.
        landmark_noise: standard deviation of given landmarks over the face's size.
        own_landmark_noise: of the starting reconstruction's own landmarks, where none are given.
        photometric: weight of the mean colour distance in [0, sqrt(3)].
        outlier: colour distance beyond which a pixel counts less: hair, glasses, hands.
        identity_prior: weight of the mean squared identity coefficient's distance from `anchor`.
        anchor: where the prior of identity has its middle, from the mean face (0) to the given
            reconstructions' (1): a network's answer knows some of a face's shape.
        expression_prior: the same of expressions, in units of `expression_sd`.
        expression_sd: of expression coefficients.
        albedo_prior: weight of the mean squared albedo coefficient.
        light: weight of the light's distance from white.
        light_prior: weight of the mean squared lighting coefficient.

    Raises:
        ConfigurationError: a value is out of its range; the field is named.
    """

    steps: int = 80
    landmark_noise: float = 0.005
    own_landmark_noise: float = 0.015
    photometric: float = 40.0
    outlier: float = 0.6
    identity_prior: float = 6.0
    anchor: float = 1.0
    expression_prior: float = 1.0
    expression_sd: float = 0.3
    albedo_prior: float = 0.1
    light: float = 0.1
    light_prior: float = 0.01

    def __post_init__(self) -> None:
        positive = {"steps", "landmark_noise", "own_landmark_noise", "outlier", "expression_sd"}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in positive and not value > 0:
                raise ConfigurationError(f"{item.name} must be positive, got {value}")
            if not value >= 0:
                raise ConfigurationError(f"{item.name} must not be negative, got {value}")


STEP = {
    "identity": 0.03,
    "expression": 0.01,
    "albedo": 0.10,
    "rotation": 0.002,
    "translation": 0.0005,
    "lighting": 0.05,
}
"""Largest change of a coefficient in a step."""

SKIN_EVERY = 4
"""Steps after which the skin's mask is drawn anew: a step moves it by a fraction of a pixel."""


def refine(
    faces: Sequence[Reconstruction],
    landmarks_px: Float[np.ndarray, "b 68 2"] | None = None,
    weight: Float[np.ndarray, "b 68"] | None = None,
    config: RefinementConfig | None = None,
    *,
    jaw: JawKind = "surface",
) -> list[Reconstruction]:
    """Photos of one person, fitted together: identity and albedo are shared.

    Minimises landmark error, robust colour distance of rendered skin and priors, starting at the
    given reconstructions. Needs torch (the `train` extra). Deterministic.

    Args:
        faces: of one face model and one size of crop; not changed.
        landmarks_px: points in pixels of each photo; the starting reconstructions' own without.
        weight: of each point; 0 leaves it out (not visible).
        config: terms and steps; without it those of `RefinementConfig`, where expressions that are
            not bounded have a standard deviation of 1.
        jaw: what the 17 given jaw points are; those of the visible contour are found on the
            surface anew whenever the skin's mask is drawn (`fitting.contour`).

    Raises:
        ConfigurationError: the face model has no albedo or a rotation is not of the 6D kind.
        ValueError: no faces, faces that differ in model or crop size, or points of other shape
            or, if they have a weight, that are not finite; weights that are negative or not finite;
            jaw points of the contour without points.
    """
    _check(faces)
    bounded = faces[0].model.expression_bounded
    config = config or (RefinementConfig() if bounded else RefinementConfig(expression_sd=1.0))
    if jaw == "contour" and landmarks_px is None:
        raise ValueError("jaw points of the contour must be given")
    labels, trust = _labels(faces, landmarks_px, weight)
    noise = config.own_landmark_noise if landmarks_px is None else config.landmark_noise
    person = OnePerson(list(faces), jaw)
    blocks = {name: block.requires_grad_() for name, block in person.start().items()}
    optimizer = torch.optim.Adam(
        [{"params": [blocks[name]], "lr": rate} for name, rate in STEP.items()], betas=(0.8, 0.95)
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    likely_identity = config.anchor * blocks["identity"].detach().clone()
    each = person.of_each(blocks)
    skin, index = person.visible_skin(each), person.outline_index(each)
    for step in range(config.steps):
        each = person.of_each(blocks)
        if step and step % SKIN_EVERY == 0:
            skin, index = person.visible_skin(each), person.outline_index(each)
        optimizer.zero_grad()
        predicted = person.landmarks_px(each, index)[..., :2]
        landmarks = landmark_likelihood(predicted, labels, trust, noise).mean()
        cost = landmarks + unlabelled_cost(person, blocks, skin, likely_identity, config)
        cost.backward()
        optimizer.step()
        schedule.step()
        if bounded:
            with torch.no_grad():
                blocks["expression"].clamp_(0.0, 1.0)
    return person.answers(blocks)


def unlabelled_cost(
    person: OnePerson,
    blocks: dict[str, Tensor],
    skin: Float[Tensor, "b s s"],
    likely_identity: Float[Tensor, "1 i"],
    config: RefinementConfig,
) -> Float[Tensor, ""]:
    """Robust colour distance of skin, and what is likely: identity near what it was given as."""
    each = person.of_each(blocks)
    terms = prior_terms(Coefficients(**blocks), config.expression_sd, likely_identity)
    terms["photometric"] = lambda: robust_color_distance(
        person.face.draw(each, person.size), person.photos, skin, config.outlier
    )
    return weighted_sum(terms, config, torch.zeros(()))[0]


@torch.no_grad()
def photo_error(face: Reconstruction, other: Reconstruction | None = None) -> float:
    """Mean colour distance (L2 of sRGB in [0, 1]) of all skin pixels in the face's crop.

    With `other`, of those pixels alone that show skin of both: for comparing two reconstructions
    in one crop on the same pixels.

    Raises:
        ValueError: the other one's crop has another size.
    """
    person = OnePerson([face])
    each = person.of_each(person.start())
    skin = person.visible_skin(each)
    if other is not None:
        if other.crop.size != face.crop.size:
            raise ValueError("the faces' crops differ in size")
        second = OnePerson([other])
        skin = torch.minimum(skin, second.visible_skin(second.of_each(second.start())))
    return float(color_distance(person.face.draw(each, person.size), person.photos, skin))


def _labels(
    faces: Sequence[Reconstruction],
    landmarks_px: Float[np.ndarray, "b 68 2"] | None,
    weight: Float[np.ndarray, "b 68"] | None,
) -> tuple[Float[Tensor, "b 68 2"], Float[Tensor, "b 68"]]:
    """Checked points in pixels of the crops, and their weights."""
    own = [face.landmarks_px[:, :2] for face in faces]
    points = np.stack(own) if landmarks_px is None else landmarks_px
    weights = np.ones((len(faces), 68)) if weight is None else np.asarray(weight)
    if points.shape != (len(faces), 68, 2) or weights.shape != (len(faces), 68):
        raise ValueError(f"expected ({len(faces)}, 68, 2) points, got {points.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError("weights must be finite and not negative")
    if not np.isfinite(points[weights > 0.0]).all():
        raise ValueError("points that are not finite need a weight of 0")
    in_crops = [
        transform_points(face.crop.crop_from_image, xy)
        for face, xy in zip(faces, points, strict=True)
    ]
    return torch.from_numpy(np.stack(in_crops)).float(), torch.from_numpy(weights).float()


def _check(faces: Sequence[Reconstruction]) -> None:
    if not faces:
        raise ValueError("refine needs at least one face")
    first = faces[0]
    if any(face.model is not first.model for face in faces):
        raise ValueError("the faces have different face models")
    if any(face.crop.size != first.crop.size for face in faces):
        raise ValueError("the faces' crops differ in size")
    if any(face.rotation_kind != "6d" for face in faces):
        raise ConfigurationError("fitting needs 6d rotations")
    if not first.model.has_albedo:
        raise ConfigurationError(f"the face model {first.model.name} has no albedo to fit")
