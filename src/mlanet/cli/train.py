"""`mlanet train`: train a network on labelled faces, or go on with a run."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mlanet.cli.common import EXIT_OK, OutPath, SomePath, positive
from mlanet.cli.configuration import Named
from mlanet.cli.runs import Machine, require_training_extra, training_bar
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.training.config import TrainingConfig
    from mlanet.training.plan import TrainingPlan


@dataclass(frozen=True, slots=True)
class Start:
    """The weights that a run starts from."""

    backbone: SomePath = None
    """ImageNet weights of the backbone (.pth; assets/backbone.py fetches them)."""

    init: SomePath = None
    """Checkpoint (.safetensors) of another run to start from, to fine-tune it."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The loop around the steps."""

    workers: int = 1
    """CPU threads that make the next batches."""

    memory_gb: float = 4.0
    """Memory of the device for faces that have been read; those that find no room are read again
    each time."""

    validate_every: int = 250
    """Steps between two measurements on the held-out faces."""

    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print what the run would do and how long it would take; write nothing."""


def train(
    *,
    data: Path,
    out: OutPath,
    config: SomePath = None,
    configuration: "TrainingConfig",
    start: Annotated[Start, tyro.conf.OmitArgPrefixes] = Start(),
    machine: Annotated[Machine, tyro.conf.OmitArgPrefixes] = Machine(),
    loop: Annotated[Loop, tyro.conf.OmitArgPrefixes] = Loop(),
) -> int:
    """Train the network on labelled faces; needs the `train` extra.

    Every field of the configuration is an option. Those that are not given keep the values of
    --config, or of the run that OUT holds already and that is resumed, or else these defaults.

    Args:
        data: Folder that holds aflw_train and, if you have it, ytf68 (see docs/how-to/train.md).
        out: Folder of the run: config.json, metrics.jsonl, TensorBoard's file, checkpoint.
        config: JSON file of the configuration, for instance another run's config.json.
        configuration: What decides the run's result.
        start: Weights to start from.
        machine: What computes.
        loop: The loop around the steps.

    Returns:
        Exit status.
    """
    require_training_extra()
    positive(workers=loop.workers, validate_every=loop.validate_every)
    if not 0.0 <= loop.memory_gb < math.inf:
        raise UsageError(f"--memory-gb must not be negative, got {loop.memory_gb:g}")
    machine.start_torch()
    from mlanet.training.loop import CHECKPOINT
    from mlanet.training.loop import train as run
    from mlanet.training.plan import make_plan

    if configuration.unlabelled_sources and not configuration.num_unlabelled:
        print("unlabelled_sources are not used: unlabelled is 0", file=sys.stderr)
    files = {"data": data, "out": out, "backbone": start.backbone, "init": start.init}
    making = {"device": machine.device, "workers": loop.workers, "memory_gb": loop.memory_gb}
    given: dict[str, Any] = files | making
    if loop.dry_run:
        print_plan(make_plan(configuration, **given), machine)
        return EXIT_OK
    if (out / CHECKPOINT).exists():
        print(f"resuming the run in {out}", file=sys.stderr)
    elif start.backbone is None and start.init is None:
        print("no --backbone: the backbone starts from random weights", file=sys.stderr)
    with training_bar(configuration.batch_size) as progress:
        found = run(configuration, progress=progress, validate_every=loop.validate_every, **given)
    if not found:  # another process of this run prints
        return EXIT_OK
    print(
        "held-out faces, 68 landmarks in 2D over the labels' box: "
        f"mean {found['held_out_nme']:.3f} %, median {found['held_out_nme_median']:.3f} %"
    )
    print(f"{out / CHECKPOINT} written")
    return EXIT_OK


def configuration_of(named: Named) -> "TrainingConfig":
    """The configuration that options change: a file's, that of the run in `out`, or the default.

    Raises:
        ConfigurationError: the file is malformed.
    """
    from mlanet.training.config import CONFIG, TrainingConfig

    path = named.config
    if path is None and named.out is not None and (named.out / CONFIG).exists():
        path = named.out / CONFIG
    return TrainingConfig() if path is None else TrainingConfig.read(path, named.changes)


def print_plan(plan: "TrainingPlan", machine: Machine) -> None:
    """Print network, data, steps, stages and the estimated duration."""
    network = plan.network
    rows = [
        (
            "network",
            f"{plan.config.preset}: {network.backbone}, attention {network.attention}, "
            f"fusion {network.fusion}, {network.layout.size} coefficients",
        ),
        ("face model", plan.face_model),
        ("parameters", f"{plan.parameters:,}"),
        ("faces", f"{plan.training_samples:,} to train with, {plan.held_out_samples:,} held out"),
        (
            "steps",
            f"{plan.config.steps:,} of {plan.config.batch_size} crops: {plan.epochs:.1f} epochs",
        ),
    ]
    for name, count, share in plan.sources if len(plan.sources) > 1 else ():
        rows.append(("source", f"{name}: {count:,} faces, {share:.0%} of the labelled part"))
    if plan.config.num_unlabelled:
        text = f"{plan.config.num_unlabelled} of {plan.config.batch_size} crops, from "
        rows.append(("unlabelled", text + f"{plan.unlabelled_samples:,} faces"))
    if plan.done:
        rows.append(("done", f"{plan.done:,} steps; what is left:"))
    for number, stage in enumerate(plan.stages, start=1):
        speed = plan.config.batch_size / stage.seconds_per_step
        text = f"{stage.steps:,} steps at {stage.input_size} px, {speed:.0f} images/s"
        rows.append((f"stage {number}", text))
    minutes = round(plan.seconds / 60.0)
    duration = f"about {minutes // 60} h {minutes % 60:02d} min without validation"
    where = f"on {machine.device}, {machine.threads} thread(s)"
    rows.append(("duration", f"{duration}, {where}"))
    if plan.memory_mb is not None:
        rows.append(("memory", f"peak {plan.memory_mb:,.0f} MB"))
    for name, text in rows:
        print(f"{name:<11}{text}")
