"""`mlanet ablate`: train and measure the rows of the paper's ablation."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mlanet.cli.status import EXIT_OK
from mlanet.errors import DataError, UsageError
from mlanet.extras import install_command

if TYPE_CHECKING:
    from mlanet.experiments import Run


def ablate(
    *,
    out: Path,
    data: Path | None = None,
    config: Path | None = None,
    rows: tuple[str, ...] = (),
    aflw2000: Path | None = None,
    backbone: Path | None = None,
    write_docs: Path | None = None,
    threads: int = 1,
    device: str = "cpu",
    dry_run: bool = False,
    table: bool = False,
) -> int:
    """Train and measure networks that differ in attention, fusion and supervision.

    Each run has a folder of its own in OUT. A finished run is not done again and an
    interrupted one goes on, so the same command carries on where it was stopped. At the
    end table.md, table.json and differences.png tell of all finished rows.

    Args:
        out: Folder of the ablation.
        data: Folder that holds aflw_train and, if you have it, ytf68 (see docs/how-to/train.md).
        config: JSON file with what the rows have in common (as for mlanet train); a
            reduced scale for CPUs without it (see docs/how-to/ablate.md).
        rows: Rows to train; all without it.
        aflw2000: Folder with AFLW2000-3D and annotations.npz, to measure on as well.
        backbone: ImageNet weights of the backbone (.pth) that every row starts from.
        write_docs: Page whose marked block receives the table.
        threads: CPU threads.
        device: Torch's name of the device.
        dry_run: Print the runs, their state and how long they would take; write nothing.
        table: Train nothing: make the table of the result.json files in OUT's folders alone. Needs
            no data and no checkpoints.

    Returns:
        Exit status.
    """
    from mlanet.cli.train import SPIN, SPIN_COUNT, progress_bar, require_training_extra

    require_training_extra()
    if find_spec("matplotlib") is None:
        raise UsageError(f"the plot needs: {install_command('train')}")
    if threads < 1:
        raise UsageError(f"--threads must be positive, got {threads}")
    if data is None and not table:
        raise UsageError("--data is needed to train; --table makes the table of what is there")
    os.environ.setdefault(SPIN, SPIN_COUNT)
    import torch

    from mlanet.experiments import REDUCED, Origin, ablation_rows, chosen_runs, execute, finished
    from mlanet.experiments.report import write_block, write_report
    from mlanet.experiments.table import make_table
    from mlanet.training import TrainingConfig

    torch.set_num_threads(min(threads, os.cpu_count() or 1))
    base = REDUCED if config is None else TrainingConfig.read(config)
    table_rows = ablation_rows(base)
    if data is not None and not table:
        runs = chosen_runs(table_rows, rows)
        origin = Origin.of(base, data, backbone)
        wanted = aflw2000 is not None
        done = {
            run.name: finished(run, out / run.name, with_aflw2000=wanted, origin=origin)
            for run in runs
        }
        if dry_run:
            print_runs(runs, [run.name for run in runs if done[run.name]], out, data, device)
            return EXIT_OK
        for number, run in enumerate(runs, start=1):
            state = "is finished" if done[run.name] else "starts or goes on"
            print(f"{number}/{len(runs)} {run.name} {state}", file=sys.stderr)
            if done[run.name] is None:
                with progress_bar(run.config.batch_size) as progress:
                    execute(
                        run,
                        data=data,
                        folder=out / run.name,
                        aflw2000=aflw2000,
                        backbone=backbone,
                        device=device,
                        progress=progress,
                    )
    every = [finished(run, out / run.name, with_aflw2000=False) for run in chosen_runs(table_rows)]
    results = [result for result in every if result is not None]
    if not results:
        raise DataError(f"{out}: holds no result of a row")
    found = make_table(table_rows, results)
    print(found.markdown(), end="")
    paths = write_report(found, out)
    if write_docs is not None:
        write_block(write_docs, found.markdown())
        paths.append(write_docs)
    print(f"{', '.join(str(path) for path in paths)} written")
    return EXIT_OK


def print_runs(
    runs: "Sequence[Run]", finished: Sequence[str], out: Path, data: Path, device: str
) -> None:
    """Print each run with its network, samples, measured speed and state, and the sum."""
    from mlanet.experiments.rows import MIN_SAMPLES
    from mlanet.training.loop import CHECKPOINT
    from mlanet.training.plan import TrainingPlan, make_plan

    plans: dict[str, TrainingPlan] = {}
    seconds = 0.0
    for run in runs:
        if run.row not in plans:
            plans[run.row] = make_plan(run.config, data=data, device=device)
        plan = plans[run.row]
        begun = (out / run.name / CHECKPOINT).exists()
        state = "finished" if run.name in finished else "begun" if begun else "new"
        seconds += 0.0 if state == "finished" else plan.seconds
        crops = run.config.steps * run.config.batch_size
        labelled = run.config.steps * run.config.num_labelled
        print(
            f"{run.name:<26}{plan.parameters:>11,} parameters{labelled:>9,} labelled crops"
            f"{crops / plan.seconds:>6.0f} images/s{plan.seconds / 60.0:>7.1f} min  {state}"
        )
    few = min(run.config.steps * run.config.num_labelled for run in runs)
    if few < MIN_SAMPLES:
        print(f"fewer than {MIN_SAMPLES:,} labelled crops a row: {few:,}")
    print(f"at most {seconds / 3600.0:.1f} h without measuring")
