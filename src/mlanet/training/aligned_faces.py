"""Faces aligned as dlib's face-recognition network expects them, with gradients."""

import torch
from jaxtyping import Float
from torch import Tensor

from mlanet.network.dlib_face_net import INPUT_SIZE

POINTS = (45, 42, 36, 39, 33)
"""Corners of the left eye (outer, inner), of the right eye, and the nose's base; iBUG 68."""

PLACES = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""Where these points lie in the face's box, by dlib's 5-point alignment."""

PADDING = 0.25
"""Room around the box on each side, of its side."""


def aligned_faces(
    images: Float[Tensor, "b 3 s s"],
    landmarks_px: Float[Tensor, "b 68 2"],
    size: int = INPUT_SIZE,
) -> Float[Tensor, "b 3 c c"]:
    """Cut faces out, turned and scaled by five landmarks; gradients reach the pictures alone.

    King, dlib's `get_face_chip` for 5 points with padding 0.25: the similarity that brings the
    points nearest to their places (Umeyama, 1991; in the plane it is one complex number).
    """
    with torch.no_grad():
        source = landmarks_px[:, list(POINTS)]
        target = landmarks_px.new_tensor(PLACES)
        target = size * (target + PADDING) / (1.0 + 2.0 * PADDING)
        middle, goal = source.mean(dim=1, keepdim=True), target.mean(dim=0)
        from_middle = source - middle
        to_goal = (target - goal).expand_as(source)
        norm = to_goal.square().sum(dim=(1, 2)).clamp_min(1e-12)
        along = (from_middle * to_goal).sum(dim=(1, 2)) / norm
        across = to_goal[..., 0] * from_middle[..., 1] - to_goal[..., 1] * from_middle[..., 0]
        across = across.sum(dim=1) / norm
        centers = torch.arange(size, device=images.device, dtype=images.dtype) + 0.5
        x, y = centers[None, None, :] - goal[0], centers[None, :, None] - goal[1]
        a, b = along[:, None, None], across[:, None, None]
        in_picture = torch.stack([a * x - b * y, b * x + a * y], dim=-1) + middle[:, None]
        grid = 2.0 * in_picture / images.shape[-1] - 1.0
    return torch.nn.functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
