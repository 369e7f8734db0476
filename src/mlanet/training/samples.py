"""Samples to train with: one as a data set gives it, many as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mlanet.coefficients import CoefficientLayout
from mlanet.datasets import Sample
from mlanet.datasets.photos import MARGIN
from mlanet.image import crop_square, square_from_landmarks, transform_points
from mlanet.image.crop import SQUARE_PER_LANDMARKS

JAW_WEIGHT_2D = 0.2
"""Weight of the 17 jaw points of labels that follow the visible contour, while the model's are
fixed on the surface."""

APPEARANCE = ("albedo", "lighting")
"""Blocks of coefficients that say what colours a face has."""

SURROUNDINGS = 2.0
"""Side of what is kept of a picture, in sides of the square to crop: room for random shifts and
turns."""

FINEST = 1.5
"""Pixels that are kept of a picture in one of a crop."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """`b` pictures or crops and their labels.

    The labels lie on one device, the pictures perhaps on another.

    Attributes:
        images: uint8 RGB; black lies right of and below smaller pictures.
        extent_px: width and height of each picture.
        landmarks_px: x, y and z in the picture's pixels; z is larger nearer the viewer, its origin
            arbitrary, and zero where depth is not labelled. Without landmarks these are points
            whose square is to be cropped.
        weight: of each landmark.
        has_depth: 1 where z is labelled.
        coefficients: in the camera of `squares_px`; of a crop, what a network should predict. Zero
            where not known.
        known: 1 where a coefficient is known.
        squares_px: left, top and side.
        labelled: whether the labels count; without landmarks they do not. In a batch such samples
            come last.
        person: a number of who is shown, the same for all of one person's; -1 where nobody knows.
    """

    images: UInt8[Tensor, "b h w 3"]
    extent_px: Float[Tensor, "b 2"]
    landmarks_px: Float[Tensor, "b 68 3"]
    weight: Float[Tensor, "b 68"]
    has_depth: Float[Tensor, "b"]
    coefficients: Float[Tensor, "b n"]
    known: Float[Tensor, "b n"]
    squares_px: Float[Tensor, "b 3"]
    labelled: Bool[Tensor, "b"]
    person: Int[Tensor, "b"]

    @classmethod
    def of(cls, sample: Sample, layout: CoefficientLayout) -> "Samples":
        """One sample of a data set."""
        points = points_to_crop(sample)
        values = np.zeros(layout.size) if sample.coefficients is None else sample.coefficients
        known = sample.known
        if known is None:
            known = np.full(layout.size, sample.coefficients is not None)
        weight = np.ones(68)
        weight[:17] = 1.0 if sample.jaw_on_surface else JAW_WEIGHT_2D
        height, width = sample.image.shape[:2]

        def row(values: object) -> Tensor:
            return torch.from_numpy(np.asarray(values, np.float32)[None])

        return cls(
            images=torch.from_numpy(np.ascontiguousarray(sample.image)[None]),
            extent_px=row([width, height]),
            landmarks_px=row(np.pad(points, ((0, 0), (0, 3 - points.shape[1])))),
            weight=row(weight),
            has_depth=row(float(points.shape[1] == 3)),
            coefficients=row(values),
            known=row(known),
            squares_px=row(sample.square_px or (0.0, 0.0, float(max(width, height)))),
            labelled=torch.tensor([sample.landmarks_px is not None]),
            person=torch.tensor([person_number(sample.identity)]),
        )

    @classmethod
    def cat(cls, parts: Sequence["Samples"]) -> "Samples":
        """The parts as one; of pictures of several sizes the largest decides."""
        found = {
            item.name: torch.cat([getattr(part, item.name) for part in parts])
            for item in fields(cls)
            if item.name != "images"
        }
        return cls(images=_stacked([part.images for part in parts]), **found)

    def __len__(self) -> int:
        return len(self.landmarks_px)

    @property
    def num_labelled(self) -> int:
        """How many there are whose labels count."""
        return int(self.labelled.sum())

    @property
    def size_px(self) -> Float[Tensor, "b"]:
        """sqrt(width · height) of the landmarks' bounding box."""
        low, high = self.landmarks_px[..., :2].amin(dim=1), self.landmarks_px[..., :2].amax(dim=1)
        return (high - low).prod(dim=1).sqrt()

    def take(self, rows: slice | Int[Tensor, "k"]) -> "Samples":
        """Some of them."""
        return replace(self, **{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def to(self, device: str | torch.device) -> "Samples":
        """All on this device."""
        moved = {item.name: getattr(self, item.name).to(device) for item in fields(self)}
        return replace(self, **moved)

    def with_images_on(self, device: str) -> "Samples":
        """The pictures on this device; the labels, which take little time, stay where they are."""
        return replace(self, images=self.images.to(device))

    def unlabelled(self) -> "Samples":
        """The same, their labels not to be used."""
        return replace(self, labelled=torch.zeros_like(self.labelled))

    def pixels(self) -> Float[Tensor, "b 3 h w"]:
        """The pictures as floats in [0, 1], the channels innermost in memory."""
        pixels = self.images.permute(0, 3, 1, 2).float() / 255.0
        return pixels.contiguous(memory_format=torch.channels_last)

    def colors_known(self, layout: CoefficientLayout) -> Bool[Tensor, "b"]:
        """Where a change of the pictures' colours would make known coefficients wrong."""
        blocks = [self.known[:, layout.slices[name]] for name in APPEARANCE]
        return torch.cat(blocks, dim=1).amax(dim=1) > 0


def person_number(identity: str | None) -> int:
    """A number of somebody's name, or -1 without."""
    if identity is None:
        return -1
    return int.from_bytes(sha256(identity.encode()).digest()[:7])


def points_to_crop(sample: Sample) -> Float[np.ndarray, "68 d"]:
    """The landmarks, or points on the corners of a square whose crop is the picture's middle.

    Pictures without landmarks are taken for crops as `mlanet.datasets.PhotoFolder` cuts them out.
    """
    if sample.landmarks_px is not None:
        return sample.landmarks_px
    height, width = sample.image.shape[:2]
    half = min(height, width) / (2.0 * MARGIN * SQUARE_PER_LANDMARKS)
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    return np.tile(corners, (17, 1)) + np.array([width, height]) / 2.0


def reduced(sample: Sample, size: int) -> Sample:
    """A sample without what its crops of `size` pixels do not show.

    Of the picture remain the face's surroundings, at no more than `FINEST` times the resolution.
    """
    import cv2

    box = square_from_landmarks(points_to_crop(sample))
    center, side = (box[:2] + box[2:]) / 2.0, float(box[2] - box[0])
    half = SURROUNDINGS / 2.0 * side
    whole = np.array(sample.image.shape[1::-1])
    low = np.maximum(np.floor(center - half), 0).astype(int)
    high = np.minimum(np.ceil(center + half), whole).astype(int)
    if not (high > low).all():
        return sample
    part = sample.image[low[1] : high[1], low[0] : high[0]]
    scale = min(1.0, FINEST * size / side)
    extent = np.maximum(np.round(scale * (high - low)), 1).astype(int)
    if scale < 1.0:
        part = np.asarray(cv2.resize(part, extent.tolist(), interpolation=cv2.INTER_AREA), np.uint8)
    linear = extent / (high - low)
    change = np.column_stack([np.diag(linear), -linear * low])
    return _moved(sample, part.copy(), change)


def protocol_crop(sample: Sample, size: int) -> Sample:
    """The crop of `size` pixels that the evaluation protocol has of a picture with landmarks."""
    crop = crop_square(sample.image, square_from_landmarks(points_to_crop(sample)), size)
    return _moved(sample, crop.image, crop.crop_from_image)


def _moved(
    sample: Sample, image: UInt8[np.ndarray, "h w 3"], change: Float[np.ndarray, "2 3"]
) -> Sample:
    """The sample of a part of its picture; `change` leads from the picture's pixels to those."""
    scale = float(np.sqrt(change[0, 0] * change[1, 1]))
    points = sample.landmarks_px
    if points is not None:
        xy = transform_points(change, points[:, :2])
        points = np.concatenate([xy, scale * points[:, 2:]], axis=1)
    left, top, side = sample.square_px or (0.0, 0.0, float(max(sample.image.shape[:2])))
    corner = transform_points(change, np.array([[left, top]]))[0]
    square = (float(corner[0]), float(corner[1]), scale * side)
    return replace(sample, image=image, landmarks_px=points, square_px=square)


def _stacked(images: Sequence[UInt8[Tensor, "k h w 3"]]) -> UInt8[Tensor, "b h w 3"]:
    """Pictures of several sizes in one tensor."""
    height = max(some.shape[1] for some in images)
    width = max(some.shape[2] for some in images)
    if all(some.shape[1:3] == (height, width) for some in images):
        return torch.cat(list(images))
    count = sum(len(some) for some in images)
    found = images[0].new_zeros(count, height, width, 3)
    for some, place in zip(images, found.split([len(some) for some in images]), strict=True):
        place[:, : some.shape[1], : some.shape[2]] = some
    return found
