"""Verification: do two descriptions belong to one person?"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

ROC_POINTS = 201
"""Of a curve, for drawing."""


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Shares of pairs that score at least a threshold, from the highest threshold to the lowest.

    `wrong` is that of pairs of two people, `right` that of pairs of one; both in [0, 1].
    """

    wrong: Float[np.ndarray, "t"]
    right: Float[np.ndarray, "t"]


@dataclass(frozen=True, slots=True)
class Verification:
    """How well scores tell pairs of one person from pairs of two.

    Attributes:
        auc: probability that a pair of one person scores higher than a pair of two (ties count
            half); 0.5 is chance, 1 is perfect.
        auc_low, auc_high: 95 % interval, bootstrap over people.
        eer: equal error rate, the share of false answers at the threshold where both kinds of
            pairs are wrong equally often.
        eer_low, eer_high: likewise.
        same: number of pairs of one person.
        different: number of pairs of two people.
        roc: the curve, for drawing.
    """

    auc: float
    auc_low: float
    auc_high: float
    eer: float
    eer_low: float
    eer_high: float
    same: int
    different: int
    roc: RocCurve = field(compare=False, repr=False)


def cosine_similarity(
    first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, "n m"]:
    """Cosine of the angle between each two rows; 0 where a row is zero."""

    def unit(rows: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k d"]:
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    return unit(first) @ unit(second).T


def verification(
    scores: Float[np.ndarray, "p"],
    first: Int[np.ndarray, "p"],
    second: Int[np.ndarray, "p"],
    *,
    resamples: int = 200,
    seed: int = 0,
) -> Verification:
    """Area under the ROC curve and equal error rate of scored pairs.

    The intervals draw people with replacement: a pair of two people counts as often as the product
    of how often both were drawn, a pair of one person as often as that person. Pairs are not drawn
    on their own, since those of one person are not independent. `first` and `second` are the
    numbers (from zero) of the people in each pair; the higher the score, the more alike.

    Raises:
        ValueError: the shapes differ, a score is not finite, or one of the two kinds of pairs is
            missing.
    """
    if not scores.shape == first.shape == second.shape or scores.ndim != 1:
        raise ValueError(f"expected (p,), got {scores.shape}, {first.shape}, {second.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    equal = first == second
    if equal.all() or not equal.any():
        raise ValueError("verification needs pairs of one person and pairs of two")
    pairs = _Pairs.sorted_by_score(scores, first, second)
    num_people = int(max(first.max(), second.max())) + 1
    auc, eer = pairs.rates(np.ones(num_people, dtype=np.int64))
    people = np.unique(np.concatenate([first, second]))
    rng = np.random.default_rng(seed)
    drawn: list[tuple[float, float]] = []
    while len(drawn) < resamples:
        chosen = rng.choice(people, len(people))
        rates = pairs.rates(np.bincount(chosen, minlength=num_people))
        if np.isfinite(rates).all():  # a draw may lack one of the kinds
            drawn.append(rates)
    low, high = np.quantile(np.array(drawn or [(auc, eer)]), [0.025, 0.975], axis=0)
    return Verification(
        auc,
        *_interval(low[0], high[0]),
        eer,
        *_interval(low[1], high[1]),
        same=int(equal.sum()),
        different=int((~equal).sum()),
        roc=roc_curve(scores, equal),
    )


def roc_curve(
    scores: Float[np.ndarray, "p"], same: Bool[np.ndarray, "p"], num_points: int = ROC_POINTS
) -> RocCurve:
    """The curve at points that are evenly spaced along it, by the sum of both shares.

    Pairs of equal scores make it slope, so that its exact area counts ties half. `same` says which
    pairs are of one person; there are both kinds.
    """
    thresholds = np.unique(scores)
    right, wrong = (
        np.append(1.0 - np.searchsorted(np.sort(part), thresholds) / len(part), 0.0)[::-1]
        for part in (scores[same], scores[~same])
    )
    both = np.linspace(0.0, 2.0, num_points)
    return RocCurve(*(np.interp(both, wrong + right, share) for share in (wrong, right)))


def _interval(low: float, high: float) -> tuple[float, float]:
    return float(low), float(high)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs in ascending order of their scores.

    Attributes:
        same: person of each pair of one.
        first, second: people of each pair of two.
        below, through: for each pair of one, how many pairs of two score lower, and at most as
            high.
    """

    same: Int[np.ndarray, "s"]
    first: Int[np.ndarray, "d"]
    second: Int[np.ndarray, "d"]
    below: Int[np.ndarray, "s"]
    through: Int[np.ndarray, "s"]

    @classmethod
    def sorted_by_score(
        cls,
        scores: Float[np.ndarray, "p"],
        first: Int[np.ndarray, "p"],
        second: Int[np.ndarray, "p"],
    ) -> "_Pairs":
        equal = first == second
        same, different = np.flatnonzero(equal), np.flatnonzero(~equal)
        same = same[np.argsort(scores[same], kind="stable")]
        different = different[np.argsort(scores[different], kind="stable")]
        ordered = scores[different]
        return cls(
            same=first[same],
            first=first[different],
            second=second[different],
            below=np.searchsorted(ordered, scores[same], side="left"),
            through=np.searchsorted(ordered, scores[same], side="right"),
        )

    def rates(self, times: Int[np.ndarray, "people"]) -> tuple[float, float]:
        """AUC and equal error rate where each person counts so many times."""
        ours = times[self.same]
        others = np.concatenate([[0], np.cumsum(times[self.first] * times[self.second])])
        if not ours.any() or not others[-1]:
            return np.nan, np.nan
        lower, upto = others[self.below] / others[-1], others[self.through] / others[-1]
        auc = float(np.average((lower + upto) / 2.0, weights=ours))
        # Thresholds at and just above each pair of one person: shares rejected and accepted.
        total = np.concatenate([[0.0], np.cumsum(ours) / ours.sum()])
        rejected = np.concatenate([[0.0], np.stack([total[:-1], total[1:]], axis=1).ravel()])
        accepted = np.concatenate([[1.0], 1.0 - np.stack([lower, upto], axis=1).ravel()])
        place = int(np.argmax(rejected >= accepted))
        before = accepted[place - 1] - rejected[place - 1]
        after = rejected[place] - accepted[place]
        share = before / max(before + after, 1e-12)
        eer = rejected[place - 1] + share * (rejected[place] - rejected[place - 1])
        return auc, float(eer)
