"""From the landmarks' predicted variances to how sure one may be. Needs no torch."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

WITHIN_PERCENT = 5.0
"""Distance in per cent of the face's size whose probability confidence is."""


@dataclass(frozen=True, slots=True)
class LogLogistic:
    """Probability that an error lies within a distance, by its predicted deviation.

    1 / (1 + (deviation / even)^steepness): logistic regression on the logarithm of the deviation
    (Platt, "Probabilistic Outputs for Support Vector Machines", 1999), fitted on held-out faces.

    Attributes:
        even_percent: deviation at which the probability is one half.
        steepness: how quickly it falls around there.

    Raises:
        ValueError: one is not positive.
    """

    even_percent: float
    steepness: float

    def __post_init__(self) -> None:
        if not (0.0 < self.even_percent < np.inf and 0.0 < self.steepness < np.inf):
            raise ValueError(f"expected positive numbers, got {self}")

    def __call__(self, deviation_percent: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The probability, in [0, 1]."""
        exponent = self.steepness * np.log(deviation_percent / self.even_percent)
        return 1.0 / (1.0 + np.exp(np.clip(exponent, -50.0, 50.0)))


@dataclass(frozen=True, slots=True)
class Confidence:
    """How a network's log-variances (`mlanet.network.Answers`) become confidence.

    Attributes:
        landmark: probability that a landmark lies within `WITHIN_PERCENT` of the true one.
        face: probability that the mean error of the 68 does; its deviation is their mean.
    """

    landmark: LogLogistic
    face: LogLogistic

    def of_landmarks(self, log_variances: Float[np.ndarray, "*b 68"]) -> Float[np.ndarray, "*b 68"]:
        """Confidence of each landmark."""
        return self.landmark(deviation_percent(log_variances))

    def of_faces(self, log_variances: Float[np.ndarray, "*b 68"]) -> Float[np.ndarray, "*b"]:
        """Confidence of each face."""
        return self.face(deviation_percent(log_variances).mean(axis=-1))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "within_percent": WITHIN_PERCENT}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Confidence":
        """The inverse of `as_dict`.

        Raises:
            TypeError, KeyError, ValueError: a value is missing or malformed, or the distance is
                another.
        """
        if values["within_percent"] != WITHIN_PERCENT:
            raise ValueError(f"confidence within {values['within_percent']} % is not known")
        return cls(*(LogLogistic(**values[name]) for name in ("landmark", "face")))


def deviation_percent(log_variances: Float[np.ndarray, "*b n"]) -> Float[np.ndarray, "*b n"]:
    """Standard deviation of x (and of y) in per cent of the face's size."""
    return np.exp(0.5 * log_variances.astype(np.float64))
