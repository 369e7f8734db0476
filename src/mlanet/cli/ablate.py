"""`mlanet ablate`: train and measure the rows of the paper's ablation."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlanet.cli.common import EXIT_OK, SomePath, require_extra
from mlanet.cli.configuration import Named
from mlanet.cli.runs import Machine, require_training_extra, training_bar
from mlanet.errors import DataError, UsageError

if TYPE_CHECKING:
    from mlanet.experiments.measure import RunResult
    from mlanet.experiments.rows import Row, Run
    from mlanet.training.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Scope:
    """What is trained, and measured."""

    data: SomePath = None
    """Folder that holds aflw_train and, if you have it, ytf68 (see docs/how-to/train.md)."""

    rows: tuple[str, ...] = ()
    """Rows to train; all without it."""

    aflw2000: SomePath = None
    """Folder with AFLW2000-3D and annotations.npz, to measure on as well."""

    people: SomePath = None
    """Folder of video frames (ytf68), whose people that training leaves out are told apart."""

    backbone: SomePath = None
    """ImageNet weights of the backbone (.pth) that every row starts from."""

    init: SomePath = None
    """A run's checkpoint whose averaged weights every row starts from, for rows of its network."""


@dataclass(frozen=True, slots=True)
class Instead:
    """What is done instead of training, or afterwards."""

    write_docs: SomePath = None
    """Page whose marked block receives the table."""

    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the runs, their state and how long they would take; write nothing."""

    table: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train nothing: make the table of the result.json files in OUT's folders alone. Needs no data
    and no checkpoints."""


def ablate(
    *,
    out: Path,
    config: SomePath = None,
    configuration: "TrainingConfig",
    scope: Annotated[Scope, tyro.conf.OmitArgPrefixes] = Scope(),
    machine: Annotated[Machine, tyro.conf.OmitArgPrefixes] = Machine(),
    instead: Annotated[Instead, tyro.conf.OmitArgPrefixes] = Instead(),
) -> int:
    """Train and measure variants of the network: attention, fusion, supervision.

    Each run has a folder of its own in OUT. A finished run is not done again and an
    interrupted one goes on, so the same command carries on where it was stopped. At the
    end table.md, table.json and differences.png tell of all finished rows.

    What the rows have in common is a configuration as of mlanet train, whose fields are options:
    that of --config, or else a reduced scale for CPUs (see docs/how-to/ablate.md).

    Args:
        out: Folder of the ablation.
        config: JSON file with what the rows have in common.
        configuration: What the rows have in common.
        scope: What is trained, and measured.
        machine: What computes.
        instead: What is done instead of training, or afterwards.
    """
    require_training_extra()
    require_extra("the plot", "matplotlib")
    if scope.data is None and not instead.table:
        raise UsageError("--data is needed to train; --table makes the table of what is there")
    machine.start_torch()
    from mlanet.experiments.rows import ablation_rows, chosen_runs
    from mlanet.experiments.running import Origin, execute, finished

    rows = ablation_rows(configuration)
    if scope.data is None or instead.table:
        _tell(rows, out, instead.write_docs)
        return EXIT_OK
    runs = chosen_runs(rows, scope.rows)
    origins = {
        sources: Origin.of(config, scope.data, scope.backbone, scope.init)
        for sources, config in {run.config.sources: run.config for run in runs}.items()
    }
    asked = {
        "with_aflw2000": scope.aflw2000 is not None,
        "with_people": scope.people is not None,
    }
    done = [
        (run, finished(run, out / run.name, **asked, origin=origins[run.config.sources]))
        for run in runs
    ]
    if instead.dry_run:
        print_runs(done, out, scope.data, machine.device)
        return EXIT_OK
    for number, (run, result) in enumerate(done, start=1):
        state = "starts or goes on" if result is None else "is finished"
        print(f"{number}/{len(done)} {run.name} {state}", file=sys.stderr)
        if result is None:
            with training_bar(run.config.batch_size) as progress:
                execute(
                    run,
                    data=scope.data,
                    folder=out / run.name,
                    aflw2000=scope.aflw2000,
                    people=scope.people,
                    backbone=scope.backbone,
                    init=scope.init,
                    device=machine.device,
                    progress=progress,
                )
    _tell(rows, out, instead.write_docs)
    return EXIT_OK


def base_of(named: Named) -> "TrainingConfig":
    """What the rows have in common, as a file or the reduced scale has it.

    Raises:
        ConfigurationError: the file is malformed.
    """
    from mlanet.experiments.rows import REDUCED
    from mlanet.training.config import TrainingConfig

    return REDUCED if named.config is None else TrainingConfig.read(named.config, named.changes)


def _tell(rows: "Mapping[str, Row]", out: Path, write_docs: Path | None) -> None:
    """Print and write the table of all finished runs.

    Raises:
        DataError: none is finished.
    """
    from mlanet.experiments.rows import chosen_runs
    from mlanet.experiments.running import finished
    from mlanet.experiments.table import make_table, write_block, write_report

    every = [finished(run, out / run.name, with_aflw2000=False) for run in chosen_runs(rows)]
    results = [result for result in every if result is not None]
    if not results:
        raise DataError(f"{out}: holds no result of a row")
    table = make_table(rows, results)
    print(table.markdown(), end="")
    paths = write_report(table, out)
    if write_docs is not None:
        write_block(write_docs, table.markdown())
        paths.append(write_docs)
    print(f"{', '.join(str(path) for path in paths)} written")


def print_runs(
    done: "Sequence[tuple[Run, RunResult | None]]", out: Path, data: Path, device: str
) -> None:
    """Print each run with its network, samples, measured speed and state, and the sum."""
    from mlanet.experiments.rows import MIN_SAMPLES
    from mlanet.training.loop import CHECKPOINT
    from mlanet.training.plan import TrainingPlan, make_plan

    plans: dict[str, TrainingPlan] = {}
    seconds = 0.0
    for run, result in done:
        if run.row not in plans:
            plans[run.row] = make_plan(run.config, data=data, device=device)
        plan = plans[run.row]
        begun = (out / run.name / CHECKPOINT).exists()
        state = "finished" if result is not None else "begun" if begun else "new"
        seconds += 0.0 if state == "finished" else plan.seconds
        crops = run.config.steps * run.config.batch_size
        labelled = run.config.steps * run.config.num_labelled
        print(
            f"{run.name:<26}{plan.parameters:>11,} parameters{labelled:>9,} labelled crops"
            f"{crops / plan.seconds:>6.0f} images/s{plan.seconds / 60.0:>7.1f} min  {state}"
        )
    few = min(run.config.steps * run.config.num_labelled for run, _ in done)
    if few < MIN_SAMPLES:
        print(f"fewer than {MIN_SAMPLES:,} labelled crops a row: {few:,}")
    print(f"at most {seconds / 3600.0:.1f} h without measuring")
