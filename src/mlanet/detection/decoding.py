"""From the maps of a CenterFace network to boxes and points."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import box_iou

STRIDE = 4
"""Input pixels for one cell of the maps."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """`n` detections before or after suppression: boxes (left, top, right, bottom) and points."""

    boxes: Float[np.ndarray, "n 4"]
    landmarks: Float[np.ndarray, "n 5 2"]
    scores: Float[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: Int[np.ndarray, "m"]) -> "Candidates":
        """The candidates of these indices, in their order."""
        return Candidates(self.boxes[index], self.landmarks[index], self.scores[index])

    def mapped(self, scale: tuple[float, float], shift: tuple[float, float]) -> "Candidates":
        """The same with `x -> x * scale + shift` (for x, y) applied to every coordinate."""
        s, t = np.asarray(scale, dtype=np.float64), np.asarray(shift, dtype=np.float64)
        boxes = (self.boxes.reshape(-1, 2, 2) * s + t).reshape(-1, 4)
        return Candidates(boxes, self.landmarks * s + t, self.scores)

    def joined(self, other: "Candidates") -> "Candidates":
        """These candidates followed by the others."""
        return Candidates(
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.landmarks, other.landmarks]),
            np.concatenate([self.scores, other.scores]),
        )


def decode_maps(
    heat: Float[np.ndarray, "1 1 h w"],
    log_size: Float[np.ndarray, "1 2 h w"],
    offset: Float[np.ndarray, "1 2 h w"],
    landmarks: Float[np.ndarray, "1 10 h w"],
    threshold: float,
) -> Candidates:
    """Every cell whose heat exceeds `threshold`, in pixels of the network's input, unsuppressed.

    A cell says where the box's centre lies from the cell's own centre (in cells), the logarithm
    of height and width (in cells) and five points from the box's upper left corner (in heights
    and widths); in each map y comes before x (Xu et al., 2019, section 3).
    """
    row, column = np.nonzero(heat[0, 0] > threshold)
    cells = np.stack([row, column], axis=1)
    center = (cells + offset[0, :, row, column].astype(np.float64) + 0.5) * STRIDE
    size = np.exp(log_size[0, :, row, column].astype(np.float64)) * STRIDE
    corner = center - size / 2.0
    relative = landmarks[0, :, row, column].astype(np.float64).reshape(-1, 5, 2)
    points = corner[:, None] + relative * size[:, None]
    boxes = np.concatenate([corner[:, ::-1], (corner + size)[:, ::-1]], axis=1)
    scores = heat[0, 0, row, column].astype(np.float64)
    return Candidates(boxes, points[:, :, ::-1], scores)


def suppress(candidates: Candidates, max_overlap: float) -> Candidates:
    """Keep the best of those that overlap by more than `max_overlap`; best first."""
    order = np.argsort(-candidates.scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        shared = box_iou(candidates.boxes[best][None], candidates.boxes[order])[0]
        order = order[shared <= max_overlap]
    return candidates.take(np.array(kept, dtype=np.int64))
