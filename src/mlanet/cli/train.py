"""`mlanet train`: train a network on labelled faces, or go on with a run."""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlanet.errors import UsageError
from mlanet.extras import install_command

if TYPE_CHECKING:
    from mlanet.training import TrainingConfig
    from mlanet.training.loop import ProgressCallback
    from mlanet.training.plan import TrainingPlan

NEEDED = (
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "safetensors",
    "tensorboard",
    "onnx",
    "onnxscript",
)
SPEED_WINDOW_STEPS = 20

SPIN, SPIN_COUNT = "GOMP_SPINCOUNT", "3000"
"""How long torch's threads wait busily after their work: microseconds, not milliseconds in which
they keep the renderer's threads off the cores. Read when torch is imported; a value that the user
has set stays."""


def train(
    *,
    data: Path,
    out: Path,
    config: Path | None = None,
    preset: str | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    model: Path | None = None,
    backbone: Path | None = None,
    init: Path | None = None,
    threads: int = 1,
    workers: int = 1,
    device: str = "cpu",
    memory_gb: float = 4.0,
    validate_every: int = 250,
    dry_run: bool = False,
) -> int:
    """Train the network on labelled faces; needs the `train` extra.

    A run that OUT holds already is resumed under its own configuration. Options that
    are not given keep the values of the configuration.

    Args:
        data: Folder that holds aflw_train and, if you have it, ytf68 (see docs/how-to/train.md).
        out: Folder of the run: config.json, metrics.jsonl, TensorBoard's file, checkpoint.
        config: JSON file of the configuration, for instance another run's config.json.
        preset: Name of the network's configuration.
        steps: Optimiser steps.
        batch_size: Crops in a step.
        learning_rate: Peak of the schedule.
        seed: Of the data's order, its random changes and the initial weights.
        model: Face model of your own whose coefficients are learnt (mlanet models convert).
        backbone: ImageNet weights of the backbone (.pth; assets/backbone.py fetches them).
        init: Checkpoint (.safetensors) of another run to start from, to fine-tune it.
        threads: CPU threads of the network.
        workers: CPU threads that make the next batches.
        device: Torch's name of the device.
        memory_gb: Memory of the device for faces that have been read; those that find no room are
            read again each time.
        validate_every: Steps between two measurements on the held-out faces.
        dry_run: Print what the run would do and how long it would take; write nothing.

    Returns:
        Exit status.
    """
    require_training_extra()
    counts = {"threads": threads, "workers": workers, "validate-every": validate_every}
    for name, value in counts.items():
        if value < 1:
            raise UsageError(f"--{name} must be positive, got {value}")
    if not 0.0 <= memory_gb < math.inf:
        raise UsageError(f"--memory-gb must not be negative, got {memory_gb:g}")
    os.environ.setdefault(SPIN, SPIN_COUNT)
    import torch

    from mlanet.training.loop import CHECKPOINT
    from mlanet.training.loop import train as run
    from mlanet.training.plan import make_plan

    torch.set_num_threads(min(threads, os.cpu_count() or 1))
    changes = {
        "preset": preset,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "face_model": None if model is None else str(model),
    }
    resolved = resolve(out, config, changes)
    if resolved.unlabelled_sources and not resolved.num_unlabelled:
        print("unlabelled_sources are not used: unlabelled is 0", file=sys.stderr)
    files = {"data": data, "out": out, "backbone": backbone, "init": init}
    given: dict[str, Any] = files | {"device": device, "workers": workers, "memory_gb": memory_gb}
    if dry_run:
        print_plan(make_plan(resolved, **given), device, threads)
        return 0
    if (out / CHECKPOINT).exists():
        print(f"resuming the run in {out}", file=sys.stderr)
    elif backbone is None and init is None:
        print("no --backbone: the backbone starts from random weights", file=sys.stderr)
    with progress_bar(resolved.batch_size) as progress:
        found = run(resolved, progress=progress, validate_every=validate_every, **given)
    if not found:  # another process of this run prints
        return 0
    print(
        "held-out faces, 68 landmarks in 2D over the labels' box: "
        f"mean {found['held_out_nme']:.3f} %, median {found['held_out_nme_median']:.3f} %"
    )
    print(f"{out / CHECKPOINT} written")
    return 0


def require_training_extra() -> None:
    """Say in one line what to install where the `train` extra is missing.

    Raises:
        UsageError: a package of the extra is not installed.
    """
    if any(find_spec(name) is None for name in NEEDED):
        raise UsageError(f"training needs: {install_command('train')}")


def resolve(out: Path, config: Path | None, changes: dict[str, Any]) -> "TrainingConfig":
    """The run's configuration: a file's, else that of the run in `out`, else the default.

    Args:
        out: folder of the run.
        config: JSON file or None.
        changes: values of single fields; None leaves a field as it is.

    Raises:
        ConfigurationError: the file is malformed or a value contradicts another.
    """
    from mlanet.training import TrainingConfig
    from mlanet.training.loop import CONFIG

    if config is None and (out / CONFIG).exists():
        config = out / CONFIG
    given = {name: value for name, value in changes.items() if value is not None}
    return TrainingConfig(**given) if config is None else TrainingConfig.read(config, given)


def print_plan(plan: "TrainingPlan", device: str, threads: int) -> None:
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
    duration = f"about {minutes // 60} h {minutes % 60:02d} min"
    rows.append(("duration", f"{duration} without validation, on {device}, {threads} thread(s)"))
    if plan.memory_mb is not None:
        rows.append(("memory", f"peak {plan.memory_mb:,.0f} MB"))
    for name, text in rows:
        print(f"{name:<11}{text}")


@contextmanager
def progress_bar(batch_size: int) -> "Generator[ProgressCallback | None, None, None]":
    """A bar on stderr with step, loss and images/s; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TextColumn("{task.fields[speed]:.0f} images/s"),
        Remaining(),
    )
    steps: deque[tuple[float, int]] = deque(maxlen=SPEED_WINDOW_STEPS + 1)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=None, visible=False, loss=0.0, speed=0.0)

        def report(done: int, total: int, loss: float) -> None:
            now = time.monotonic()
            steps.append((now, done))
            since, first = steps[0]
            speed = (done - first) * batch_size / max(now - since, 1e-9)
            bar.update(task, total=total, completed=done, visible=True, loss=loss, speed=speed)

        yield report
