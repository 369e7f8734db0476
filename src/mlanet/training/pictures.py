"""What a validation looks like: crops, and the faces drawn over them."""

import numpy as np
import torch
from jaxtyping import UInt8

from mlanet.training.data import LabelledFaces
from mlanet.training.learner import Learner

SHOWN = 6


@torch.no_grad()
def validation_picture(
    learner: Learner, faces: LabelledFaces, size: int
) -> UInt8[np.ndarray, "h w 3"]:
    """Held-out crops above, below them the averaged network's faces over the crops.

    The faces have the albedo and the light that the network gives them.
    """
    images = next(faces.held_out_batches(size, SHOWN)).to(learner.device).pixels()
    found = learner.objective.face.layout.split(learner.average(images).coefficients)
    photo = images.permute(0, 2, 3, 1).contiguous()
    drawn = learner.objective.face.draw(found, size, photo)
    rows = torch.stack([photo, drawn.clamp(0.0, 1.0)])
    grid = rows.permute(0, 2, 1, 3, 4).reshape(2 * size, -1, 3)
    return (255.0 * grid + 0.5).to(torch.uint8).cpu().numpy()
