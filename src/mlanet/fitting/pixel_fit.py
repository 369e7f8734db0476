"""A face's shape from the shading and the features of its skin: Gauss-Newton, without torch.

One photo or several of one person, which then have identity and albedo in common.

Analysis by synthesis (Blanz and Vetter, 1999) at the vertices of the skin instead of pixels: the
photo's colour less albedo times harmonics, whose derivative by the shape is that of the normal, and
of the place in the photo. All coefficients move at once by the normal equations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from mlanet.coefficients import NUM_LIGHTING, Coefficients
from mlanet.errors import ConfigurationError
from mlanet.fitting.lit_skin import Appearance, BlurredPhoto, LitSkin, facing_weight
from mlanet.fitting.skin_surface import MARGIN_PX, SkinSurface
from mlanet.fitting.views import CropView, Projected
from mlanet.geometry import (
    AMBIENT_WHITE,
    Pose,
    decode_translation,
    matrix_from_vector,
    six_d_from_matrix,
)
from mlanet.image import crop_square, invert_transform, transform_points
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.reconstruction import Reconstruction

NUM_TURN, NUM_POSE = 3, 6
"""Numbers of a small turn and of a small motion: turn about the camera's axes, translation."""

VERTEX_MM2 = 20.0
"""Area of skin that a vertex of weight 1 stands for."""

ALBEDO_RMS = 0.02
"""Colour distance that weighs as much as an albedo coefficient of one standard deviation."""

DAMPING = 1e-3
"""Precision that keeps what neither photo nor prior tells where it is."""


@dataclass(frozen=True, slots=True)
class PixelFitConfig:
    """What `refine_face` believes of photos, faces and networks.

    Attributes:
        steps: of Gauss-Newton.
        size_px: side of the crop that is compared.
        blur_px: standard deviation of the blur of that crop.
        color_noise: of 20 mm² of skin, each channel, in [0, 1]. Larger than what cameras do: what
            albedo and harmonics do not explain is alike over several vertices.
        outlier: colour distance beyond which skin counts less: hair, glasses, hands.
        landmark_noise: standard deviation of the given face's landmarks over its size.
        identity_sd: of identity coefficients about the given face's.
        expression_sd: the same of expression coefficients, where they are weights in [0, 1].
        free_expression_sd: the same where they are unit normal.
        albedo_sd: of the albedo's coefficients.
        light_sd: of the light's radiance about white from everywhere.
        agreement: of `n` photos' answers about one person, shape, albedo and landmarks alike, as a
            power of `n`: 1 as if they were wrong independently, 0 as if always in the same way.

    Raises:
        ConfigurationError: a value is not positive; the field is named.
    """

    steps: int = 4
    size_px: int = 256
    blur_px: float = 1.5
    color_noise: float = 0.15
    outlier: float = 0.15
    landmark_noise: float = 0.04
    identity_sd: float = 1.0
    expression_sd: float = 0.1
    free_expression_sd: float = 0.3
    albedo_sd: float = 1.0
    light_sd: float = 0.5
    agreement: float = 0.1

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value > 0:
                raise ConfigurationError(f"{item.name} must be positive, got {value}")


SEVERAL_PHOTOS = PixelFitConfig(color_noise=0.1)
"""What `refine_person` believes of several photos: what the skin's model does not explain differs
from one to the next, and pulls the shape less. Chosen on rendered heads of the face model."""


def can_be_refined(face: Reconstruction) -> bool:
    """Whether `refine_face` takes it: the face model has albedo and the rotation is 6D."""
    return face.rotation_kind == "6d" and face.model.has_albedo


def refine_face(face: Reconstruction, config: PixelFitConfig | None = None) -> Reconstruction:
    """The face with the shape, pose, albedo and light that explain its photo better.

    Starts at the given face, whose identity, expression and landmarks are the middle of the
    priors. Needs no torch; a tenth of a second. Deterministic.

    Raises:
        ConfigurationError: the face model has no albedo or the rotation is not of the 6D kind.
    """
    return refine_person([face], config)[0]


def refine_if_possible(face: Reconstruction) -> Reconstruction:
    """`refine_face` of a face that it takes; any other as it is."""
    return refine_face(face) if can_be_refined(face) else face


def refine_person(
    faces: Sequence[Reconstruction], config: PixelFitConfig | None = None
) -> list[Reconstruction]:
    """Faces of one person in several photos, with one shape and one albedo that explain them all.

    As `refine_face`; pose, expression and light are each photo's own. Each photo's answer counts
    alike as the middle of what identity and albedo are expected to be. Without `config`, that of
    several photos is `SEVERAL_PHOTOS`.

    Raises:
        ConfigurationError: see `refine_face`.
        ValueError: there is no face, or their face models differ.
    """
    if not faces or any(face.model is not faces[0].model for face in faces):
        raise ValueError("expected faces of one face model")
    if any(face.rotation_kind != "6d" for face in faces):
        raise ConfigurationError("fitting needs 6d rotations")
    if not faces[0].model.has_albedo:
        raise ConfigurationError(f"the face model {faces[0].model.name} has no albedo to fit")
    config = config or (PixelFitConfig() if len(faces) == 1 else SEVERAL_PHOTOS)
    problems = [_Problem(face, config, len(faces)) for face in faces]
    states = [problem.start() for problem in problems]
    shared = problems[0].shared
    for _ in range(config.steps):
        parts = [each.equations(state) for each, state in zip(problems, states, strict=True)]
        changes = solved_together(parts, shared)
        states = [
            each.moved(state, part.appearance, change)
            for each, state, part, change in zip(problems, states, parts, changes, strict=True)
        ]
    return [
        replace(face, coefficients=problem.coefficients(state))
        for face, problem, state in zip(faces, problems, states, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """What one photo says of all its coefficients: `normal @ change = -slope`.

    Attributes:
        normal: matrix.
        slope: right side.
        values: of the coefficients where this was linearised; those of the pose and of the light
            are not needed and zero.
        appearance: albedo and light at which this was linearised.
    """

    normal: Float[np.ndarray, "n n"]
    slope: Float[np.ndarray, "n"]
    values: Float[np.ndarray, "n"]
    appearance: Appearance


def solved_together(
    parts: Sequence[Equations], shared: Bool[np.ndarray, "n"]
) -> list[Float[np.ndarray, "n"]]:
    """Changes after which the shared coefficients of all photos have the same values.

    Each photo's own coefficients are eliminated first (Schur's complement), so that the work grows
    with the number of photos and not with its cube.
    """
    own, count = ~shared, int(shared.sum())
    total, right = np.zeros((count, count)), np.zeros(count)
    eliminated: list[np.ndarray] = []
    for part in parts:
        across = part.normal[np.ix_(own, shared)]
        sides = np.concatenate([across, part.slope[own, None]], axis=1)
        solved = np.linalg.solve(part.normal[np.ix_(own, own)], sides)
        reduced = part.normal[np.ix_(shared, shared)] - across.T @ solved[:, :-1]
        total += reduced
        right += reduced @ part.values[shared] - part.slope[shared] + across.T @ solved[:, -1]
        eliminated.append(solved)
    values = np.linalg.solve(total, right)
    changes: list[np.ndarray] = []
    for part, solved in zip(parts, eliminated, strict=True):
        change = np.empty(len(shared))
        change[shared] = values - part.values[shared]
        change[own] = -solved[:, -1] - solved[:, :-1] @ change[shared]
        changes.append(change)
    return changes


@dataclass(frozen=True, slots=True)
class _State:
    """Where a fit stands; the place is that of `fitting.views.CropView`."""

    shape: Float[np.ndarray, "k"]
    rotation: Float[np.ndarray, "3 3"]
    place: Float[np.ndarray, "4"]
    appearance: Appearance | None = None

    @property
    def pose(self) -> Pose:
        return Pose(self.rotation, np.asarray(decode_translation(self.place[:3])))


class _Problem:
    """A face's photo and what is expected of the answer."""

    def __init__(self, face: Reconstruction, config: PixelFitConfig, num_photos: int = 1) -> None:
        self.face, self.config, self.num_photos = face, config, num_photos
        self.surface, self.model, self.photographic = _prepared(face.model)
        crop = crop_square(face.image, face.crop.square_px, config.size_px)
        self.photo = BlurredPhoto(crop.image, config.blur_px)
        self.image_from_crop = invert_transform(crop.crop_from_image)
        self.view = CropView(1.0)
        first = self.start()
        self.shape = first.shape
        self.landmarks = self._landmarks(first).image[0, :, :2]
        self.size = float(np.sqrt(np.ptp(self.landmarks, axis=0).prod()))
        self.albedo = self._expected_albedo()

    def _expected_albedo(self) -> Float[np.ndarray, "a"]:
        """Coefficients of the fitted albedo that come nearest to the given face's."""
        given, skin = self.face.coefficients.albedo, self.surface.skin
        if self.photographic is None:
            return given.astype(np.float64)
        own, fitted = self.face.model, self.model
        target = (own.albedo_mean + own.albedo_basis @ given - fitted.albedo_mean)[skin]
        rows = fitted.albedo_basis[skin].reshape(target.size, -1) / ALBEDO_RMS
        normal = rows.T @ rows / target.size + np.eye(rows.shape[1])
        expected = rows.T @ target.reshape(-1) / (ALBEDO_RMS * target.size)
        return np.linalg.solve(normal, expected).astype(np.float64)

    def start(self) -> _State:
        given = self.face.coefficients
        shape = np.concatenate([given.identity, given.expression]).astype(np.float64)
        place = np.append(given.translation.astype(np.float64), 0.0)
        return _State(shape, np.asarray(self.face.pose.rotation, dtype=np.float64), place)

    @property
    def shared(self) -> Bool[np.ndarray, "n"]:
        """Which coefficients all photos of a person have in common."""
        layout = self.model.layout
        counts = [layout.identity, layout.expression + NUM_POSE, layout.albedo, NUM_LIGHTING]
        return np.repeat([True, False, True, False], counts)

    def equations(self, state: _State) -> Equations:
        """One step of all coefficients; the first begins with light and albedo alone."""
        config, vertices = self.config, self.surface.vertices(state.shape)
        chosen = self.surface.visible(vertices, state.pose, config.size_px)
        normals = self.surface.normals(vertices).only(chosen)
        number = self.surface.skin[chosen]
        seen = self.view.project(state.rotation[None], state.place[None], vertices[number][None])
        places = seen.image[0, :, :2] * config.size_px
        turned = normals.unit @ state.rotation.T
        weight = facing_weight(turned, state.pose.apply(vertices[number]))
        weight *= normals.area_mm2 / VERTEX_MM2 * self._in_photo(places)
        skin = LitSkin(
            self.photo.at(places),
            self.model.albedo_mean[number].astype(np.float64),
            self.model.albedo_basis[number].astype(np.float64),
            turned,
            weight,
            config.outlier,
        )
        appearance = state.appearance or skin.explained(
            self.albedo, config.color_noise, config.albedo_sd, config.light_sd
        )
        residual = skin.residual(appearance)
        by_place = skin.photo.slope * config.size_px
        by_normal = skin.by_normal(appearance)
        moved = np.matmul(by_place, seen.by_point[0, :, :2]).astype(np.float32)
        tilted = np.matmul(by_normal, state.rotation).astype(np.float32)
        by_shape = np.matmul(moved, self.surface.basis[number])
        by_shape -= np.matmul(tilted, normals.by_shape)
        by_pose = np.matmul(by_place, seen.by_pose[0, :, :2, :NUM_POSE])
        by_pose[:, :, :NUM_TURN] -= np.cross(turned[:, None], by_normal)
        parts = [by_shape, by_pose, -skin.by_appearance(appearance)]
        rows = np.concatenate([part.astype(np.float32) for part in parts], axis=-1)
        rows = rows.reshape(residual.size, -1)
        trust = np.repeat(skin.trust(residual) / config.color_noise**2, 3).astype(np.float32)
        normal = (rows.T @ (rows * trust[:, None])).astype(np.float64)
        slope = (rows.T @ (trust * residual.reshape(-1).astype(np.float32))).astype(np.float64)
        self._keep_likely(state, appearance, normal, slope)
        values = np.zeros(len(slope))
        values[: len(state.shape)] = state.shape
        start = len(state.shape) + NUM_POSE
        values[start : start + len(appearance.albedo)] = appearance.albedo
        return Equations(normal, slope, values, appearance)

    def coefficients(self, state: _State) -> Coefficients:
        """The answer in the face model's own coefficients."""
        assert state.appearance is not None
        split = self.model.layout.identity
        albedo, light = state.appearance.albedo, state.appearance.light.copy()
        if self.photographic is not None:
            albedo = self.photographic.carried(albedo[None], self.face.model)[0]
        light[0] -= AMBIENT_WHITE
        numbers = {
            "identity": state.shape[:split],
            "expression": state.shape[split:],
            "albedo": albedo,
            "rotation": six_d_from_matrix(state.rotation),
            "translation": state.place[:3],
            "lighting": light.reshape(-1),
        }
        return Coefficients(**{k: block.astype(np.float32) for k, block in numbers.items()})

    def _keep_likely(
        self,
        state: _State,
        appearance: Appearance,
        normal: Float[np.ndarray, "n n"],
        slope: Float[np.ndarray, "n"],
    ) -> None:
        """Add what is likely without the photo: the given shape, landmarks and albedo."""
        config, layout = self.config, self.model.layout
        seen, points = self._landmarks(state), self.model.landmarks
        modes = np.concatenate([points.identity, points.expression], axis=-1)
        moved = np.matmul(seen.by_point[0, :, :2], modes)
        rows = np.concatenate([moved, seen.by_pose[0, :, :2, :NUM_POSE]], axis=-1)
        rows = rows.reshape(2 * len(modes), -1)
        shared = self.num_photos ** (config.agreement - 1.0)
        trust = shared * (config.landmark_noise * self.size) ** -2.0
        apart = (seen.image[0, :, :2] - self.landmarks).reshape(-1)
        count = rows.shape[1]
        normal[:count, :count] += trust * rows.T @ rows
        slope[:count] += trust * rows.T @ apart
        bounded = self.model.expression_bounded
        expression_sd = config.expression_sd if bounded else config.free_expression_sd
        sds = [config.identity_sd, expression_sd, np.inf, config.albedo_sd, np.inf]
        counts = [layout.identity, layout.expression, NUM_POSE, layout.albedo, NUM_LIGHTING]
        precision = np.repeat(np.array(sds) ** -2.0, counts)
        precision[self.shared] *= shared
        away = np.zeros(len(precision))
        away[: len(self.shape)] = state.shape - self.shape
        away[count : count + layout.albedo] = appearance.albedo - self.albedo
        normal[np.diag_indices_from(normal)] += precision + DAMPING
        slope += precision * away

    def moved(
        self, state: _State, appearance: Appearance, change: Float[np.ndarray, "n"]
    ) -> _State:
        """The state after a change of all coefficients."""
        layout = self.model.layout
        counts = [len(state.shape), NUM_TURN, NUM_POSE - NUM_TURN, layout.albedo]
        shape, turn, translation, albedo, light = np.split(change, np.cumsum(counts))
        shape = state.shape + shape
        if self.model.expression_bounded:
            shape[layout.identity :] = shape[layout.identity :].clip(0.0, 1.0)
        return _State(
            shape,
            matrix_from_vector(turn) @ state.rotation,
            state.place + np.append(translation, 0.0),
            Appearance(appearance.albedo + albedo, appearance.light + light.reshape(9, 3)),
        )

    def _landmarks(self, state: _State) -> Projected:
        points, split = self.model.landmarks, self.model.layout.identity
        shape = state.shape.astype(np.float32)
        now = points(shape[:split], shape[split:]).astype(np.float64)
        return self.view.project(state.rotation[None], state.place[None], now[None])

    def _in_photo(self, places: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Which places of the crop lie in the photo; outside of it the crop is black."""
        height, width = self.face.image.shape[:2]
        margin = MARGIN_PX * self.image_from_crop[0, 0]
        inside = transform_points(self.image_from_crop, places)
        low, high = inside - margin, np.array([width, height]) - margin - inside
        return (np.minimum(low, high) > 0.0).all(axis=1)


@lru_cache(maxsize=2)
def _prepared(
    model: MorphableModel,
) -> tuple[SkinSurface, MorphableModel, AlbedoModel | None]:
    """The surface, the model with the albedo to fit, and that albedo if it is not its own."""
    photographic = AlbedoModel.load()
    if photographic.face_model != model.name or len(photographic.mean) != len(model.albedo_mean):
        return SkinSurface(model), model, None
    return SkinSurface(model), photographic.on(model), photographic
