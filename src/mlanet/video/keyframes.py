"""A few frames of a film in which a person is studied as in photos: shape, albedo, poses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.fitting.pixel_fit import can_be_refined, refine_person
from mlanet.geometry import Pose, matrix_from_vector, vector_from_matrix
from mlanet.image import Crop, square_transform
from mlanet.person import PersonTexture, with_shape
from mlanet.reconstruction import Reconstruction
from mlanet.video.reading import Frame

MOST_FRAMES = 5
"""Frames that are studied; more hardly tell more of the poses (docs/records/experiments.md)."""

FAR_DEG = 20.0
"""Frames whose heads are turned so far from those chosen are new; what is nearer is less so."""

LEAST_NEW = 0.1
"""Of what the first frame is worth: frames that are worth less are not studied."""

FAST = 0.5
"""Sides of a face's square in a second: a face that moves so fast is blurred, and worth half."""

AROUND = 0.75
"""What is kept of the picture around the face's square, in its sides."""

MOST_PX = 1024
"""Longest side of the kept part of the picture; larger ones are made smaller."""

CROP_PX = 128
"""Side of the crop whose camera is a face's; nobody looks at its pixels."""

USUAL_TURN_DEG, VARYING_TURN_DEG, TURN_NOISE_DEG = 4.0, 2.0, 0.7
"""How far landmarks' poses are off by the same turn in all frames, by a turn that depends on how
the head is turned, and what studied frames do not agree in (standard deviations)."""

ALIKE_DEG = 15.0
"""Heads that are turned by so much against each other have about the same error."""


@dataclass(frozen=True, slots=True, eq=False)
class TurnCorrection:
    """Small turns of a head, known in `k` frames, for all others: a Gaussian process over angles.

    Attributes:
        angles_deg: pitch and yaw in the known frames.
        turns_deg: rotation vectors in the model frame.
    """

    angles_deg: Float[np.ndarray, "k 2"]
    turns_deg: Float[np.ndarray, "k 3"]

    def __call__(self, angles_deg: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3 3"]:
        """The turns of other frames, as matrices."""
        known = _alike(self.angles_deg, self.angles_deg)
        known[np.diag_indices_from(known)] += TURN_NOISE_DEG**2
        weights = np.linalg.solve(known, self.turns_deg)
        turns = _alike(angles_deg, self.angles_deg) @ weights
        return matrix_from_vector(np.radians(turns))

    def turned(self, pose: Pose, about_mm: Float[np.ndarray, "3"]) -> Pose:
        """The poses, corrected; a point of the model frame stays where it is."""
        rotation = pose.rotation @ self(pose.euler_deg[:, :2])
        return Pose(rotation, pose.translation + (pose.rotation - rotation) @ about_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Studied:
    """A person as `k` frames show them.

    Attributes:
        faces: one for each frame, with one identity and one albedo; the best frame first.
        turns_deg: rotation vectors in the model frame from the poses that landmarks say to those
            of the faces; None if the face model has no albedo to look for.
    """

    faces: tuple[Reconstruction, ...]
    turns_deg: Float[np.ndarray, "k 3"] | None

    @property
    def identity(self) -> Float[np.ndarray, "i"]:
        """Coefficients."""
        return self.faces[0].coefficients.identity.astype(np.float64)

    @property
    def albedo(self) -> Float[np.ndarray, "a"]:
        """Coefficients."""
        return self.faces[0].coefficients.albedo.astype(np.float64)

    def worn(self) -> PersonTexture:
        """What makes the texture of all frames, in the light of the best, and tells the hair."""
        return PersonTexture(self.faces)


def choose_frames(
    merit: Float[np.ndarray, "n"], angles_deg: Float[np.ndarray, "n 2"]
) -> Int[np.ndarray, "k"]:
    """Frames that show a face well and from different sides, the best first.

    Args:
        merit: how well each frame shows it, without unit.
        angles_deg: pitch and yaw of the head.
    """
    chosen = [int(np.argmax(merit))]
    best = float(merit[chosen[0]])
    while len(chosen) < MOST_FRAMES:
        away = np.linalg.norm(angles_deg[:, None] - angles_deg[chosen][None], axis=-1).min(axis=1)
        worth = merit * np.minimum(away / FAR_DEG, 1.0)
        frame = int(np.argmax(worth))
        if worth[frame] <= LEAST_NEW * best:  # no frame twice, whatever they are worth
            break
        chosen.append(frame)
    return np.array(chosen)


def calmness(
    squares_px: Float[np.ndarray, "n 4"], times_s: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    """In (0, 1]: how little a face moves over the picture while a frame is taken."""
    centres = (squares_px[:, :2] + squares_px[:, 2:]) / 2.0
    side = squares_px[:, 2] - squares_px[:, 0]
    elapsed = np.maximum(np.gradient(times_s), 1e-6)[:, None]
    speed = np.linalg.norm(np.gradient(centres, axis=0) / elapsed, axis=1) / side
    return 1.0 / (1.0 + speed / FAST)


def cut_out(
    frame: Frame, square_px: Float[np.ndarray, "4"]
) -> tuple[UInt8[np.ndarray, "h w 3"], Crop]:
    """A picture of the surroundings of a face, and the crop of the face in it.

    A frame takes ten times as much memory, and several are kept for each person.
    """
    import cv2

    height, width = frame.image.shape[:2]
    around = AROUND * (square_px[2] - square_px[0])
    size = (width, height, width, height)
    left, top = (int(np.clip(square_px[k] - around, 0, size[k] - 1)) for k in (0, 1))
    right, bottom = (int(np.clip(square_px[k] + around, 1, size[k])) for k in (2, 3))
    image = frame.image[top : max(bottom, top + 1), left : max(right, left + 1)].copy()
    scale = min(1.0, MOST_PX / max(image.shape[:2]))
    if scale < 1.0:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
    square = (square_px - np.array([left, top, left, top])) * scale
    blank = np.zeros((CROP_PX, CROP_PX, 3), np.uint8)
    return image, Crop(blank, square_transform(square, CROP_PX))


def studied(
    faces: Sequence[Reconstruction],
    identity: Float[np.ndarray, "i"],
    albedo: Float[np.ndarray, "a"],
) -> Studied:
    """One person in frames that show them from different sides.

    Shape, albedo, poses and light that explain the shading of all frames (`refine_person`).

    Args:
        faces: as the network saw them, the best first.
        identity: mean over the whole film.
        albedo: the same.
    """
    if not can_be_refined(faces[0]):
        return Studied(
            tuple(with_shape(face, identity, albedo, expression_sd=0.0) for face in faces), None
        )
    fitted = refine_person([with_shape(face, identity, albedo) for face in faces])
    return Studied(tuple(fitted), _turns(faces, fitted))


def _turns(
    faces: Sequence[Reconstruction], fitted: Sequence[Reconstruction]
) -> Float[np.ndarray, "k 3"]:
    """What turns the poses that landmarks say to those of the fit."""
    told = fitted[0].coefficients
    turns = [
        with_shape(face, told.identity, told.albedo, expression_sd=0.0).pose.rotation.T
        @ better.pose.rotation
        for face, better in zip(faces, fitted, strict=True)
    ]
    return np.degrees(vector_from_matrix(np.array(turns, dtype=np.float64)))


def _alike(
    first: Float[np.ndarray, "n 2"], second: Float[np.ndarray, "k 2"]
) -> Float[np.ndarray, "n k"]:
    """Covariance of the turns in degrees squared."""
    away = np.square((first[:, None] - second[None]) / ALIKE_DEG).sum(axis=-1)
    return USUAL_TURN_DEG**2 + VARYING_TURN_DEG**2 * np.exp(-away / 2.0)
