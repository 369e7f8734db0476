"""What a run will do and how long it will take, before it is started."""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mlanet.network import NetworkConfig
from mlanet.training.config import Stage, TrainingConfig
from mlanet.training.data import MEMORY_GB, LabelledFaces
from mlanet.training.learner import Learner
from mlanet.training.loop import CHECKPOINT, batches, check_folder

TIMED_STEPS = 2


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage of a run: its crops' side in pixels, its steps, the measured time of a step."""

    input_size: int
    steps: int
    seconds_per_step: float


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A run that has not begun.

    Attributes:
        config: what decides its result.
        network: that is trained.
        face_model: name of the face model whose coefficients it regresses.
        parameters: of the network.
        training_samples: faces to train with.
        held_out_samples: faces kept for validation.
        unlabelled_samples: faces whose labels are not used, 0 without such a part.
        sources: name, number of faces and share of the labelled part, of each source.
        stages: with measured times.
        memory_mb: peak of the process (Linux, macOS) or of the GPU's memory; None if not known.
        done: steps that the run has behind it; `stages` has the others.
    """

    config: TrainingConfig
    network: NetworkConfig
    face_model: str
    parameters: int
    training_samples: int
    held_out_samples: int
    unlabelled_samples: int
    sources: tuple[tuple[str, int, float], ...]
    stages: tuple[StagePlan, ...]
    memory_mb: float | None
    done: int = 0

    @property
    def epochs(self) -> float:
        """How often a labelled training sample is seen, on average."""
        return self.config.steps * self.config.num_labelled / self.training_samples

    @property
    def seconds(self) -> float:
        """Estimated duration without validation."""
        return sum(stage.steps * stage.seconds_per_step for stage in self.stages)


def make_plan(
    config: TrainingConfig,
    *,
    data: Path,
    out: Path | None = None,
    backbone: Path | None = None,
    init: Path | None = None,
    device: str = "cpu",
    workers: int = 1,
    memory_gb: float = MEMORY_GB,
) -> TrainingPlan:
    """Count, and time `TIMED_STEPS` steps of each stage on the real data; writes nothing.

    The arguments are `mlanet.training.loop.train`'s, and refused where that refuses them; of a run
    that is there already what is left is planned.

    Raises:
        AssetError: `backbone`, `init` or the checkpoint in `out` is of another network or damaged.
        ConfigurationError: the configuration is contradictory or not that of the run in `out`.
        DataError: the data is missing or malformed.
    """
    resuming = out is not None and (out / CHECKPOINT).exists()
    start = {} if resuming else {"backbone": backbone, "init": init}
    learner = Learner.start(config, device=device, **start)
    faces = LabelledFaces.of(config, data, device=learner.device, memory_gb=memory_gb)
    done = 0
    if out is not None:
        model = learner.objective.model_name
        check_folder(out, config, data=faces.fingerprints, face_model=model)
        done = learner.load(out / CHECKPOINT) if resuming else 0
    sizes = [config.input_size_at(step) for step in range(done, config.steps)]
    times = {
        size: _seconds_per_step(learner, faces, size, workers) for size in dict.fromkeys(sizes)
    }
    return TrainingPlan(
        config=config,
        network=learner.network.config,
        face_model=learner.objective.model_name,
        parameters=sum(parameter.numel() for parameter in learner.network.parameters()),
        training_samples=len(faces.training),
        held_out_samples=len(faces.held_out),
        unlabelled_samples=sum(len(pool.members) for pool in faces.unlabelled)
        * (config.num_unlabelled > 0),
        sources=tuple(faces.description),
        stages=tuple(StagePlan(size, sizes.count(size), times[size]) for size in times),
        memory_mb=peak_memory_mb(learner.device),
        done=done,
    )


def peak_memory_mb(device: str) -> float | None:
    """Largest memory so far: of the GPU, else of this process, if the system says it."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _seconds_per_step(
    learner: Learner, faces: LabelledFaces, input_size: int, workers: int
) -> float:
    """Seconds of a step beside the making of the next batch; the first step is not timed."""
    steps = 1 + TIMED_STEPS + 1
    config = replace(learner.config, steps=steps, stages=(Stage(1.0, input_size),))
    learner = replace(learner, config=replace(learner.config, unlabelled_warmup=0.0))
    began = 0.0
    for step, batch in batches(faces, config, 0, workers=workers):
        if step == 1:
            began = time.perf_counter()
        if step == 1 + TIMED_STEPS:
            break
        learner.step(step, batch)
    return (time.perf_counter() - began) / TIMED_STEPS
