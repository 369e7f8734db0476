"""What the verbs that train share."""

import os
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlanet.cli.common import positive, require_extra

if TYPE_CHECKING:
    from mlanet.training.loop import ProgressCallback

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


@dataclass(frozen=True, slots=True)
class Machine:
    """What computes."""

    threads: int = 1
    """CPU threads of the network."""

    device: str = "cpu"
    """Torch's name of the device."""

    def start_torch(self) -> None:
        """Import torch with this number of threads.

        Raises:
            UsageError: the number is not positive.
        """
        positive(threads=self.threads)
        os.environ.setdefault(SPIN, SPIN_COUNT)
        import torch

        torch.set_num_threads(min(self.threads, os.cpu_count() or 1))


def require_training_extra() -> None:
    """Say in one line what to install where the `train` extra is missing.

    Raises:
        UsageError: a package of the extra is not installed.
    """
    require_extra("training", *NEEDED)


@contextmanager
def training_bar(batch_size: int) -> "Generator[ProgressCallback | None, None, None]":
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
