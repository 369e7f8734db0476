"""Rendered heads: random faces whose coefficients are known exactly."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.coefficients import Coefficients
from mlanet.datasets import Sample
from mlanet.errors import ConfigurationError
from mlanet.geometry import (
    Camera,
    MeshTopology,
    decode_lighting,
    decode_pose,
    matrix_from_euler,
    six_d_from_matrix,
)
from mlanet.morphable import MorphableModel
from mlanet.render import Renderer
from mlanet.synthesis.expressions import random_expression
from mlanet.synthesis.lighting import UNMETERED, random_lighting
from mlanet.synthesis.pose import decoded_landmarks, framed_translation
from mlanet.synthesis.shapes import Shape, glasses, glasses_faces, hair, hair_faces
from mlanet.synthesis.surroundings import Photos, background, camera_flaws, occlude

PERSON = 1
"""Tells the random numbers of a person from those of a picture."""


@dataclass(frozen=True, slots=True)
class HeadsConfig:
    """Ranges of the random heads; probabilities are for each picture.

    Attributes:
        yaw_deg, pitch_deg, roll_deg: angles are uniform between plus and minus these.
        identity_sd: standard deviation of identity coefficients.
        expression: probability that a part of the face moves (see `random_expression`).
        albedo_sd: standard deviation of albedo coefficients.
        center: standard deviation of the face's place, in crop sides.
        log_scale: standard deviation of the logarithm of its size.
        unmetered: how often the camera exposes for something else than the head.
        hair, glasses, occluder: how often they occur.
        pictures: so many pictures in a row show one person, all else of them drawn anew.
    """

    yaw_deg: float = 90.0
    pitch_deg: float = 30.0
    roll_deg: float = 30.0
    identity_sd: float = 1.0
    expression: float = 0.5
    albedo_sd: float = 1.0
    center: float = 0.03
    log_scale: float = 0.08
    unmetered: float = UNMETERED
    hair: float = 0.7
    glasses: float = 0.2
    occluder: float = 0.25
    pictures: int = 1

    def __post_init__(self) -> None:
        for name in ("expression", "unmetered", "hair", "glasses", "occluder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        for name in ("yaw_deg", "pitch_deg", "roll_deg", "identity_sd", "albedo_sd"):
            if not 0.0 <= getattr(self, name) <= 180.0:
                raise ConfigurationError(f"{name} must be in [0, 180], got {getattr(self, name)}")
        if self.pictures < 1:
            raise ConfigurationError(f"pictures must be positive, got {self.pictures}")


@dataclass(frozen=True, eq=False)
class RenderedHeads:
    """A data set of rendered heads, made when they are asked for.

    Sample `index` depends on the seed, the index and the settings alone. Its coefficients are
    what a network should predict (float32); decoding them gives its landmarks to the bit.

    Attributes:
        model: the face model; coefficients follow its layout.
        size: side of the crops in pixels.
        count: how many there are.
        seed: of everything random.
        config: ranges.
        photos: pictures whose parts serve as backgrounds and textures of occluders.
    """

    model: MorphableModel
    size: int = 128
    count: int = 10_000
    seed: int = 0
    config: HeadsConfig = field(default_factory=HeadsConfig)
    photos: Photos = ()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        person, several = index // self.config.pictures, self.config.pictures > 1
        own = np.random.default_rng([self.seed, person, PERSON]) if several else None
        vector = self.coefficients(rng, own)
        coefficients = self.model.layout.split(vector)
        points = self.model.landmarks(coefficients.identity, coefficients.expression)
        landmarks = decoded_landmarks(
            points, coefficients.rotation, coefficients.translation, self.size
        )
        pose = decode_pose(coefficients.rotation, coefficients.translation)
        return Sample(
            name=f"head-{index:07d}.webp",
            image=self.draw(coefficients, rng),
            landmarks_px=landmarks.astype(np.float32),
            rotation=pose.rotation,
            angles_deg=pose.euler_deg,
            identity=f"{self.seed} {person}" if several else None,
            coefficients=vector,
        )

    def coefficients(
        self, rng: np.random.Generator, person: np.random.Generator | None = None
    ) -> Float[np.ndarray, "n"]:
        """A random face's coefficient vector, framed as crops are.

        Args:
            rng: random numbers.
            person: those of identity and albedo, if they are others.
        """
        layout, config = self.model.layout, self.config
        own = rng if person is None else person
        identity = own.normal(size=layout.identity) * config.identity_sd
        expression = self._expression(rng)
        limits = np.array([config.pitch_deg, config.yaw_deg, config.roll_deg])
        rotation = matrix_from_euler(np.radians(rng.uniform(-limits, limits)))
        points = self.model.landmarks(
            identity.astype(np.float32), expression.astype(np.float32)
        ).astype(np.float64)
        translation = framed_translation(
            points,
            rotation,
            rng.normal(size=2) * config.center,
            float(rng.normal() * config.log_scale),
        )
        vector = layout.join(
            Coefficients(
                identity=identity,
                expression=expression,
                albedo=own.normal(size=layout.albedo) * config.albedo_sd,
                rotation=six_d_from_matrix(rotation),
                translation=translation,
                lighting=random_lighting(rng, self.config.unmetered),
            )
        )
        return vector.astype(np.float32)

    def draw(
        self, coefficients: Coefficients, rng: np.random.Generator
    ) -> UInt8[np.ndarray, "s s 3"]:
        """The picture of coefficients with random surroundings."""
        vertices = self.model.vertices(coefficients.identity, coefficients.expression)
        colors = self.model.albedo(coefficients.albedo)
        shapes: list[Shape] = []
        with_hair, with_glasses = rng.random(2) < (self.config.hair, self.config.glasses)
        if with_hair:
            shapes.append(hair(vertices, rng))
        if with_glasses:
            points = self.model.landmarks(coefficients.identity, coefficients.expression)
            shapes.append(glasses(points, rng))
        renderer = Renderer(
            self._topologies[bool(with_hair), bool(with_glasses)],
            (self.size, self.size),
            normals=False,
        )
        drawn = renderer(
            np.concatenate([vertices, *(shape.vertices for shape in shapes)]),
            decode_pose(coefficients.rotation, coefficients.translation),
            Camera.of_crop(self.size),
            decode_lighting(coefficients.lighting),
            albedo=np.concatenate([colors, *(shape.colors for shape in shapes)]),
            background=background(self.size, rng, self.photos),
        )
        picture = np.clip(drawn.image, 0.0, 1.0)
        if rng.random() < self.config.occluder:
            picture = occlude(picture, rng, self.photos)
        return camera_flaws(picture, rng)

    @cached_property
    def _topologies(self) -> dict[tuple[bool, bool], MeshTopology]:
        found: dict[tuple[bool, bool], MeshTopology] = {}
        for with_hair in (False, True):
            for with_glasses in (False, True):
                faces, count = [self.model.topology.faces], self.model.topology.num_vertices
                for part in [hair_faces()] * with_hair + [glasses_faces()] * with_glasses:
                    faces.append(part + np.int32(count))
                    count += int(part.max()) + 1
                found[with_hair, with_glasses] = MeshTopology(np.concatenate(faces), count)
        return found

    def _expression(self, rng: np.random.Generator) -> Float[np.ndarray, "e"]:
        model = self.model
        if not model.expression_bounded or not model.expression_names:
            return rng.normal(size=model.layout.expression)
        return random_expression(model.expression_names, self.config.expression, rng)
