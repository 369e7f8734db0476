"""Random crops of many pictures at once: geometry."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.image import SQUARE_PER_LANDMARKS
from mlanet.training.augmentation import TURNED_DEG, AugmentationConfig
from mlanet.training.dice import Dice

REFLECTED = 0.3
"""Share of the crops outside of whose picture its mirror image lies instead of black."""

SHRUNK = 1.05
"""How much a picture may shrink before each pixel of its crop is the mean of several samples."""

MOST_FINER = 8
"""Samples on a side of each pixel of a crop."""


@dataclass(frozen=True, slots=True, eq=False)
class CropChanges:
    """How `b` pictures become crops: turned, shifted, scaled, then mirrored or not.

    Attributes:
        crop_from_image: before mirroring; a rotation times a scale, and a shift.
        size: side of the crops in pixels.
        mirrored: left and right are swapped.
        reflect: outside of the picture lies its mirror image instead of black.
    """

    crop_from_image: Float[Tensor, "b 2 3"]
    size: int
    mirrored: Bool[Tensor, "b"]
    reflect: Bool[Tensor, "b"]

    @property
    def scale(self) -> Float[Tensor, "b"]:
        """Pixels of the crop in one of the picture."""
        return self.crop_from_image[:, :, 0].norm(dim=1)

    @property
    def turn_rad(self) -> Float[Tensor, "b"]:
        """Angle of the rotation from the crop's x towards its y, before mirroring."""
        return torch.atan2(self.crop_from_image[:, 1, 0], self.crop_from_image[:, 0, 0])

    def landmarks(self, points: Float[Tensor, "b 68 3"]) -> Float[Tensor, "b 68 3"]:
        """The points of the pictures in pixels of the crops; depth in their scale."""
        linear, offset = self.crop_from_image[..., :2], self.crop_from_image[..., 2]
        xy = points[..., :2].to(linear) @ linear.mT + offset[:, None]
        moved = torch.cat([xy, points[..., 2:] * self.scale[:, None, None]], dim=2)
        other = moved[:, MIRRORED_LANDMARKS]
        swapped = torch.cat([self.size - other[..., :1], other[..., 1:]], dim=2)
        return torch.where(self.mirrored[:, None, None], swapped, moved)

    def pictures(
        self, images: UInt8[Tensor, "b h w 3"], extent_px: Float[Tensor, "b 2"]
    ) -> Float[Tensor, "b 3 s s"]:
        """The crops, in [0, 1].

        What is enlarged is interpolated linearly; what shrinks is sampled at least once per pixel
        of the picture and averaged.

        Args:
            images: each in the upper left corner of its square; black beside it.
            extent_px: width and height of each.
        """
        finer = torch.ceil(1.0 / self.scale + 1.0 - SHRUNK).clamp(1, MOST_FINER)
        crops = torch.empty(len(images), 3, self.size, self.size, device=images.device)
        for times in finer.unique().tolist():
            rows = torch.nonzero(finer == times)[:, 0]
            width, height = (int(side) for side in extent_px[rows].amax(dim=0))
            pixels = images[rows, :height, :width].permute(0, 3, 1, 2).float().div_(255.0)
            crops[rows] = self._sampled(pixels, extent_px, rows, int(times))
        return crops

    def _sampled(
        self,
        pixels: Float[Tensor, "k 3 h w"],
        extent_px: Float[Tensor, "b 2"],
        rows: Int[Tensor, "k"],
        finer: int,
    ) -> Float[Tensor, "k 3 s s"]:
        """Means of `finer` times `finer` samples of each pixel of the crops `rows`."""
        device = pixels.device
        reflect = torch.nonzero(self.reflect[rows])[:, 0]
        last = (extent_px[rows][reflect] - 1.0).to(device)[:, :, None, None]
        matrix = self._image_from_crop()[rows].to(device, torch.float32)[..., None, None]
        to_grid = 2.0 / pixels.new_tensor(pixels.shape[:1:-1])[:, None, None]
        centers = torch.arange(self.size, device=device) + 0.5
        total = torch.zeros(len(rows), 3, self.size, self.size, device=device)
        for part in range(finer**2):
            down, right = ((place + 0.5) / finer - 0.5 for place in divmod(part, finer))
            x, y = centers + right, centers[:, None] + down
            points = matrix[:, :, 0] * x + (matrix[:, :, 1] * y + matrix[:, :, 2])
            if len(reflect):
                points[reflect] = reflected(points[reflect], last)
            grid = points.mul_(to_grid).sub_(1.0).permute(0, 2, 3, 1)
            total += torch.nn.functional.grid_sample(pixels, grid, align_corners=False)
        return total.div_(finer**2)

    def _image_from_crop(self) -> Float[Tensor, "b 2 3"]:
        """From pixels of the finished crops to those of the pictures."""
        linear = torch.linalg.inv(self.crop_from_image[..., :2])
        offset = -(linear @ self.crop_from_image[..., 2:])
        x = linear[..., :1]
        plain = torch.cat([linear, offset], dim=2)
        swapped = torch.cat([-x, linear[..., 1:], offset + self.size * x], dim=2)
        return torch.where(self.mirrored[:, None, None], swapped, plain)


def random_changes(
    landmarks_px: Float[Tensor, "b 68 d"], size: int, config: AugmentationConfig, dice: Dice
) -> CropChanges:
    """Random changes of the evaluation protocol's crops (`mlanet.image.square_from_landmarks`).

    The square is that of the turned picture; shift and scale are relative to it.
    """
    turned = dice.uniform(-TURNED_DEG, TURNED_DEG)
    degrees = torch.where(dice.happens(config.turned), turned, dice.normal() * config.rotation_deg)
    angle = degrees * (math.pi / 180.0)
    c, s = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    points = landmarks_px[..., :2].to(rotation) @ rotation.mT
    low, high = points.amin(dim=1), points.amax(dim=1)
    side = SQUARE_PER_LANDMARKS * (high - low).amax(dim=1)
    center = (low + high) / 2.0 + dice.uniform(-config.shift, config.shift, 2) * side[:, None]
    scale = size / (side * torch.exp(dice.normal() * config.log_scale))
    offset = size / 2.0 - scale[:, None] * center
    linear = scale[:, None, None] * rotation
    return CropChanges(
        crop_from_image=torch.cat([linear, offset[:, :, None]], dim=2),
        size=size,
        mirrored=dice.happens(config.flip),
        reflect=dice.happens(REFLECTED),
    )


def reflected(
    points: Float[Tensor, "b 2 *n"], last: Float[Tensor, "b 2 *n"]
) -> Float[Tensor, "b 2 *n"]:
    """Where the mirror image beyond a picture's border, about its outermost pixels, comes from.

    Args:
        points: in pixels of the picture.
        last: width and height less one.
    """
    rounds = (points - 0.5) / (2.0 * last)
    return rounds.sub_(rounds.round()).abs_().mul_(2.0 * last).add_(0.5)
