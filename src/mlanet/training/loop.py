"""The training loop, to be read from top to bottom."""

import copy
import json
import math
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mlanet import __version__
from mlanet.errors import ConfigurationError
from mlanet.image import atomic_path
from mlanet.morphable import MorphableModel
from mlanet.network import PRESETS, MLANet, load_backbone_weights
from mlanet.training.checkpoint import load_checkpoint, save_checkpoint
from mlanet.training.config import TrainingConfig
from mlanet.training.data import Batch, LabelledFaces
from mlanet.training.objective import Objective

CHECKPOINT = "checkpoint.safetensors"


def train(
    config: TrainingConfig,
    *,
    data: Path,
    out: Path,
    backbone: Path | None = None,
    device: str = "cpu",
    checkpoint_seconds: float = 180.0,
    log_every: int = 20,
    validate_every: int = 250,
) -> dict[str, float]:
    """Train or, if `out` holds a checkpoint, go on: same step, same order of the data.

    Args:
        config: everything that decides the result.
        data: folder with labelled faces (`mlanet.training.data.FOLDERS`).
        out: the run's folder: `config.json`, `metrics.jsonl`, TensorBoard scalars, checkpoint.
        backbone: ImageNet weights of the backbone (`.pth`), for a run that starts.
        device: torch's name of the device.
        checkpoint_seconds: longest time between checkpoints.
        log_every: steps between log lines.
        validate_every: steps between validations of the averaged weights.

    Returns:
        The last validation: errors on the held-out faces.

    Raises:
        ConfigurationError: the configuration is contradictory or not that of the run in `out`.
        DataError: the data is missing or malformed.
    """
    from torch.utils.tensorboard import SummaryWriter

    if config.preset not in PRESETS:
        raise ConfigurationError(f"preset: {config.preset!r} is none of {', '.join(PRESETS)}")
    torch.manual_seed(config.seed)
    network_config = PRESETS[config.preset]
    network = MLANet(network_config)
    if backbone is not None:
        load_backbone_weights(network, backbone)
    network = network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).requires_grad_(False).eval()
    objective = Objective(MorphableModel.load(), network_config.layout, config).to(device)
    optimizer = build_optimizer(network, config)
    faces = LabelledFaces(data, config.held_out)

    out.mkdir(parents=True, exist_ok=True)
    start = prepare_folder(out, config)
    if (out / CHECKPOINT).exists():
        start = load_checkpoint(
            out / CHECKPOINT, network=network, average=average, optimizer=optimizer
        )
    described = {"network": network_config.as_dict(), "training": json.loads(config.to_json())}

    def checkpoint(step: int) -> None:
        save_checkpoint(
            out / CHECKPOINT,
            network=network,
            average=average,
            optimizer=optimizer,
            step=step,
            config=described,
        )

    validation: dict[str, float] = {}
    last_saved = last_logged = time.monotonic()
    with (out / "metrics.jsonl").open("a", encoding="utf-8") as log, SummaryWriter(out) as board:

        def record(step: int, values: dict[str, Any]) -> None:
            log.write(json.dumps({"step": step, **values}) + "\n")
            log.flush()
            for name, value in values.items():
                board.add_scalar(name, value, step)

        for step, batch in batches(faces, config, start):
            network.train()
            rate = learning_rate(config, step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            images, labels = to_device(batch, device)
            loss, terms = objective(network(images), images, *labels)
            if not math.isfinite(float(loss.detach())):
                raise ConfigurationError(f"the loss became {float(loss)} at step {step}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
            optimizer.step()
            update_average(average, network, config.ema_decay, step)
            done = step + 1

            if done % log_every == 0:
                seconds, last_logged = time.monotonic() - last_logged, time.monotonic()
                speed = log_every * config.batch_size / seconds
                values = {"loss": float(loss.detach()), "rate": rate, "images_per_s": speed}
                record(done, values | terms)
            if done % validate_every == 0 or done == config.steps:
                validation = validate(average, objective, faces, network_config.input_size, device)
                record(done, validation)
            if time.monotonic() - last_saved > checkpoint_seconds or done == config.steps:
                checkpoint(done)
                last_saved = time.monotonic()
    return validation


def prepare_folder(out: Path, config: TrainingConfig) -> int:
    """Write the run's configuration, or check it against what is there; returns step 0."""
    path = out / "config.json"
    if path.exists() and json.loads(path.read_text())["training"] != json.loads(config.to_json()):
        raise ConfigurationError(f"{path}: the folder holds a run of another configuration")
    if not path.exists():
        described = {
            "training": json.loads(config.to_json()),
            "mlanet": __version__,
            "commit": code_version(),
            "torch": torch.__version__,
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return 0


def code_version() -> str | None:
    """The commit of the checkout that the package is imported from, if it is one."""
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def build_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW; biases and norms do not decay."""
    parameters = list(network.parameters())
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
    )


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to a thousandth."""
    warmup = max(1, int(config.warmup * config.steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    return config.learning_rate * (0.001 + 0.999 * 0.5 * (1.0 + math.cos(math.pi * progress)))


def batches(
    faces: LabelledFaces, config: TrainingConfig, start: int
) -> Iterator[tuple[int, Batch]]:
    """Batches from a step on; the next one is made while the network works."""

    def make(step: int) -> Batch:
        return faces.training_batch(step, config.input_size_at(step), config)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make, start)
        for step in range(start, config.steps):
            batch = coming.result()
            if step + 1 < config.steps:
                coming = pool.submit(make, step + 1)
            yield step, batch


def to_device(batch: Batch, device: str) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Pictures as (b, 3, s, s) floats in [0, 1], and the labels."""
    images = torch.from_numpy(batch.images).to(device).permute(0, 3, 1, 2).float() / 255.0
    labels = (batch.landmarks_px, batch.size_px, batch.weight, batch.has_depth)
    images = images.contiguous(memory_format=torch.channels_last)
    return images, tuple(torch.from_numpy(label).to(device) for label in labels)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of weights and batch statistics, quicker at the start."""
    decay = min(decay, (1.0 + step) / (10.0 + step))
    for mine, theirs in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mine.dtype.is_floating_point:
            mine.lerp_(theirs, 1.0 - decay)
        else:
            mine.copy_(theirs)


@torch.no_grad()
def validate(
    network: nn.Module, objective: Objective, faces: LabelledFaces, size: int, device: str
) -> dict[str, float]:
    """Errors of `network` on the held-out faces against their labels.

    `held_out_nme` is the 2D landmark distance in per cent of the labels' box, x and y only.
    """
    errors: list[Tensor] = []
    for start in range(0, len(faces.held_out), 64):
        batch = faces.held_out_batch(start, 64, size)
        images, (landmarks, size_px, _, _) = to_device(batch, device)
        coefficients = objective.layout.split(network(images))
        predicted = objective.landmarks_px(coefficients, size)
        distance = (predicted - landmarks)[..., :2].norm(dim=-1).mean(dim=1)
        errors.append(100.0 * distance / size_px)
    found = torch.cat(errors)
    return {"held_out_nme": float(found.mean()), "held_out_nme_median": float(found.median())}
