"""Random crops of many faces at once, as tensors on one device.

What `mlanet.training.augmentation` does to one picture with OpenCV: `random_change` and
`CropChange`. The ranges are the same; the random numbers are not.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.image import SQUARE_PER_LANDMARKS
from mlanet.training.augmentation import REFLECTED, TURNED_DEG, AugmentationConfig

SHRUNK = (1.05, 2.0)
"""How much a picture may shrink before two and `MOST_FINER` samples a side are taken."""

MOST_FINER = 4
"""Samples on a side of each pixel of a crop."""


@dataclass(frozen=True, slots=True, eq=False)
class CropChanges:
    """How `b` pictures become crops; `CropChange` says what the fields mean."""

    crop_from_image: Float[Tensor, "b 2 3"]
    size: int
    mirrored: Bool[Tensor, "b"]
    reflect: Bool[Tensor, "b"]

    def landmarks(self, points: Float[Tensor, "b 68 3"]) -> Float[Tensor, "b 68 3"]:
        """The points of the pictures in pixels of the crops; depth in their scale."""
        linear, offset = self.crop_from_image[..., :2], self.crop_from_image[..., 2]
        scale = linear[:, :, 0].norm(dim=1)
        xy = points[..., :2] @ linear.transpose(1, 2) + offset[:, None]
        moved = torch.cat([xy, points[..., 2:] * scale[:, None, None]], dim=2)
        other = moved[:, torch.as_tensor(MIRRORED_LANDMARKS, device=points.device)]
        swapped = torch.cat([self.size - other[..., :1], other[..., 1:]], dim=2)
        return torch.where(self.mirrored[:, None, None], swapped, moved)

    def pictures(
        self, images: UInt8[Tensor, "b h w 3"], extent_px: Float[Tensor, "b 2"]
    ) -> Float[Tensor, "b 3 s s"]:
        """The crops, in [0, 1]: linear interpolation, the mean of several samples in what shrinks.

        Args:
            images: each in the upper left corner of its square; black beside it.
            extent_px: width and height of each.
        """
        shrink = 1.0 / self.crop_from_image[:, :, 0].norm(dim=1)
        finer = torch.where(shrink <= SHRUNK[0], 1, torch.where(shrink <= SHRUNK[1], 2, MOST_FINER))
        crops = torch.zeros(len(images), 3, self.size, self.size, device=images.device)
        for times in (1, 2, MOST_FINER):
            rows = torch.nonzero(finer == times)[:, 0]
            if len(rows):
                some = CropChanges(
                    self.crop_from_image[rows], self.size, self.mirrored[rows], self.reflect[rows]
                )
                crops[rows] = some._sampled(images[rows], extent_px[rows], times)
        return crops

    def _sampled(
        self, images: UInt8[Tensor, "b h w 3"], extent_px: Float[Tensor, "b 2"], finer: int
    ) -> Float[Tensor, "b 3 s s"]:
        """Means of `finer` times `finer` samples of each pixel."""
        device, size = images.device, self.size
        height, width = images.shape[1:3]
        linear = torch.linalg.inv(self.crop_from_image[..., :2])
        pixels = images.permute(0, 3, 1, 2).float() / 255.0
        whole = torch.tensor([width, height], dtype=linear.dtype, device=device)
        extent = extent_px[:, None].to(linear.dtype)
        centers = (torch.arange(size * finer, device=device) + 0.5) / finer
        x, y = torch.meshgrid(centers, centers, indexing="xy")
        drawn = torch.zeros((), device=device)
        for row in range(finer):
            for column in range(finer):
                part = torch.stack([x, y], dim=-1)[row::finer, column::finer].reshape(1, -1, 2)
                flipped = torch.stack([size - part[..., 0], part[..., 1]], dim=-1)
                part = torch.where(self.mirrored[:, None, None], flipped, part)
                points = (part - self.crop_from_image[:, None, :, 2]) @ linear.transpose(1, 2)
                points = torch.where(self.reflect[:, None, None], reflected(points, extent), points)
                grid = (2.0 * points / whole - 1.0).reshape(-1, size, size, 2).float()
                drawn = drawn + torch.nn.functional.grid_sample(pixels, grid, align_corners=False)
        return drawn / finer**2


def precise(device: torch.device) -> torch.dtype:
    """The type of geometry: 64 bits where the device has them."""
    return torch.float32 if device.type == "mps" else torch.float64


def random_changes(
    landmarks_px: Float[Tensor, "b 68 3"],
    size: int,
    config: AugmentationConfig,
    generator: torch.Generator,
) -> CropChanges:
    """Random changes of the evaluation protocol's crops; see `random_change`."""
    count, device = len(landmarks_px), landmarks_px.device
    kind = precise(device)

    def uniform(*shape: int) -> Float[Tensor, "b"]:
        return torch.rand(count, *shape, generator=generator, device=device, dtype=kind)

    def normal() -> Float[Tensor, "b"]:
        return torch.randn(count, generator=generator, device=device, dtype=kind)

    upright = uniform() >= config.turned
    turned = (2.0 * uniform() - 1.0) * TURNED_DEG
    angle = torch.where(upright, normal() * config.rotation_deg, turned) * (math.pi / 180.0)
    c, s = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    points = landmarks_px[..., :2].to(kind) @ rotation.transpose(1, 2)
    low, high = points.amin(dim=1), points.amax(dim=1)
    side = SQUARE_PER_LANDMARKS * (high - low).amax(dim=1)
    shift = (2.0 * uniform(2) - 1.0) * config.shift
    center = (low + high) / 2.0 + shift * side[:, None]
    scale = size / (side * torch.exp(normal() * config.log_scale))
    linear = scale[:, None, None] * rotation
    offset = size / 2.0 - scale[:, None] * center
    return CropChanges(
        crop_from_image=torch.cat([linear, offset[:, :, None]], dim=2),
        size=size,
        mirrored=uniform() < config.flip,
        reflect=uniform() < REFLECTED,
    )


def reflected(
    points: Float[Tensor, "b n 2"], extent: Float[Tensor, "*b 2"]
) -> Float[Tensor, "b n 2"]:
    """Where the mirror image beyond a picture's border, about its outermost pixels, comes from."""
    last = extent - 1.0
    folded = torch.remainder(points - 0.5, 2.0 * last)
    return torch.minimum(folded, 2.0 * last - folded) + 0.5
