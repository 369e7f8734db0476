"""From pictures and what is known of them to random crops and what a network should predict."""

import torch

from mlanet.morphable import MorphableModel
from mlanet.training.appearance import random_appearance
from mlanet.training.augmentation import AugmentationConfig
from mlanet.training.crop_coefficients import crop_coefficients, known_of_mirror_images
from mlanet.training.crops import random_changes
from mlanet.training.dice import Dice
from mlanet.training.samples import Samples


def random_crops(
    samples: Samples, size: int, config: AugmentationConfig, dice: Dice, model: MorphableModel
) -> Samples:
    """A changed crop of `size` pixels of each sample; see `AugmentationConfig`.

    Coefficients follow the crop. Where they say what colours a face has, its colours stay.
    """
    changes = random_changes(samples.landmarks_px, size, config, dice)
    pictures = changes.pictures(samples.images, samples.extent_px)
    free = ~samples.colors_known(model.layout)
    pictures = random_appearance(pictures, free, config, dice)
    of_mirror = torch.from_numpy(known_of_mirror_images(model))
    known = samples.known * (of_mirror | ~changes.mirrored[:, None])
    coefficients = torch.zeros_like(samples.coefficients)
    rows = torch.nonzero(known.amax(dim=1))[:, 0]
    if len(rows):
        coefficients[rows] = crop_coefficients(
            samples.coefficients[rows].double(),
            samples.squares_px[rows].double(),
            changes.crop_from_image[rows],
            changes.mirrored[rows],
            size,
            model,
        ).float()
    count = len(samples)
    return Samples(
        images=(pictures * 255.0 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous(),
        extent_px=torch.full((count, 2), float(size)),
        landmarks_px=changes.landmarks(samples.landmarks_px).float(),
        weight=samples.weight,
        has_depth=samples.has_depth,
        coefficients=torch.where(known > 0, coefficients, 0.0),
        known=known,
        squares_px=torch.tensor([0.0, 0.0, float(size)]).repeat(count, 1),
        labelled=samples.labelled,
        person=samples.person,
    )
