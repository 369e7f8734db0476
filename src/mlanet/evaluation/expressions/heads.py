"""Expressions on rendered heads that no training has seen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from jaxtyping import UInt8

from mlanet.evaluation.expressions.photos import MAX_YAW_DEG, predicted_scores
from mlanet.evaluation.expressions.scores import BLINK_DIFFERENCE, BLINKS, ExpressionScores
from mlanet.evaluation.progress import Progress
from mlanet.metrics import Estimate, share_estimate
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.reconstructor import Reconstructor
from mlanet.synthesis import HeadsConfig, RenderedHeads

EVALUATION_SEED = 2**31
"""Seeds of rendered heads from here on are for evaluation: no recipe trains with them."""

SHUT, OPEN = 0.8, 0.3
"""A head winks if one eye is closed at least this far and the other one at most that far."""

COVERS: Mapping[str, Mapping[str, float]] = {
    "without glasses": {"glasses": 0.0, "occluder": 0.0},
    "with glasses": {"glasses": 1.0, "occluder": 0.0},
    "partly covered": {"glasses": 0.0, "occluder": 1.0},
}
"""What is before the faces: probabilities of `HeadsConfig`. An occluder may hide an eye."""

WINKS_PER_HEAD = 4
"""One winking head for so many heads."""

SEARCHED_PER_HEAD = 1000
"""So many heads are looked through for winks, for each head that is drawn."""


@dataclass(frozen=True, eq=False)
class HeadScores:
    """Rendered heads: what they show, and what a network sees in them."""

    known: ExpressionScores
    predicted: ExpressionScores


def unseen_heads(model: MorphableModel, size: int, seed: int, cover: str) -> RenderedHeads:
    """Heads with the photographic albedo, turned by at most `MAX_YAW_DEG`.

    The same seed gives the same faces whatever is before them. `cover` is one of `COVERS`; pictures
    have `size` pixels a side; seeds count from zero.
    """
    config = replace(HeadsConfig(yaw_deg=MAX_YAW_DEG), **COVERS[cover])
    colored = AlbedoModel.load().on(model)
    return RenderedHeads(
        colored, size=size, count=2**31, seed=EVALUATION_SEED + seed, config=config
    )


def winking_heads(heads: RenderedHeads, searched: int) -> Iterable[int]:
    """Numbers of the heads that wink, among the first `searched`; nothing is rendered."""
    names = heads.model.expression_names
    left, right = (names.index(name) for name in BLINKS)
    for number in range(searched):
        vector = heads.coefficients(np.random.default_rng([heads.seed, number]))
        shown = heads.model.layout.split(vector).expression
        less, more = sorted((float(shown[left]), float(shown[right])))
        if more >= SHUT and less <= OPEN:
            yield number


def score_heads(
    reconstructor: Reconstructor,
    *,
    count: int,
    seed: int,
    cover: str,
    progress: Progress | None = None,
) -> tuple[HeadScores, HeadScores]:
    """Scores of the first `count` heads of a seed, and of the first heads that wink.

    One head for `WINKS_PER_HEAD` winks besides. The network regresses the embedded face model.
    """
    size = reconstructor.regressor.config.input_size
    heads = unseen_heads(reconstructor.model, size, seed, cover)
    wanted = max(1, count // WINKS_PER_HEAD)
    winks = list(islice(winking_heads(heads, count * SEARCHED_PER_HEAD), wanted))
    both = _seen(reconstructor, heads, [*range(count), *winks], progress)
    return (
        HeadScores(*(scores.only(np.arange(len(scores.names)) < count) for scores in both)),
        HeadScores(*(scores.only(np.arange(len(scores.names)) >= count) for scores in both)),
    )


def winks_told_apart(winks: HeadScores) -> tuple[Estimate, Estimate]:
    """Shares of winks whose predicted left minus right blink has the right sign, and is zero."""
    known, predicted = (
        scores.values_of(BLINK_DIFFERENCE) for scores in (winks.known, winks.predicted)
    )
    right, alike = int((known * predicted > 0.0).sum()), int((predicted == 0.0).sum())
    return share_estimate(right, len(known)), share_estimate(alike, len(known))


def _seen(
    reconstructor: Reconstructor,
    heads: RenderedHeads,
    numbers: Sequence[int],
    progress: Progress | None,
) -> tuple[ExpressionScores, ExpressionScores]:
    """Known and predicted expressions of some heads."""
    vectors: list[np.ndarray] = []

    def crop(place: int) -> UInt8[np.ndarray, "s s 3"]:
        sample = heads[numbers[place]]
        vectors.append(np.asarray(sample.coefficients))
        return sample.image

    names = tuple(f"{place}: head {number}" for place, number in enumerate(numbers))
    predicted = predicted_scores(reconstructor, names, crop, progress)
    known = heads.model.layout.split(np.stack(vectors)).expression.astype(np.float64)
    return replace(predicted, values=known, expressions=heads.model.expression_names), predicted
