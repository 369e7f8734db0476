"""Pose, identity and expression from 68 landmarks, many faces at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.errors import ConfigurationError
from mlanet.fitting.views import NUM_POSE, View
from mlanet.geometry import are_rotations, matrix_from_vector, vector_from_matrix
from mlanet.morphable import LinearShape, linear_combination
from mlanet.morphable.least_squares import bounded_step

FACES_AT_ONCE = 48
"""Their normal equations fit into a processor's cache."""

POSE_SD = np.array([0.5, 0.5, 0.5, 1.0, 1.0, 0.5, 1.0])
"""How far a step may turn (rad), shift (face sizes) and scale (logarithm): damping, no prior."""


@dataclass(frozen=True, slots=True)
class FittingConfig:
    """The prior and the noise of a landmark fit.

    Attributes:
        noise: standard deviation of a coordinate of weight 1, as a share of the face's size
            sqrt(width · height), the box of its labels.
        identity_sd: of identity coefficients.
        identity_limit: identity coefficients stay within plus and minus this.
        expression_sd: of expression coefficients around zero.
        expression_bounds: expression coefficients stay between these.
        depth_weight: of labelled depth relative to x and y.
        steps: Gauss-Newton steps.

    Raises:
        ConfigurationError: a value is out of its range; the field is named.
    """

    noise: float = 0.005
    identity_sd: float = 1.0
    identity_limit: float = 3.0
    expression_sd: float = 0.3
    expression_bounds: tuple[float, float] = (0.0, 1.0)
    depth_weight: float = 1.0
    steps: int = 8

    def __post_init__(self) -> None:
        for name in ("noise", "identity_sd", "identity_limit", "expression_sd", "steps"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be positive, got {getattr(self, name)}")
        if not self.depth_weight >= 0:
            raise ConfigurationError(f"depth_weight must not be negative, got {self.depth_weight}")
        low, high = self.expression_bounds
        if not low < high:
            raise ConfigurationError(f"expression_bounds must be in order, got {low}, {high}")


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionPrior:
    """What is known of the expressions of `b` faces before their landmarks are seen.

    Attributes:
        mean: the likeliest coefficients.
        sd: their standard deviations, positive.
    """

    mean: Float[np.ndarray, "b e"]
    sd: Float[np.ndarray, "b e"]


@dataclass(frozen=True, slots=True, eq=False)
class RotationPrior:
    """How `b` heads are turned, as far as it is known before their landmarks are seen.

    Attributes:
        rotation: model to camera.
        sd_rad: how far heads are from it, about each axis; positive.
    """

    rotation: Float[np.ndarray, "b 3 3"]
    sd_rad: float


@dataclass(frozen=True, slots=True)
class LandmarkFit:
    """Faces that were fitted to landmarks.

    Attributes:
        rotation: model to camera.
        place: where and how large the face is, in the terms of the view that was fitted.
        landmarks_px: the fitted model's, with nearness in pixels in the last column.
    """

    identity: Float[np.ndarray, "b i"]
    expression: Float[np.ndarray, "b e"]
    rotation: Float[np.ndarray, "b 3 3"]
    place: Float[np.ndarray, "b 4"]
    landmarks_px: Float[np.ndarray, "b n 3"]


def fit_landmarks(
    points: LinearShape,
    view: View,
    landmarks_px: Float[np.ndarray, "b n d"],
    weight: Float[np.ndarray, "b n"] | None = None,
    config: FittingConfig | None = None,
    expression_prior: ExpressionPrior | None = None,
    rotation_prior: RotationPrior | None = None,
) -> LandmarkFit:
    """Maximum a posteriori pose and coefficients of faces with `n` labelled points.

    Gauss-Newton with bounds on the coefficients; the pose starts at the mean face's affine
    camera. The prior on coefficients is Gaussian.

    Args:
        points: the model of the labelled points in their order (`MorphableModel.landmarks`, or
            `.only(...)` of them).
        view: the camera in whose pixels the labels are.
        landmarks_px: x, y and, with three columns, nearness in the same scale.
        weight: of each point; 0 leaves it out. A point of weight w has the noise of w points.
        config: prior and noise.
        expression_prior: what is known of each face's expression, instead of the configuration's.
        rotation_prior: what is known of each head's rotation; without it, nothing.

    Raises:
        ValueError: shapes do not fit, a weight or a point with a weight is not finite, a face has
            fewer than four weighted points or no extent, or a prior is not finite, no rotation, or
            has a deviation that is not positive.
    """
    config = config or FittingConfig()
    labels = np.asarray(landmarks_px, dtype=np.float64)
    if labels.ndim != 3 or labels.shape[1] != len(points.mean) or labels.shape[2] not in (2, 3):
        raise ValueError(f"expected (b, {len(points.mean)}, 2 or 3), got {labels.shape}")
    weights = np.ones(labels.shape[:2]) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != labels.shape[:2]:
        raise ValueError(f"weight must be {labels.shape[:2]}, got {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("weights must be finite and not negative")
    labels = np.where(weights[..., None] > 0, labels, 0.0)  # what is not seen may be any number
    if not np.isfinite(labels).all():
        raise ValueError("points that are not finite need a weight of 0")
    if ((weights > 0).sum(axis=1) < 4).any():
        raise ValueError("each face needs four points with a weight")
    if not (_size(labels, weights) > 0).all():
        raise ValueError("the points of each face need an extent")
    shape = points.convert(lambda array: array.astype(np.float64))
    mean, sd = _prior(shape, len(labels), config, expression_prior)
    turned = _checked(rotation_prior, len(labels))
    parts = [
        _fit(
            shape,
            view,
            labels[part],
            weights[part],
            config,
            mean[part],
            sd[part],
            turned and RotationPrior(turned.rotation[part], turned.sd_rad),
        )
        for part in (slice(k, k + FACES_AT_ONCE) for k in range(0, len(labels), FACES_AT_ONCE))
    ] or [_empty(shape)]
    return LandmarkFit(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("identity", "expression", "rotation", "place", "landmarks_px")
        )
    )


def _fit(
    shape: LinearShape,
    view: View,
    labels: Float[np.ndarray, "b n d"],
    weights: Float[np.ndarray, "b n"],
    config: FittingConfig,
    expected: Float[np.ndarray, "b k"],
    coefficient_sd: Float[np.ndarray, "b k"],
    turned: RotationPrior | None,
) -> LandmarkFit:
    faces, columns = len(labels), labels.shape[2]
    size = _size(labels, weights) / view.unit_px
    target = labels / view.unit_px
    kinds = np.array([1.0, 1.0, np.sqrt(config.depth_weight)])[:columns]
    trust = np.sqrt(weights)[..., None] * kinds / (config.noise * size)[:, None, None]

    num_identity, num_expression = shape.identity.shape[-1], shape.expression.shape[-1]
    basis = np.concatenate([shape.identity, shape.expression], axis=-1)
    limits = np.array([[-config.identity_limit, config.identity_limit], config.expression_bounds])
    low, high = np.repeat(limits, [num_identity, num_expression], axis=0).T
    free = np.full(NUM_POSE, np.inf)
    bounds = np.concatenate([-free, low]), np.concatenate([free, high])
    pose_sd = np.where(np.arange(NUM_POSE) == 5, 1.0, size[:, None]) * POSE_SD
    pose_sd[:, :3] = POSE_SD[:3]
    if turned is not None:
        pose_sd[:, :3] = turned.sd_rad
    sd = np.concatenate([pose_sd, coefficient_sd], axis=1)

    rotation, place = _affine_start(shape.mean, view, target, weights)
    coefficients = np.clip(expected, low, high)
    mean = np.concatenate([np.zeros((faces, NUM_POSE)), expected], axis=1)
    fixed = np.zeros((faces, NUM_POSE + len(low)), dtype=bool)
    for _ in range(config.steps):
        if turned is not None:
            mean[:, :3] = vector_from_matrix(turned.rotation @ rotation.transpose(0, 2, 1))
        points = linear_combination(shape.mean, basis, coefficients)
        image, by_point, by_pose = (
            part[:, :, :columns] for part in view.project(rotation, place, points)
        )
        by_point = (by_point * trust[..., None]).transpose(1, 0, 2, 3)
        rows = np.empty((faces, *trust.shape[1:], NUM_POSE + len(low)))
        rows[..., :NUM_POSE] = by_pose * trust[..., None]
        by_coefficient = by_point.reshape(len(basis), -1, 3) @ basis
        rows[..., NUM_POSE:] = by_coefficient.reshape(len(basis), faces, columns, -1).transpose(
            1, 0, 2, 3
        )
        rows = rows.reshape(faces, -1, rows.shape[-1])
        current = np.concatenate([np.zeros((faces, NUM_POSE)), coefficients], axis=1)
        right = ((target - image) * trust).reshape(faces, -1)
        right += (rows[..., NUM_POSE:] @ coefficients[..., None])[..., 0]
        step, fixed = bounded_step(rows, right, mean, sd, bounds, fixed, current)
        rotation = matrix_from_vector(step[:, :3]) @ rotation
        place = place + step[:, 3:NUM_POSE]
        coefficients = step[:, NUM_POSE:]
    image = view.project(rotation, place, linear_combination(shape.mean, basis, coefficients)).image
    identity, expression = np.split(coefficients, [num_identity], axis=1)
    return LandmarkFit(identity, expression, rotation, place, image * view.unit_px)


def _prior(
    shape: LinearShape, faces: int, config: FittingConfig, expression: ExpressionPrior | None
) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    """Means and standard deviations of identity and expression of each face."""
    num_identity, num_expression = shape.identity.shape[-1], shape.expression.shape[-1]
    sizes = [num_identity, num_expression]
    mean = np.zeros((faces, sum(sizes)))
    sd = np.tile(np.repeat([config.identity_sd, config.expression_sd], sizes), (faces, 1))
    if expression is None:
        return mean, sd
    for values in (expression.mean, expression.sd):
        if values.shape != (faces, num_expression):
            raise ValueError(
                f"expression_prior must be {(faces, num_expression)}, got {values.shape}"
            )
        if not np.isfinite(values).all():
            raise ValueError("expression_prior must be finite")
    if not (expression.sd > 0).all():
        raise ValueError("deviations of expression_prior must be positive")
    mean[:, num_identity:], sd[:, num_identity:] = expression.mean, expression.sd
    return mean, sd


def _size(
    labels: Float[np.ndarray, "b n d"], weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, "b"]:
    """sqrt(width · height) of the weighted points' boxes."""
    used, xy = weights[..., None] > 0, labels[..., :2]
    extent = np.where(used, xy, -np.inf).max(axis=1) - np.where(used, xy, np.inf).min(axis=1)
    return np.sqrt(extent.prod(axis=1))


def _affine_start(
    points: Float[np.ndarray, "n 3"],
    view: View,
    target: Float[np.ndarray, "b n d"],
    weights: Float[np.ndarray, "b n"],
) -> tuple[Float[np.ndarray, "b 3 3"], Float[np.ndarray, "b 4"]]:
    """Rotation and place whose scaled orthographic camera is nearest the best affine one."""
    homogeneous = np.column_stack([points, np.ones(len(points))])
    weighted = homogeneous.T * weights[:, None]
    normal = weighted @ homogeneous + 1e-9 * np.eye(4)
    affine = np.linalg.solve(normal, weighted @ target[..., :2]).transpose(0, 2, 1)
    u, singular, vt = np.linalg.svd(affine[..., :3], full_matrices=False)
    across = u @ vt
    rotation = np.concatenate([across, np.cross(across[:, :1], across[:, 1:])], axis=1)
    scale = singular.mean(axis=1)
    return rotation, view.place(scale, affine[..., 3])


def _checked(prior: RotationPrior | None, faces: int) -> RotationPrior | None:
    """A prior that fits so many faces."""
    if prior is None:
        return None
    if prior.rotation.shape != (faces, 3, 3):
        raise ValueError(
            f"rotation_prior must be {(faces, 3, 3)}, got {tuple(prior.rotation.shape)}"
        )
    if not (are_rotations(prior.rotation).all() and prior.sd_rad > 0):
        raise ValueError("rotation_prior must hold rotations and a positive deviation")
    return prior


def _empty(shape: LinearShape) -> LandmarkFit:
    return LandmarkFit(
        identity=np.zeros((0, shape.identity.shape[-1])),
        expression=np.zeros((0, shape.expression.shape[-1])),
        rotation=np.zeros((0, 3, 3)),
        place=np.zeros((0, 4)),
        landmarks_px=np.zeros((0, len(shape.mean), 3)),
    )
