"""What is known of one person over the frames of a film: shape, albedo and looks."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mlanet.person.estimate import SEEN_OFTEN, VIEW_WEIGHT, VIEWS_DEG
from mlanet.reconstruction import Reconstruction

OUTLIER = 2.0
"""Frames farther from the mean than this many times the usual distance count less (Huber)."""

LEAST_SPREAD = 0.5
"""Frames differ by this at least (root of `Looks.distance`)."""

LOOKS_SIDE = 4
"""The face's middle in so many times so many colours."""

NUM_COLORS = 3 * LOOKS_SIDE**2

SAME_IDENTITY, SAME_ALBEDO, SAME_LOOKS = 0.07, 0.05, 14.0
"""Root mean square by which coefficients and colours (of 255) of one person differ from frame to
frame in rendered films of people who turn and talk; between people it is twice to four times."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """One frame's view of a person.

    Attributes:
        identity: coefficients.
        albedo: coefficients.
        colors: of the middle of the face, 0 to 255.
    """

    identity: Float[np.ndarray, "i"]
    albedo: Float[np.ndarray, "a"]
    colors: Float[np.ndarray, "c"]

    @classmethod
    def of(cls, face: Reconstruction) -> "Looks":
        """As the network sees a face."""
        import cv2

        quarter = face.crop.size // 4
        middle = face.crop.image[quarter:-quarter, quarter:-quarter]
        small = cv2.resize(middle, (LOOKS_SIDE, LOOKS_SIDE), interpolation=cv2.INTER_AREA)
        coefficients = face.coefficients
        return cls(coefficients.identity, coefficients.albedo, small.reshape(-1).astype(np.float32))

    def distance(self, other: "Looks") -> float:
        """Mean square of all differences over their usual size: about 2 for one person."""
        parts = (
            (self.identity - other.identity, SAME_IDENTITY),
            (self.albedo - other.albedo, SAME_ALBEDO),
            (self.colors - other.colors, SAME_LOOKS),
        )
        return float(np.mean([np.mean(np.square(part / usual)) for part, usual in parts]))


@dataclass(slots=True, eq=False)
class Person:
    """A running estimate: robust means for three views, joined so that none outvotes the others.

    Attributes:
        sums: weight and weighted sums of identity, albedo and colours of each view.
        spread: usual distance of a frame from the mean.
    """

    sums: list[tuple[float, Looks] | None] = field(default_factory=lambda: [None] * 3)
    spread: float = 1.0

    def add(self, looks: Looks, yaw_deg: float, confidence: float) -> None:
        """Take a frame in. Frames unlike all before count less, by Huber's weight."""
        view = int(np.searchsorted(VIEWS_DEG, yaw_deg))
        weight = max(confidence, 1e-3)
        known = self.sums[view]
        if known is not None:
            away = np.sqrt(looks.distance(known[1]))
            weight *= min(1.0, OUTLIER * self.spread / max(away, 1e-9))
            usual = min(away, 2.0 * OUTLIER * self.spread)
            self.spread = max(self.spread + (usual - self.spread) * 0.05, LEAST_SPREAD)
            total = known[0] + weight
            looks = _mixed([(known[0] / total, known[1]), (weight / total, looks)])
            weight = total
        self.sums[view] = weight, looks

    def joined(self, other: "Person") -> "Person":
        """What is known of both, if they are one."""
        sums: list[tuple[float, Looks] | None] = []
        for pair in zip(self.sums, other.sums, strict=True):
            known = [each for each in pair if each is not None]
            total = sum(weight for weight, _ in known)
            mixed = _mixed((weight / total, looks) for weight, looks in known) if known else None
            sums.append(None if mixed is None else (total, mixed))
        return Person(sums, max(self.spread, other.spread))

    @property
    def known(self) -> bool:
        """Whether anything was added."""
        return any(each is not None for each in self.sums)

    @property
    def looks(self) -> Looks:
        """The mean of the views, by how often each was seen.

        Raises:
            ValueError: nothing was added.
        """
        shares = [
            (VIEW_WEIGHT[view] * known[0] / (known[0] + SEEN_OFTEN), known[1])
            for view, known in enumerate(self.sums)
            if known is not None
        ]
        if not shares:
            raise ValueError("nobody was seen")
        total = sum(share for share, _ in shares)
        return _mixed((share / total, looks) for share, looks in shares)


def _mixed(parts: Iterable[tuple[float, Looks]]) -> Looks:
    weighted = [
        (share * looks.identity, share * looks.albedo, share * looks.colors)
        for share, looks in parts
    ]
    return Looks(*(np.sum(each, axis=0) for each in zip(*weighted, strict=True)))
