"""From the maps of a CenterFace network to boxes and points."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import bounding_box, turn_points_back

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

    @classmethod
    def none(cls) -> "Candidates":
        """Nobody."""
        return cls(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))

    @property
    def sizes(self) -> Float[np.ndarray, "n"]:
        """Geometric means of the boxes' sides."""
        return np.sqrt((self.boxes[:, 2:] - self.boxes[:, :2]).prod(axis=1))

    @property
    def centers(self) -> Float[np.ndarray, "n 2"]:
        """Middles of the boxes."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2.0

    def take(self, index: Int[np.ndarray, "m"]) -> "Candidates":
        """The candidates of these indices, in their order."""
        return Candidates(self.boxes[index], self.landmarks[index], self.scores[index])

    def mapped(self, scale: tuple[float, float], shift: tuple[float, float]) -> "Candidates":
        """The same with `x -> x * scale + shift` (for x, y) applied to every coordinate."""
        s, t = np.asarray(scale, dtype=np.float64), np.asarray(shift, dtype=np.float64)
        boxes = (self.boxes.reshape(-1, 2, 2) * s + t).reshape(-1, 4)
        return Candidates(boxes, self.landmarks * s + t, self.scores)

    def turned_back(self, size_px: tuple[int, int], quarter_turns: int) -> "Candidates":
        """Those of `numpy.rot90(picture, quarter_turns)` in a picture of this height and width."""
        if quarter_turns % 4 == 0:
            return self
        corners = turn_points_back(self.boxes.reshape(-1, 2, 2), size_px, quarter_turns)
        points = turn_points_back(self.landmarks, size_px, quarter_turns)
        return Candidates(bounding_box(corners), points, self.scores)

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
    cells = np.flatnonzero(heat > threshold)
    score, over, log, relative = (
        one.reshape(one.shape[1], -1)[:, cells].T.astype(np.float64)
        for one in (heat, offset, log_size, landmarks)
    )
    center = (np.stack(np.divmod(cells, heat.shape[-1]), axis=1) + over + 0.5) * STRIDE
    size = np.exp(log) * STRIDE
    corner = center - size / 2.0
    points = corner[:, None] + relative.reshape(-1, 5, 2) * size[:, None]
    boxes = np.concatenate([corner[:, ::-1], (corner + size)[:, ::-1]], axis=1)
    return Candidates(boxes, points[:, :, ::-1], score[:, 0])


def suppress(
    candidates: Candidates, max_overlap: float, rank: Float[np.ndarray, "n"] | None = None
) -> Candidates:
    """Keep the best of those that overlap by more than `max_overlap`; best first.

    Without a `rank` of their own, the best are those of the highest score.

    What lies in the inner half of a better one's box and is less than half as large goes, too: an
    eye or a mouth that a finer look took for a face.
    """
    order = np.argsort(-(candidates.scores if rank is None else rank), kind="stable")
    corner, end = candidates.boxes[order, :2], candidates.boxes[order, 2:]
    sides = end - corner
    area, middle = sides.prod(axis=1), corner + sides / 2.0
    kept: list[int] = []
    while len(order):
        kept.append(int(order[0]))
        shared = np.minimum(end, end[0]) - np.maximum(corner, corner[0])
        both = np.maximum(shared, 0.0).prod(axis=1)
        part = (np.abs(middle - middle[0]) < 0.25 * sides[0]).all(axis=1) & (area < 0.25 * area[0])
        left = np.flatnonzero((both <= max_overlap * (area + area[0] - both)) & ~part)
        left = left[left > 0]
        order, corner, end, sides, area, middle = (
            values[left] for values in (order, corner, end, sides, area, middle)
        )
    return candidates.take(np.array(kept, dtype=np.int64))
