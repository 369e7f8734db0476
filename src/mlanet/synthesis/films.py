"""Rendered films: heads that move and speak in a known way before a moving background."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import (
    Camera,
    Mesh,
    MeshTopology,
    Pose,
    decode_lighting,
    landmarks_in_pixels,
    matrix_from_euler,
)
from mlanet.morphable import MorphableModel
from mlanet.render import composite, render_mesh
from mlanet.synthesis.lighting import random_lighting
from mlanet.synthesis.shapes import Shape, hair, hair_faces
from mlanet.synthesis.surroundings import procedural_background

FOCAL_PER_LONG_SIDE = 1.2
"""Focal length over the picture's longer side: about that of webcams and phones (45°)."""

BLINK_S = 0.12
"""From open to open."""

DRIFT_PX_PER_S = 20.0
"""Speed of the background over the picture, as of a camera that pans."""


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """One person of a film of `n` frames, as it is rendered.

    Attributes:
        identity: coefficients.
        albedo: coefficients.
        expression: weights of each frame.
        pose: model to camera of each frame, mm.
        hair: in the model frame.
    """

    identity: Float[np.ndarray, "i"]
    albedo: Float[np.ndarray, "a"]
    expression: Float[np.ndarray, "n e"]
    pose: Pose
    hair: Shape


@dataclass(frozen=True, eq=False)
class RenderedFilm:
    """Frames that are made when they are asked for; the same numbers give the same frames.

    Attributes:
        model: the face model, with the albedo that the actors wear.
        actors: nearer ones hide farther ones.
        times_s: of the `n` frames.
        size: height and width in pixels.
        noise: standard deviation of the camera's noise, of 1.
        seed: of light, background and noise.
    """

    model: MorphableModel
    actors: Sequence[Actor]
    times_s: Float[np.ndarray, "n"]
    size: tuple[int, int] = (240, 320)
    noise: float = 0.01
    seed: int = 0

    def __len__(self) -> int:
        return len(self.times_s)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        height, width = self.size
        shift = round(DRIFT_PX_PER_S * float(self.times_s[index])) % (len(self._backdrop) - width)
        picture = self._backdrop[:height, shift : shift + width].copy()
        for actor in sorted(self.actors, key=lambda actor: -actor.pose.translation[index, 2]):
            vertices = self.model.vertices(actor.identity, actor.expression[index])
            colors = self.model.albedo(actor.albedo)
            mesh = Mesh(
                np.concatenate([vertices, actor.hair.vertices]),
                self._topology.faces,
                np.concatenate([colors, actor.hair.colors]),
            )
            drawn = render_mesh(
                mesh,
                Pose(actor.pose.rotation[index], actor.pose.translation[index]),
                self.camera,
                self.size,
                self._lighting,
                topology=self._topology,
            )
            picture = composite(drawn, picture)
        rng = np.random.default_rng([self.seed, index])
        noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(self.noise)
        return (np.clip(picture + noise, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)

    @property
    def camera(self) -> Camera:
        """One for the whole film, in pixels."""
        height, width = self.size
        return Camera(FOCAL_PER_LONG_SIDE * max(self.size), (width / 2.0, height / 2.0))

    def landmarks_px(self, actor: int) -> Float[np.ndarray, "n 68 3"]:
        """An actor's landmarks in all frames, as `landmarks_in_pixels` has them."""
        known = self.actors[actor]
        identity = np.broadcast_to(known.identity, (len(self), len(known.identity)))
        points = self.model.landmarks(identity, known.expression)
        return landmarks_in_pixels(self.camera, known.pose, points.astype(np.float64))

    @cached_property
    def _topology(self) -> MeshTopology:
        count, worn = self.model.topology.num_vertices, hair_faces()
        faces = np.concatenate([self.model.topology.faces, worn + np.int32(count)])
        return MeshTopology(faces, count + int(worn.max()) + 1)

    @cached_property
    def _lighting(self) -> Float[np.ndarray, "9 3"]:
        return decode_lighting(random_lighting(np.random.default_rng(self.seed)))

    @cached_property
    def _backdrop(self) -> Float[np.ndarray, "s s 3"]:
        return procedural_background(2 * max(self.size), np.random.default_rng(self.seed))


def random_actor(
    model: MorphableModel,
    rng: np.random.Generator,
    expression: Float[np.ndarray, "n e"],
    angles_deg: Float[np.ndarray, "n 3"],
    place_mm: Float[np.ndarray, "n 3"],
) -> Actor:
    """A random person who moves as told.

    Args:
        model: the face model.
        rng: draws face, colours and hair.
        expression: weights of each frame (`acted`).
        angles_deg: (pitch, yaw, roll) of each frame.
        place_mm: of the model's origin in the camera frame.
    """
    layout = model.layout
    identity = rng.normal(size=layout.identity)
    albedo = rng.normal(size=layout.albedo)
    worn = hair(model.vertices(identity, np.zeros(layout.expression)), rng)
    rotation = np.stack([matrix_from_euler(np.radians(each)) for each in angles_deg])
    return Actor(identity, albedo, expression, Pose(rotation, np.asarray(place_mm)), worn)


def acted(
    model: MorphableModel,
    times_s: Float[np.ndarray, "n"],
    curves: Mapping[str, Float[np.ndarray, "n"]],
) -> Float[np.ndarray, "n e"]:
    """Expression weights in which the named expressions follow curves; the others rest."""
    weights = np.zeros((len(times_s), model.layout.expression))
    for name, curve in curves.items():
        weights[:, model.expression_names.index(name)] = curve
    return weights


def bumps(
    times_s: Float[np.ndarray, "n"], centers_s: Sequence[float], width_s: float = BLINK_S
) -> Float[np.ndarray, "n"]:
    """A curve that rises from 0 to 1 and falls within `width_s` around each centre: blinks."""
    away = np.abs(np.subtract.outer(times_s, np.asarray(centers_s, dtype=np.float64)))
    return (0.5 + 0.5 * np.cos(2.0 * np.pi * np.minimum(away / width_s, 0.5))).max(
        axis=1, initial=0.0
    )
