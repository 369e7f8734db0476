"""What a run trains: network, its average, objective and optimiser, and one step of them."""

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from mlanet.errors import ConfigurationError
from mlanet.morphable import MorphableModel
from mlanet.network import MLANet, load_backbone_weights
from mlanet.training.checkpoint import load_checkpoint, load_trained, save_checkpoint
from mlanet.training.config import TrainingConfig
from mlanet.training.data import Batch, LabelledFaces
from mlanet.training.objective import Objective

VALIDATION_BATCH = 64


@dataclass(frozen=True, slots=True)
class StepLog:
    """What a step reports: loss, learning rate and the loss's terms before weighting."""

    loss: float
    rate: float
    terms: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """Everything that changes during a run.

    Attributes:
        network: is trained.
        average: moving average of its weights, which is evaluated and exported.
        objective: holds the face model.
        optimizer: AdamW.
        config: of the run.
        device: torch's name of the device that all of it lies on.
    """

    network: MLANet
    average: MLANet
    objective: Objective
    optimizer: AdamW
    config: TrainingConfig
    device: str

    @classmethod
    def start(
        cls,
        config: TrainingConfig,
        *,
        backbone: Path | None = None,
        init: Path | None = None,
        device: str = "cpu",
    ) -> "Learner":
        """A learner at step 0: random weights, a classifier's backbone or a run's average.

        Raises:
            AssetError: `backbone` is no file of this backbone's weights, or `init` no checkpoint.
            ConfigurationError: there is no such preset or device, or the preset regresses the
                coefficients of another face model.
        """
        network_config = config.network()
        try:
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ConfigurationError(f"device: {device!r} cannot be used here") from error
        torch.manual_seed(config.seed)
        network = MLANet(network_config)
        if backbone is not None:
            load_backbone_weights(network, backbone)
        if init is not None:
            trained = load_trained(init).network
            if trained.config != network_config:
                raise ConfigurationError(f"init: {init} holds another network than this run's")
            network.load_state_dict(trained.state_dict())
        network = network.to(device).to(memory_format=torch.channels_last)
        return cls(
            network=network,
            average=copy.deepcopy(network).requires_grad_(False).eval(),
            objective=Objective(MorphableModel.load(), network_config.layout, config).to(device),
            optimizer=build_optimizer(network, config),
            config=config,
            device=device,
        )

    def step(self, step: int, batch: Batch) -> StepLog:
        """Change the network by one optimiser step and draw its average after it.

        Raises:
            ConfigurationError: the loss is no number any more.
        """
        self.network.train()
        rate = learning_rate(self.config, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images, labels = to_device(batch, self.device)
        loss, terms = self.objective(self.network(images), images, *labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ConfigurationError(
                f"learning_rate: the loss became {value} at step {step}; try a lower rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        update_average(self.average, self.network, self.config.ema_decay, step)
        return StepLog(value, rate, terms)

    @torch.no_grad()
    def validate(self, faces: LabelledFaces, size: int) -> dict[str, float]:
        """Errors of the averaged weights on crops of `size` pixels of the held-out faces.

        `held_out_nme` is the 2D landmark distance in per cent of the labels' box, x and y only.
        Depth and shift depend on the crop's size in pixels: weights are to be measured at the
        size that they were last trained with.
        """
        errors: list[Tensor] = []
        for start in range(0, len(faces.held_out), VALIDATION_BATCH):
            batch = faces.held_out_batch(start, VALIDATION_BATCH, size)
            images, (landmarks, size_px, _, _) = to_device(batch, self.device)
            coefficients = self.objective.layout.split(self.average(images))
            predicted = self.objective.landmarks_px(coefficients, size)
            distance = (predicted - landmarks)[..., :2].norm(dim=-1).mean(dim=1)
            errors.append(100.0 * distance / size_px)
        found = torch.cat(errors)
        return {
            "held_out_nme": float(found.mean()),
            "held_out_nme_median": float(found.median()),
        }

    def described(self) -> dict[str, Any]:
        """Both configurations as plain values, for the checkpoint."""
        return {"network": self.network.config.as_dict(), "training": asdict(self.config)}

    def save(self, path: Path, step: int) -> None:
        """Write a checkpoint of the state before `step`."""
        save_checkpoint(
            path,
            network=self.network,
            average=self.average,
            optimizer=self.optimizer,
            step=step,
            config=self.described(),
        )

    def load(self, path: Path) -> int:
        """Take a checkpoint's state over and return the step to go on with.

        Raises:
            AssetError: the file is no checkpoint of such a run.
        """
        return load_checkpoint(
            path, network=self.network, average=self.average, optimizer=self.optimizer
        )


def build_optimizer(network: nn.Module, config: TrainingConfig) -> AdamW:
    """AdamW; biases and norms do not decay."""
    parameters = list(network.parameters())
    return AdamW(
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
