"""One run of the ablation: train or go on, measure, write the result."""

import json
from pathlib import Path
from statistics import median

from mlanet.errors import ConfigurationError
from mlanet.experiments.measure import NetworkPredictor, aflw2000_errors, held_out_errors
from mlanet.experiments.result import RESULT, RunResult
from mlanet.experiments.rows import Run
from mlanet.morphable import MorphableModel
from mlanet.training import TrainingConfig, train
from mlanet.training.checkpoint import load_trained
from mlanet.training.data import LabelledFaces
from mlanet.training.loop import CHECKPOINT, CONFIG, ProgressCallback, code_version

LOG_EVERY = 20


def finished(run: Run, folder: Path, *, with_aflw2000: bool) -> RunResult | None:
    """The run's result if its folder holds one with all that is asked for.

    Raises:
        ConfigurationError: the folder holds a run of another configuration.
        DataError: the result is malformed.
    """
    path = folder / CONFIG
    if path.exists() and TrainingConfig.read(path) != run.config:
        raise ConfigurationError(f"{path}: the folder holds a run of another configuration")
    if not (folder / RESULT).exists():
        return None
    result = RunResult.load(folder)
    return None if with_aflw2000 and result.aflw2000 is None else result


def execute(
    run: Run,
    *,
    data: Path,
    folder: Path,
    aflw2000: Path | None = None,
    backbone: Path | None = None,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> RunResult:
    """Bring a run to its end, from wherever it stands, and measure the averaged weights.

    Args:
        run: what to train.
        data: folder with labelled faces.
        folder: of the run.
        aflw2000: folder of AFLW2000-3D with `annotations.npz`, to measure on as well.
        backbone: ImageNet weights of the backbone, for a run that starts.
        device: torch's name of the device to train on.
        progress: is called after each step.

    Raises:
        AssetError: the checkpoint in `folder` is damaged.
        ConfigurationError: the configuration is contradictory or not that of the run in `folder`.
        DataError: data is missing or malformed.
    """
    config = run.config
    train(
        config,
        data=data,
        out=folder,
        backbone=backbone,
        device=device,
        log_every=min(LOG_EVERY, config.steps),
        validate_every=config.steps,
        progress=progress,
    )
    network = load_trained(folder / CHECKPOINT).network
    predictor = NetworkPredictor(network, MorphableModel.load())
    result = RunResult(
        row=run.row,
        seed=config.seed,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        labelled=config.steps * config.num_labelled,
        unlabelled=config.steps * config.num_unlabelled,
        images_per_s=training_speed(folder),
        commit=code_version(),
        held_out=held_out_errors(predictor, LabelledFaces.of(config, data)),
        aflw2000=None if aflw2000 is None else aflw2000_errors(predictor, aflw2000),
    )
    result.save(folder)
    return result


def training_speed(folder: Path) -> float:
    """Median of the crops a second that the run's log names; NaN without any."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    speeds = [float(line["images_per_s"]) for line in map(json.loads, lines) if "loss" in line]
    return median(speeds) if speeds else float("nan")
