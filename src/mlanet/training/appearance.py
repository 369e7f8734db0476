"""Random appearance of many crops at once: colours, flaws, and something in front of the face."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, interpolate, pad

from mlanet.synthesis.hands import draw_hand
from mlanet.training.augmentation import LEAST_OCCLUDER, AugmentationConfig
from mlanet.training.dice import Dice

BLUR_PX = (0.4, 1.6)
"""Standard deviations of blur in pixels of the crop."""

BLUR_REACH = 4
"""Pixels on either side that blur reads."""

LEAST_DETAIL, MOST_DETAIL, FEWEST_PX = 0.25, 0.8, 24
"""What resolution is lost down to: shares of the crop's side, and no fewer pixels than these."""

MOST_MOVED = 0.1
"""How far the camera moves, in sides of the crop."""

MOST_NOISE = 0.06
"""Largest standard deviation of pixel noise, of the range of colours."""

HAND = (0.1, 0.2)
"""Half widths of a hand's palm, of the crop's side."""

PATCHES = (2, 8)
"""Fewest and most coloured patches along a side of an occluder."""

MOST_CUT = 0.4
"""How much of a crop may lie outside of the photo."""


def random_appearance(
    crops: Float[Tensor, "b 3 s s"],
    free: Bool[Tensor, "b"],
    config: AugmentationConfig,
    dice: Dice,
) -> Float[Tensor, "b 3 s s"]:
    """Crops in [0, 1] that look otherwise; colours change only where they are `free`."""
    crops, rows = crops.clone(), torch.nonzero(free)[:, 0]
    if len(rows):
        crops[rows] = change_colors(crops[rows], config, dice.take(rows))
    crops = add_flaws(crops, config, dice).clamp_(0.0, 1.0)
    hidden = dice.rows(config.occluder)
    if len(hidden):
        some = dice.take(hidden)
        crops[hidden] = put_occluders(crops[hidden], some, config.occluder_size)
    cut = dice.rows(config.cut)
    if len(cut):
        crops[cut] *= kept_side(crops.shape[-1], dice.take(cut)).to(crops)
    if config.hand > 0.0:  # drawn last: without it nothing else meets another chance
        for row in dice.rows(config.hand).tolist():
            crops[row] = put_hand(crops[row], dice.generator(row))
    return crops


def change_colors(
    crops: Float[Tensor, "b 3 s s"], config: AugmentationConfig, dice: Dice
) -> Float[Tensor, "b 3 s s"]:
    """Random gamma, brightness, channel gains, contrast, saturation and grey; not clipped."""

    def factor(channels: int, strength: float) -> Float[Tensor, "b c 1 1"]:
        return torch.exp(dice.normal(channels, 1, 1) * strength * config.color).to(crops)

    crops = crops ** factor(1, 1.0)
    crops = crops.mul_(factor(1, 0.5) * factor(3, 0.2))
    mean = crops.mean(dim=(1, 2, 3), keepdim=True)
    crops = crops.sub_(mean).mul_(factor(1, 0.5)).add_(mean)
    grey = crops.mean(dim=1, keepdim=True)
    keep = factor(1, 1.0)
    keep[dice.rows(config.grey)] = 0.0
    return crops.sub_(grey).mul_(keep).add_(grey)


def add_flaws(
    crops: Float[Tensor, "b 3 s s"], config: AugmentationConfig, dice: Dice
) -> Float[Tensor, "b 3 s s"]:
    """Random blur, lost resolution, motion and noise, which leave colours as they are."""
    crops, size = crops.clone(), crops.shape[-1]
    blurred, soft = dice.happens(config.blur), dice.happens(0.5)
    for rows, flaw in (
        (torch.nonzero(blurred & soft)[:, 0], blur),
        (torch.nonzero(blurred & ~soft)[:, 0], lose_detail),
        (dice.rows(config.motion), move),
    ):
        if len(rows):
            crops[rows] = flaw(crops[rows], dice.take(rows))
    noisy = dice.rows(config.noise)
    if len(noisy):
        some = dice.take(noisy)
        strength = some.uniform(0.0, MOST_NOISE, 1, 1, 1)
        crops[noisy] += some.noise(3, size, size).to(crops) * strength.to(crops)
    return crops


def blur(crops: Float[Tensor, "b 3 s s"], dice: Dice) -> Float[Tensor, "b 3 s s"]:
    """Gaussian blur; the border's pixels go on outside."""
    return gaussian_blur(crops, dice.uniform(*BLUR_PX))


def gaussian_blur(
    crops: Float[Tensor, "b 3 s s"], deviation_px: Float[Tensor, "b"]
) -> Float[Tensor, "b 3 s s"]:
    """Blur of each crop by a deviation of its own."""
    places = torch.arange(-BLUR_REACH, BLUR_REACH + 1)
    weights = torch.exp(-0.5 * (places / deviation_px[:, None]) ** 2)
    weights = (weights / weights.sum(dim=1, keepdim=True)).to(crops).repeat_interleave(3, dim=0)
    planes = pad(crops, [BLUR_REACH] * 4, mode="replicate").flatten(0, 1)[None]
    planes = conv2d(planes, weights[:, None, :, None], groups=len(weights))
    planes = conv2d(planes, weights[:, None, None, :], groups=len(weights))
    return planes.reshape(crops.shape)


def lose_detail(crops: Float[Tensor, "b 3 s s"], dice: Dice) -> Float[Tensor, "b 3 s s"]:
    """Each crop shrunk to fewer pixels, and enlarged again."""
    size = crops.shape[-1]
    details = dice.uniform(LEAST_DETAIL, MOST_DETAIL).tolist()
    found: list[Tensor] = []
    for crop, detail in zip(crops.split(1), details, strict=True):
        fewer = max(min(FEWEST_PX, size), int(size * detail))
        small = interpolate(crop, (fewer, fewer), mode="area")
        found.append(interpolate(small, (size, size), mode="bilinear", align_corners=False))
    return torch.cat(found)


def move(crops: Float[Tensor, "b 3 s s"], dice: Dice) -> Float[Tensor, "b 3 s s"]:
    """Blur of a camera that moves straight."""
    lengths = dice.uniform(0.0, MOST_MOVED * crops.shape[-1]).tolist()
    angles = dice.uniform(0.0, math.pi).tolist()
    parts = zip(crops.split(1), lengths, angles, strict=True)
    return torch.cat([motion_blur(crop, length, angle) for crop, length, angle in parts])


def motion_blur(
    crops: Float[Tensor, "b 3 s s"], length_px: float, angle_rad: float
) -> Float[Tensor, "b 3 s s"]:
    """The mean of the crops moved along a straight way of this length, centred on it."""
    size = crops.shape[-1]
    centers = (2.0 * torch.arange(size, device=crops.device) + 1.0) / size - 1.0
    still = torch.stack(torch.meshgrid(centers, centers, indexing="xy"), dim=-1)
    way = crops.new_tensor([math.cos(angle_rad), math.sin(angle_rad)]) * (2.0 * length_px / size)
    places = torch.linspace(-0.5, 0.5, max(2, math.ceil(length_px) + 1)).tolist()
    total = torch.zeros_like(crops)
    for place in places:
        grid = (still - place * way).expand(len(crops), -1, -1, -1)
        total += grid_sample(crops, grid, padding_mode="border", align_corners=False)
    return total / len(places)


def put_occluders(
    crops: Float[Tensor, "b 3 s s"], dice: Dice, largest: float
) -> Float[Tensor, "b 3 s s"]:
    """Cover part of each crop with an ellipse, a box or a bar of one colour or of patches."""
    size = crops.shape[-1]
    mask = occluder_mask(size, dice, largest).to(crops.device)
    flat, patched = dice.uniform(0.0, 1.0, 3, 1, 1), dice.happens(0.5)
    colors = flat.to(crops).expand(crops.shape).clone()
    rows = torch.nonzero(patched)[:, 0]
    if len(rows):
        colors[rows] = patches(size, dice.take(rows), crops.device)
    return torch.where(mask[:, None], colors, crops)


def put_hand(crop: Float[Tensor, "3 s s"], rng: np.random.Generator) -> Float[Tensor, "3 s s"]:
    """The crop with a hand of its middle's colour somewhere before its inner part."""
    size, picture = crop.shape[-1], crop.permute(1, 2, 0).cpu().double().numpy()
    middle, half_width = rng.uniform(0.25, 0.75, 2) * size, rng.uniform(*HAND) * size
    inner = slice(size // 3, size - size // 3)
    skin = np.median(picture[inner, inner].reshape(-1, 3), axis=0)
    drawn = draw_hand(picture, middle, half_width, skin, rng)
    return torch.from_numpy(drawn).to(crop).permute(2, 0, 1)


def occluder_mask(size: int, dice: Dice, largest: float) -> Bool[Tensor, "b s s"]:
    """Where something lies in front of the face; `largest` half width is of the crop's side."""
    centers = torch.arange(size) + 0.5
    middle = dice.uniform(0.05, 0.95, 2, 1, 1).float() * size
    axes = dice.uniform(LEAST_OCCLUDER, largest, 2, 1, 1).float() * size
    turn = dice.uniform(0.0, math.pi, 1, 1).float()
    kind = dice.uniform(0.0, 3.0, 1, 1).floor()
    c, s = torch.cos(turn), torch.sin(turn)
    dx, dy = centers - middle[:, 0], centers[:, None] - middle[:, 1]
    along, across = c * dx + s * dy, c * dy - s * dx
    ellipse = (along / axes[:, 0]) ** 2 + (across / axes[:, 1]) ** 2 <= 1.0
    box = (along.abs() <= axes[:, 0]) & (across.abs() <= axes[:, 1])
    bar = (along.abs() <= size) & (across.abs() <= (axes[:, 1] + 2.0) / 4.0)
    return torch.where(kind == 0, ellipse, torch.where(kind == 1, box, bar))


def patches(size: int, dice: Dice, device: torch.device) -> Float[Tensor, "b 3 s s"]:
    """Pictures of a few patches of random colours whose borders are soft."""
    fewest, most = PATCHES
    counts = dice.uniform(fewest, most + 1, 2, 1).floor()
    coarse = dice.uniform(0.0, 1.0, 3, most, most).to(device, torch.float32)
    centers = (torch.arange(size) + 0.5) / size
    places = torch.minimum((centers * counts).clamp_min(0.5), counts - 0.5) * (2.0 / most) - 1.0
    x, y = places.to(device, torch.float32).unbind(dim=1)
    grid = torch.stack(
        [x[:, None].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], dim=-1
    )
    return grid_sample(coarse, grid, align_corners=False)


def kept_side(size: int, dice: Dice) -> Float[Tensor, "b 1 s s"]:
    """0 where one side of a crop is black, as if the photo ended there, else 1."""
    places = torch.arange(size)
    width = (dice.uniform(0.0, MOST_CUT, 1) * size).round()
    far, upright = dice.happens(0.5), dice.happens(0.5)
    line = torch.where(far[:, None], places < size - width, places >= width).float()
    rows, columns = (line.reshape(-1, 1, *shape) for shape in ((size, 1), (1, size)))
    shape = (-1, 1, size, size)
    return torch.where(upright[:, None, None, None], rows.expand(shape), columns.expand(shape))
