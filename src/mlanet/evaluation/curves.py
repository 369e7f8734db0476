"""Curves of cumulative errors for pages: which share of cases lies below a threshold."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mlanet.evaluation.page import NUM_TICKS, Line, Plot
from mlanet.evaluation.report import CURVE_LIMIT, CURVE_NORMALIZER
from mlanet.metrics import cumulative_error

TICK_MM = 0.1
"""Axes of distances end at a multiple of this for each tick."""


def nme_plot(errors: Mapping[str, Sequence[float]]) -> Plot:
    """Cumulative `nme_2d_68` to `CURVE_LIMIT`, one curve for each name.

    Args:
        errors: percent of `CURVE_NORMALIZER`; infinite where a face was missed.
    """
    return Plot(
        title="Cumulative error",
        x_label=f"nme_2d_68, percent of {CURVE_NORMALIZER}",
        y_label="share of faces",
        x_limit=CURVE_LIMIT,
        y_limit=1.0,
        lines=_lines(errors, CURVE_LIMIT),
        note="Missed faces lie beyond every threshold.",
    )


def distance_plots(
    share: str,
    distances: Mapping[str, Sequence[float]],
    title: str = "Cumulative distance",
    label: str = "point_to_plane_mean_mm",
) -> tuple[Plot, ...]:
    """How many distances (mm) lie below a threshold, one curve for each name; none without any."""
    most = max((value for values in distances.values() for value in values), default=0.0)
    unit = TICK_MM * NUM_TICKS
    limit = unit * max(1, math.ceil(most / unit))
    lines = _lines(distances, limit)
    return (Plot(title, label, share, limit, 1.0, lines),) if lines else ()


def _lines(errors: Mapping[str, Sequence[float]], limit: float) -> tuple[Line, ...]:
    found: list[Line] = []
    for name, values in errors.items():
        if len(values):
            curve = cumulative_error(np.array(values, dtype=np.float64), limit)
            found.append(Line(name, curve.thresholds.tolist(), curve.share.tolist()))
    return tuple(found)
