"""Samples of one source as tensors of a device."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from mlanet.image import crop_square, transform_points
from mlanet.morphable import MorphableModel
from mlanet.training.sample import Face

SURROUNDINGS = 2.0
"""Side of what is kept of large pictures, in sides of the square to crop: room for random shifts
and turns."""


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """`n` samples of one source; `Face` says what the fields mean.

    Attributes:
        extent_px: width and height of each picture; black lies right of and below smaller ones.
        free: colours may change without making known coefficients wrong.
    """

    images: UInt8[Tensor, "n h w 3"]
    landmarks_px: Float[Tensor, "n 68 3"]
    has_depth: Float[Tensor, "n"]
    jaw_weight: Float[Tensor, "n"]
    coefficients: Float[Tensor, "n c"]
    known: Float[Tensor, "n c"]
    squares_px: Float[Tensor, "n 3"]
    extent_px: Float[Tensor, "n 2"]
    free: Bool[Tensor, "n"]

    @classmethod
    def empty(cls, count: int, side: int, model: MorphableModel, device: str) -> "Store":
        """Room for samples of `side` pixels, in the source's order."""
        size = model.layout.size
        return cls(
            images=torch.zeros(count, side, side, 3, dtype=torch.uint8, device=device),
            landmarks_px=torch.zeros(count, 68, 3, device=device),
            has_depth=torch.zeros(count, device=device),
            jaw_weight=torch.ones(count, device=device),
            coefficients=torch.zeros(count, size, device=device),
            known=torch.zeros(count, size, device=device),
            squares_px=torch.zeros(count, 3, device=device),
            extent_px=torch.full((count, 2), float(side), device=device),
            free=torch.zeros(count, dtype=torch.bool, device=device),
        )

    @classmethod
    def of(cls, faces: Sequence[Face], model: MorphableModel, device: str) -> "Store":
        """These samples."""
        side = max(max(face.image.shape[:2]) for face in faces)
        images = np.zeros((len(faces), side, side, 3), np.uint8)
        for row, face in enumerate(faces):
            images[row, : face.image.shape[0], : face.image.shape[1]] = face.image
        extents = [face.image.shape[1::-1] for face in faces]

        def tensor(values: list[np.ndarray] | np.ndarray) -> Tensor:
            return torch.from_numpy(np.asarray(values, np.float32)).to(device)

        return cls(
            images=torch.from_numpy(images).to(device),
            landmarks_px=tensor([face.landmarks_px for face in faces]),
            has_depth=tensor(np.array([face.has_depth for face in faces])),
            jaw_weight=tensor(np.array([face.jaw_weight for face in faces])),
            coefficients=tensor([face.coefficients for face in faces]),
            known=tensor([face.known for face in faces]),
            squares_px=tensor(np.array([face.square_px for face in faces])),
            extent_px=tensor(np.array(extents)),
            free=tensor(np.array([not face.knows_colors(model) for face in faces])) > 0,
        )

    def write(self, start: int, other: "Store") -> None:
        """Put another store's samples at places from `start` on."""
        stop = start + len(other.images)
        for item in fields(self):
            getattr(self, item.name)[start:stop] = getattr(other, item.name)


def reduced(face: Face, largest_px: int) -> Face:
    """The face itself, or the surroundings of one in a picture with longer sides than that."""
    if max(face.image.shape[:2]) <= largest_px:
        return face
    left, top, right, bottom = face.box_px
    center = np.array([left + right, top + bottom]) / 2.0
    half = SURROUNDINGS * float(right - left) / 2.0
    crop = crop_square(face.image, np.concatenate([center - half, center + half]), largest_px)
    change = crop.crop_from_image
    scale = float(change[0, 0])
    corners = transform_points(change, np.array([face.box_px[:2], face.box_px[2:]]))
    square = transform_points(change, np.array([face.square_px[:2]]))[0]
    xy = transform_points(change, face.landmarks_px[:, :2])
    return replace(
        face,
        image=crop.image,
        landmarks_px=np.concatenate([xy, scale * face.landmarks_px[:, 2:]], axis=1),
        box_px=corners.reshape(-1),
        square_px=(float(square[0]), float(square[1]), scale * face.square_px[2]),
    )
