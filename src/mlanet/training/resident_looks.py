"""Random colours, flaws and occluders of many crops at once, as tensors on one device.

What `mlanet.training.augmentation.random_look` does to one crop with OpenCV. Two things differ:
how many crops of a batch get a flaw is its share, not chance, and all crops of a batch that lose
resolution lose the same.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, pad

from mlanet.training.augmentation import (
    BLUR_PX,
    FEWEST_PX,
    LEAST_DETAIL,
    MOST_CUT,
    MOST_DETAIL,
    MOST_MOVED,
    MOST_NOISE,
    AugmentationConfig,
)

BLUR_REACH = 4
"""Pixels on either side that blur reads."""


@dataclass(frozen=True, slots=True)
class Dice:
    """Random numbers of one batch, on its device."""

    generator: torch.Generator
    count: int

    def uniform(self, low: float, high: float, *shape: int) -> Float[Tensor, "..."]:
        """Numbers in [low, high), of this shape."""
        device = self.generator.device
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=device)

    def normal(self, *shape: int) -> Float[Tensor, "..."]:
        """Numbers of mean 0 and deviation 1."""
        return torch.randn(*shape, generator=self.generator, device=self.generator.device)

    def some(self, share: float) -> Int[Tensor, "k"]:
        """A share of the batch, by places in random order; rounded by chance."""
        device = self.generator.device
        order = torch.randperm(self.count, generator=self.generator, device=device)
        exact = share * self.count
        return order[: int(exact) + int(float(self.uniform(0.0, 1.0, 1)) < exact - int(exact))]


def random_looks(
    crops: Float[Tensor, "b 3 s s"],
    free: Bool[Tensor, "b"],
    config: AugmentationConfig,
    generator: torch.Generator,
) -> Float[Tensor, "b 3 s s"]:
    """Crops in [0, 1] with random looks; colours change only where they are `free`."""
    dice = Dice(generator, len(crops))
    crops = torch.where(free[:, None, None, None], changed_colors(crops, config, dice), crops)
    crops = with_flaws(crops, config, dice).clamp(0.0, 1.0)
    hidden = dice.some(config.occluder)
    if len(hidden):
        crops[hidden] = occluded(crops[hidden], dice)
    cut = dice.some(config.cut)
    if len(cut):
        crops[cut] = crops[cut] * kept_side(len(cut), crops.shape[-1], dice)
    return crops


def changed_colors(
    crops: Float[Tensor, "b 3 s s"], config: AugmentationConfig, dice: Dice
) -> Float[Tensor, "b 3 s s"]:
    """`change_colors` of each crop."""
    c, count = config.color, len(crops)
    crops = crops ** torch.exp(dice.normal(count, 1, 1, 1) * c)
    gain = dice.normal(count, 1, 1, 1) * 0.5 * c + dice.normal(count, 3, 1, 1) * 0.2 * c
    crops = crops * torch.exp(gain)
    mean = crops.mean(dim=(1, 2, 3), keepdim=True)
    crops = mean + (crops - mean) * torch.exp(dice.normal(count, 1, 1, 1) * 0.5 * c)
    grey = crops.mean(dim=1, keepdim=True)
    keep = torch.exp(dice.normal(count, 1, 1, 1) * c)
    keep[dice.some(config.grey)] = 0.0
    return grey + (crops - grey) * keep


def with_flaws(
    crops: Float[Tensor, "b 3 s s"], config: AugmentationConfig, dice: Dice
) -> Float[Tensor, "b 3 s s"]:
    """`add_flaws` of each crop."""
    crops = crops.clone()
    size = crops.shape[-1]
    both = dice.some(config.blur)
    chance = dice.uniform(0.0, 1.0, len(both)) < 0.5
    soft, coarse = both[chance], both[~chance]
    if len(soft):
        crops[soft] = blurred(crops[soft], dice.uniform(*BLUR_PX, len(soft)))
    if len(coarse):
        detail = float(dice.uniform(LEAST_DETAIL, MOST_DETAIL, 1))
        small = max(min(FEWEST_PX, size), int(size * detail))
        lost = interpolate(crops[coarse], (small, small), mode="area")
        crops[coarse] = interpolate(lost, (size, size), mode="bilinear", align_corners=False)
    moving = dice.some(config.motion)
    if len(moving):
        length = dice.uniform(0.0, MOST_MOVED * size, len(moving))
        crops[moving] = moved(crops[moving], length, dice.uniform(0.0, math.pi, len(moving)))
    noisy = dice.some(config.noise)
    if len(noisy):
        strength = dice.uniform(0.0, MOST_NOISE, len(noisy), 1, 1, 1)
        crops[noisy] = crops[noisy] + dice.normal(len(noisy), 3, size, size) * strength
    return crops


def blurred(
    crops: Float[Tensor, "b 3 s s"], deviation_px: Float[Tensor, "b"]
) -> Float[Tensor, "b 3 s s"]:
    """Gaussian blur, of each crop its own; the border's pixels go on outside."""
    size, reach = crops.shape[-1], BLUR_REACH
    places = torch.arange(-reach, reach + 1, device=crops.device)
    weights = torch.exp(-0.5 * (places / deviation_px[:, None]) ** 2)
    weights = (weights / weights.sum(dim=1, keepdim=True))[:, :, None, None, None]
    for dim, border in ((2, (0, 0, reach, reach)), (3, (reach, reach, 0, 0))):
        wide = pad(crops, border, mode="replicate")
        parts = [weights[:, k] * wide.narrow(dim, k, size) for k in range(2 * reach + 1)]
        crops = torch.stack(parts).sum(dim=0)
    return crops


def moved(
    crops: Float[Tensor, "b 3 s s"], length_px: Float[Tensor, "b"], angle_rad: Float[Tensor, "b"]
) -> Float[Tensor, "b 3 s s"]:
    """`move` of each crop; the way has as many places as the longest needs."""
    parts = math.ceil(MOST_MOVED * crops.shape[-1]) + 1
    size, device = crops.shape[-1], crops.device
    centers = (2.0 * torch.arange(size, device=device) + 1.0) / size - 1.0
    x, y = torch.meshgrid(centers, centers, indexing="xy")
    still = torch.stack([x, y], dim=-1)
    along = torch.stack([torch.cos(angle_rad), torch.sin(angle_rad)], dim=-1)
    along = (2.0 * length_px / size)[:, None] * along
    total = torch.zeros_like(crops)
    for part in torch.linspace(-0.5, 0.5, parts).tolist():
        grid = still - part * along[:, None, None]
        total = total + grid_sample(crops, grid, padding_mode="border", align_corners=False)
    return total / parts


def occluded(crops: Float[Tensor, "b 3 s s"], dice: Dice) -> Float[Tensor, "b 3 s s"]:
    """`put_occluder` of each crop."""
    count, size = len(crops), crops.shape[-1]
    device = crops.device
    centers = torch.arange(size, device=device) + 0.5
    x, y = torch.meshgrid(centers, centers, indexing="xy")
    middle = dice.uniform(0.05, 0.95, count, 2, 1, 1) * size
    axes = dice.uniform(0.05, 0.28, count, 2, 1, 1) * size
    turn = dice.uniform(0.0, math.pi, count, 1, 1)
    c, s = torch.cos(turn), torch.sin(turn)
    dx, dy = x - middle[:, 0], y - middle[:, 1]
    along, across = c * dx + s * dy, c * dy - s * dx
    kind = dice.uniform(0.0, 3.0, count, 1, 1).floor()
    ellipse = (along / axes[:, 0]) ** 2 + (across / axes[:, 1]) ** 2 <= 1.0
    box = (along.abs() <= axes[:, 0]) & (across.abs() <= axes[:, 1])
    bar = (along.abs() <= size) & (across.abs() <= (axes[:, 1] + 2.0) / 4.0)
    mask = torch.where(kind == 0, ellipse, torch.where(kind == 1, box, bar))
    flat = dice.uniform(0.0, 1.0, count, 3, 1, 1)
    rows, columns = (int(dice.uniform(2.0, 9.0, 1)) for _ in range(2))
    coarse = dice.uniform(0.0, 1.0, count, 3, rows, columns)
    rough = interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
    patch = torch.where(dice.uniform(0.0, 1.0, count, 1, 1, 1) < 0.5, rough, flat)
    return torch.where(mask[:, None], patch, crops)


def kept_side(count: int, size: int, dice: Dice) -> Float[Tensor, "b 1 s s"]:
    """0 where `cut_side` blackens a crop, else 1."""
    places = torch.arange(size, device=dice.generator.device)
    width = (dice.uniform(0.0, MOST_CUT, count, 1) * size).round()
    upright = dice.uniform(0.0, 1.0, count, 1) < 0.5
    far = dice.uniform(0.0, 1.0, count, 1) < 0.5
    line = torch.where(far, places < size - width, places >= width).float()
    line = line.reshape(count, 1, size)
    shape = (count, size, size)
    rows, columns = line.transpose(1, 2).expand(shape), line.expand(shape)
    return torch.where(upright[:, None], rows, columns)[:, None]
