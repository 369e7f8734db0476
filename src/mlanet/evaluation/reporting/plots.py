"""Curves of a report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlanet.metrics import cumulative_error

NUM_TICKS, NUM_Y_TICKS = 7, 5
TICK = 0.1
"""Axes of cumulative errors without a limit end at a multiple of this for each tick."""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of a plot, in data units."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over axes that begin at zero; the horizontal one is cut into `num_x_ticks` parts."""

    title: str
    x_label: str
    y_label: str
    x_limit: float
    y_limit: float
    lines: tuple[Line, ...]
    note: str = ""
    num_x_ticks: int = NUM_TICKS


def cumulative_plot(
    label: str,
    share: str,
    errors: Mapping[str, Sequence[float]],
    limit: float | None = None,
    note: str = "",
) -> tuple[Plot, ...]:
    """Which share of errors lies below a threshold, one curve for each name; none without any.

    `errors` are infinite where there is none. Without a limit the axis ends beyond the largest.
    """
    if limit is None:
        most = max((value for values in errors.values() for value in values), default=0.0)
        limit = TICK * NUM_TICKS * max(1, math.ceil(most / (TICK * NUM_TICKS)))
    lines: list[Line] = []
    for name, values in errors.items():
        if len(values):
            curve = cumulative_error(np.array(values, dtype=np.float64), limit)
            lines.append(Line(name, curve.thresholds.tolist(), curve.share.tolist()))
    title = f"Cumulative error: {label}"
    return (
        (Plot(title, label, f"share of {share}", limit, 1.0, tuple(lines), note),) if lines else ()
    )
