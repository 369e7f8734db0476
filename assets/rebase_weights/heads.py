"""Linear heads on a network's pooled features, learnt anew for a face model."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mlanet.geometry import Camera, decode_pose, landmarks_in_pixels, matrix_from_6d
from mlanet.morphable import MorphableModel
from rebase_weights.examples import Examples
from rebase_weights.graph import Affine

BLOCKS = ("identity", "expression", "rotation", "translation")
"""What is learnt; colours and light are carried over in other ways."""

OUTSIDE_SLOPE = 0.02
"""Slope, in training, of expressions beyond [0, 1], where the network clamps them: a coefficient
that has left the range finds back."""


@dataclass(frozen=True, slots=True)
class HeadsConfig:
    """How heads are learnt: a ridge regression, then Adam, with steps that shrink as a cosine.

    The objective is the mean distance of the 68 points over the face's size (per cent) plus mean
    squared differences of coefficients and matrices times these weights.

    Attributes:
        ridge: of the regression, in examples: features are standardised.
        steps: of Adam.
        batch_size: examples in a step.
        learning_rate: of the first step.
        identity: weight of the identity coefficients.
        scored_expression: of expressions that rest on the teacher's scores.
        expression: of the others, which rest on landmarks alone.
        rotation: of the rotation matrices' summed squared differences.
    """

    ridge: float = 30.0
    steps: int = 6000
    batch_size: int = 512
    learning_rate: float = 4e-4
    identity: float = 0.5
    scored_expression: float = 90.0
    expression: float = 15.0
    rotation: float = 10.0


class _Example(NamedTuple):
    """Some examples as tensors; inputs are standardised features and a one."""

    inputs: Float[Tensor, "b g"]
    vectors: Float[Tensor, "b n"]
    landmarks_px: Float[Tensor, "b 68 2"]
    scored: Bool[Tensor, "b"]


def learn_heads(
    examples: Examples, model: MorphableModel, config: HeadsConfig | None = None
) -> Affine:
    """From features to all coefficients of the face model, zero but for `BLOCKS`.

    The same for the same examples, on one thread. Prints what is reached on held-out crops.
    """
    config = config or HeadsConfig()
    mean, sd = examples.features.mean(axis=0), examples.features.std(axis=0) + 1e-6
    data = _tensors(examples, mean, sd)
    training = torch.from_numpy(np.flatnonzero(~examples.held_out))
    objective = _Objective(model, examples.size_px, config)
    weight = _regressed(_some(data, training), model, config.ridge).requires_grad_()
    optimizer = torch.optim.Adam([weight], lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(config.steps):
        chosen = torch.randint(len(training), (config.batch_size,), generator=generator)
        cost = objective(weight, _some(data, training[chosen]))
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        schedule.step()
    return _on_features(weight.detach().double().numpy(), mean, sd)


def landmark_percent(
    heads: Affine, examples: Examples, model: MorphableModel
) -> Float[np.ndarray, "m"]:
    """Mean distance of the 68 points over sqrt(width · height) of their box, per cent."""
    vectors = examples.features @ heads.matrix.T + heads.offset
    known = model.layout.split(torch.from_numpy(vectors.astype(np.float32)))
    objective = _Objective(model, examples.size_px, HeadsConfig())
    points = objective.landmarks_px(
        known.identity, known.expression.clamp(0.0, 1.0), known.rotation, known.translation
    )
    return landmark_distance(points, torch.from_numpy(examples.landmarks_px)).numpy()


def landmark_distance(
    predicted: Float[Tensor, "b 68 2"], target: Float[Tensor, "b 68 2"]
) -> Float[Tensor, "b"]:
    """Mean distance over sqrt(width · height) of the target's box, per cent."""
    size = (target.amax(dim=1) - target.amin(dim=1)).prod(dim=1).sqrt()
    return 100.0 * torch.linalg.norm(predicted - target, dim=-1).mean(dim=1) / size


class _Objective:
    """What is minimised."""

    def __init__(self, model: MorphableModel, size_px: int, config: HeadsConfig) -> None:
        self.layout = model.layout
        self.points = model.landmarks.convert(torch.from_numpy)
        self.camera = Camera.of_crop(size_px)
        self.config = config

    def __call__(self, weight: Float[Tensor, "g n"], batch: _Example) -> Tensor:
        found = self.layout.split(batch.inputs @ weight)
        known = self.layout.split(batch.vectors)
        inside = found.expression.clamp(0.0, 1.0)
        expression = inside + OUTSIDE_SLOPE * (found.expression - inside)
        points = self.landmarks_px(found.identity, expression, found.rotation, found.translation)
        apart = matrix_from_6d(found.rotation) - matrix_from_6d(known.rotation)
        trust = torch.where(batch.scored, self.config.scored_expression, self.config.expression)
        return (
            landmark_distance(points, batch.landmarks_px).mean()
            + self.config.identity * (found.identity - known.identity).square().mean()
            + (trust[:, None] * (expression - known.expression).square()).mean()
            + self.config.rotation * apart.square().sum(dim=(1, 2)).mean()
        )

    def landmarks_px(
        self,
        identity: Float[Tensor, "b i"],
        expression: Float[Tensor, "b e"],
        rotation: Float[Tensor, "b 6"],
        translation: Float[Tensor, "b 3"],
    ) -> Float[Tensor, "b 68 2"]:
        """The 68 points in the crops."""
        pose = decode_pose(rotation, translation)
        points = self.points(identity, expression)
        return landmarks_in_pixels(self.camera, pose, points)[..., :2]


def _tensors(
    examples: Examples, mean: Float[np.ndarray, "f"], sd: Float[np.ndarray, "f"]
) -> _Example:
    ones = np.ones((len(examples.features), 1))
    inputs = np.concatenate([(examples.features - mean) / sd, ones], axis=1, dtype=np.float32)
    arrays = (inputs, examples.vectors, examples.landmarks_px, examples.scored)
    return _Example(*(torch.from_numpy(array) for array in arrays))


def _some(data: _Example, places: Int[Tensor, "b"]) -> _Example:
    return _Example(*(values[places] for values in data))


def _regressed(data: _Example, model: MorphableModel, ridge: float) -> Float[Tensor, "g n"]:
    """Weights of a ridge regression of the coefficients of `BLOCKS`."""
    normal = data.inputs.T @ data.inputs + ridge * torch.eye(data.inputs.shape[1])
    weight = torch.linalg.solve(normal, data.inputs.T @ data.vectors)
    learnt = torch.zeros(model.layout.size)
    for name in BLOCKS:
        learnt[model.layout.slices[name]] = 1.0
    return weight * learnt


def _on_features(
    weight: Float[np.ndarray, "g n"], mean: Float[np.ndarray, "f"], sd: Float[np.ndarray, "f"]
) -> Affine:
    """The same map for features that are not standardised."""
    matrix = (weight[:-1] / sd[:, None]).T
    return Affine(matrix, weight[-1] - matrix @ mean)
