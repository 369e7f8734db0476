"""The paper's experiments as commands. Needs the `train` extra.

What needs torch is imported on first use: the rows do without it.
"""

from typing import TYPE_CHECKING

from mlanet.experiments.rows import (
    FULL,
    PLAIN,
    REDUCED,
    Row,
    Run,
    ablation_rows,
    chosen_runs,
)
from mlanet.lazy import lazy_names

if TYPE_CHECKING:
    from mlanet.experiments.measure import RunResult
    from mlanet.experiments.running import Origin, execute, finished

__all__ = [
    "FULL",
    "PLAIN",
    "REDUCED",
    "Origin",
    "Row",
    "Run",
    "RunResult",
    "ablation_rows",
    "chosen_runs",
    "execute",
    "finished",
]

_RUNNING = dict.fromkeys(("Origin", "execute", "finished"), "mlanet.experiments.running")

__getattr__ = lazy_names(__name__, _RUNNING | {"RunResult": "mlanet.experiments.measure"})
