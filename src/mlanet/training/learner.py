"""What a run trains: network, its average, objective and optimiser, and one step of them."""

import copy
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.optim import AdamW

from mlanet.errors import ConfigurationError
from mlanet.network import Answers, MLANet, load_backbone_weights
from mlanet.network.confidence import Confidence
from mlanet.training.checkpoint import load_checkpoint, load_trained, save_checkpoint
from mlanet.training.config import TrainingConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.models import network_for, open_face_model
from mlanet.training.objective import Objective
from mlanet.training.processes import Processes
from mlanet.training.rendered import RenderedObjective
from mlanet.training.samples import Samples

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
        objective: of labelled samples.
        rendered: of unlabelled ones.
        optimizer: AdamW.
        config: of the run.
        processes: which of how many this one is, and its device.
        parallel: the network, its gradients averaged over the processes.
        scaler: keeps small gradients of half precision from vanishing.
    """

    network: MLANet
    average: MLANet
    objective: Objective
    rendered: RenderedObjective
    optimizer: AdamW
    config: TrainingConfig
    processes: Processes
    parallel: nn.Module
    scaler: torch.amp.GradScaler

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
            AssetError: `backbone` is no file of this backbone's weights, `init` no checkpoint, or
                the face model cannot be read.
            ConfigurationError: there is no such preset or device, `init` regresses the coefficients
                of another face model, the face model lacks what is asked for, or the batch cannot
                be shared out.
        """
        model = open_face_model(config)
        network_config = network_for(config, model)
        processes = Processes.join(device)
        processes.check(config)
        torch.manual_seed(config.seed)
        # Crops keep their size for a stage: a GPU's fastest algorithms are looked for once.
        torch.backends.cudnn.benchmark = True
        network = MLANet(network_config)
        if backbone is not None:
            load_backbone_weights(network, backbone)
        if init is not None:
            trained = load_trained(init)
            theirs = replace(trained.network.config, uncertainty=network_config.uncertainty)
            if theirs != network_config:
                raise ConfigurationError(f"init: {init} holds another network than this run's")
            if trained.face_model not in {None, model.name}:
                theirs = f"regresses coefficients of {trained.face_model}"
                raise ConfigurationError(f"init: {init} {theirs}, this run those of {model.name}")
            given = trained.network.state_dict()  # perhaps without the head of the uncertainty
            state = network.state_dict()
            network.load_state_dict({name: given.get(name, state[name]) for name in state})
        if config.trained == "uncertainty":
            network.requires_grad_(False)
            assert network.uncertainty is not None  # a configuration sees to it
            network.uncertainty.requires_grad_(True)
        for layer in network.backbone.first_stages(config.frozen_stages):
            layer.requires_grad_(False)
        network = network.to(processes.device).to(memory_format=torch.channels_last)
        objective = Objective(model, network_config.layout, config)
        return cls(
            network=network,
            average=copy.deepcopy(network).requires_grad_(False).eval(),
            objective=objective.to(processes.device),
            rendered=RenderedObjective(objective.face, config).to(processes.device),
            optimizer=build_optimizer(network, config),
            config=config,
            processes=processes,
            parallel=processes.wrap(network),
            scaler=torch.amp.GradScaler(
                torch.device(processes.device).type, enabled=config.precision == "fp16"
            ),
        )

    @property
    def device(self) -> str:
        """Torch's name of the device that all of it lies on."""
        return self.processes.device

    def step(self, step: int, batch: Samples) -> StepLog:
        """Change the network by one optimiser step and draw its average after it.

        With several processes each gives its own share of the step's batch.

        Raises:
            ConfigurationError: the loss is no number any more.
        """
        self.parallel.train(self.config.trained == "all")
        if self.config.frozen_norms:
            freeze_norms(self.parallel)
        for layer in self.network.backbone.first_stages(self.config.frozen_stages):
            layer.eval()
        rate = learning_rate(self.config, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        parts = cut_batch(batch, self.config.accumulation)
        reports: list[dict[str, float]] = []
        for part in parts:
            with self.processes.no_sync(self.parallel, part is not parts[-1]):
                loss, terms = self.loss(step, part)
                self.scaler.scale(loss / len(parts)).backward()
            reports.append({"loss": float(loss.detach()), **terms})
        means = {name: sum(r[name] for r in reports) / len(parts) for name in reports[0]}
        means = self.processes.mean(means)
        value = means.pop("loss")
        if not math.isfinite(value):
            raise lost(value, step)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        update_average(self.average, self.network, self.config.ema_decay, step)
        return StepLog(value, rate, means)

    def loss(self, step: int, batch: Samples) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch in a step, and its terms before weighting.

        It is the mean over the labelled samples plus the mean over the unlabelled ones.

        Raises:
            ConfigurationError: the network's answers are no numbers any more.
        """
        config, labelled = self.config, batch.num_labelled
        batch = batch.to(self.device)
        images = batch.pixels()
        with_flip = config.unlabelled_weights.flip > 0.0
        mirrored = images[(0 if config.labelled_rendered > 0.0 else labelled) :].flip(-1)
        shown = torch.cat([images, mirrored]) if with_flip and len(mirrored) else images
        vector, variances = self.predict(shown.contiguous(memory_format=torch.channels_last))
        if not bool(torch.isfinite(vector).all()):
            raise lost(float("nan"), step)
        vector, flipped = vector[: len(images)], vector[len(images) :]
        mine = slice(labelled)
        total, terms = self.objective(
            vector[mine],
            images[mine],
            batch.take(mine),
            None if variances is None else variances[mine],
        )
        factor = config.unlabelled_factor_at(step)
        for prefix, rows, weight in (
            ("rendered_", slice(0, labelled), factor * config.labelled_rendered),
            ("unlabelled_", slice(labelled, len(images)), factor),
        ):
            if weight > 0.0 and len(images[rows]):
                back = None
                if with_flip:
                    first = len(images) - len(flipped)
                    back = flipped[slice(rows.start - first, rows.stop - first)]
                extra, found = self.rendered(vector[rows], images[rows], back)
                total = total + weight * extra
                terms |= {prefix + name: value for name, value in found.items()}
        return total, terms

    def predict(self, images: Float[Tensor, "b 3 s s"]) -> Answers:
        """The network's answers in single precision."""
        kind = torch.bfloat16 if self.config.precision == "bf16" else torch.float16
        device = torch.device(self.device).type
        with torch.autocast(device, dtype=kind, enabled=self.config.precision != "no"):
            vector, variances = self.parallel(images)
            return Answers(vector.float(), None if variances is None else variances.float())

    @torch.no_grad()
    def validate(self, faces: LabelledFaces, size: int) -> dict[str, float]:
        """Errors of the averaged weights on crops of `size` pixels of the held-out faces.

        `held_out_nme` is the 2D landmark distance in per cent of the labels' box, x and y only.
        Depth and shift depend on the crop's size in pixels: weights are to be measured at the
        size that they were last trained with.
        """
        errors: list[Tensor] = []
        for batch in faces.held_out_batches(size, VALIDATION_BATCH):
            here = batch.to(self.device)
            coefficients = self.objective.face.layout.split(
                self.average(here.pixels()).coefficients
            )
            predicted = self.objective.face.landmarks_px(coefficients, size)
            distance = (predicted - here.landmarks_px)[..., :2].norm(dim=-1).mean(dim=1)
            errors.append(100.0 * distance / here.size_px)
        found = torch.cat(errors)
        return {
            "held_out_nme": float(found.mean()),
            "held_out_nme_median": float(found.median()),
        }

    def described(self) -> dict[str, Any]:
        """Both configurations as plain values, for the checkpoint."""
        return {"network": self.network.config.as_dict(), "training": asdict(self.config)}

    def save(self, path: Path, step: int, confidence: Confidence | None = None) -> None:
        """Write a checkpoint of the state before `step`, with the confidence of a run's end."""
        save_checkpoint(
            path,
            network=self.network,
            average=self.average,
            optimizer=self.optimizer,
            step=step,
            config=self.described(),
            face_model=self.objective.model_name,
            scaler=self.scaler.state_dict(),
            confidence=confidence,
        )

    def load(self, path: Path) -> int:
        """Take a checkpoint's state over and return the step to go on with.

        Raises:
            AssetError: the file is no checkpoint of such a run.
        """
        return load_checkpoint(
            path,
            network=self.network,
            average=self.average,
            optimizer=self.optimizer,
            scaler=self.scaler,
        )


def build_optimizer(network: nn.Module, config: TrainingConfig) -> AdamW:
    """AdamW of what is trained; biases and norms do not decay."""
    parameters = [each for each in network.parameters() if each.requires_grad]
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


def cut_batch(batch: Samples, parts: int) -> list[Samples]:
    """Equal parts of a batch, each with its share of labelled and of unlabelled samples."""
    labelled, count = batch.num_labelled, len(batch)
    kinds = (
        torch.arange(labelled).tensor_split(parts),
        torch.arange(labelled, count).tensor_split(parts),
    )
    return [batch.take(torch.cat(both)) for both in zip(*kinds, strict=True)]


def freeze_norms(network: nn.Module) -> None:
    """Let batch norms use their running statistics and keep them."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def lost(value: float, step: int) -> ConfigurationError:
    """The error of a run that has diverged."""
    return ConfigurationError(
        f"learning_rate: the loss became {value} at step {step}; try a lower rate"
    )


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
