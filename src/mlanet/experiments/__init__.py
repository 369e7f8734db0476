"""The paper's experiments as commands. Needs the `train` extra."""

from mlanet.experiments.result import RunResult
from mlanet.experiments.rows import (
    FULL,
    PLAIN,
    REDUCED,
    Row,
    Run,
    ablation_rows,
    chosen_runs,
)
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
