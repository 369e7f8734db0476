"""One run of the ablation: train or go on, measure, write the result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from mlanet.errors import DataError
from mlanet.experiments.likeness import heads_errors, people_errors
from mlanet.experiments.measure import (
    RESULT,
    NetworkPredictor,
    RunResult,
    aflw2000_errors,
    held_out_errors,
)
from mlanet.experiments.rows import Run
from mlanet.files import json_value, parsing, read_text
from mlanet.training import TrainingConfig, train
from mlanet.training.checkpoint import load_trained
from mlanet.training.data import LabelledFaces
from mlanet.training.journal import METRICS
from mlanet.training.loop import (
    CHECKPOINT,
    ProgressCallback,
    check_folder,
    code_version,
    file_hashes,
)

LOG_EVERY = 20


@dataclass(frozen=True, slots=True)
class Origin:
    """What rows of an ablation have in common beside their configurations.

    Hashes of the starting weights (`file_hashes`), `LabelledFaces.fingerprints` of the faces, name
    of the face model whose coefficients are learnt.
    """

    start: Mapping[str, str]
    data: Mapping[str, str]
    face_model: str

    @classmethod
    def of(
        cls,
        config: TrainingConfig,
        data: Path,
        backbone: Path | None = None,
        init: Path | None = None,
    ) -> "Origin":
        """The origin of rows with the configuration's sources that are trained now.

        Raises:
            ConfigurationError: a file of starting weights cannot be read.
            DataError: data is missing or malformed.
        """
        faces = LabelledFaces.of(config, data)
        hashes = file_hashes({"backbone": backbone, "init": init})
        return cls(hashes, faces.fingerprints, faces.model.name)


def finished(
    run: Run,
    folder: Path,
    *,
    with_aflw2000: bool,
    with_people: bool = False,
    origin: Origin | None = None,
) -> RunResult | None:
    """The run's result if its folder holds one with all that is asked for.

    `result.json` in the folder is enough. With an origin, the run must have been made from it.

    Raises:
        ConfigurationError: the folder holds a run of another configuration, of other starting
            weights, of other data or of another face model.
        DataError: the result is malformed or another run's.
    """
    same = {} if origin is None else asdict(origin)
    check_folder(folder, run.config, **same)
    if not (folder / RESULT).exists():
        return None
    result = RunResult.load(folder)
    if (result.row, result.seed) != (run.row, run.config.seed):
        raise DataError(f"{folder / RESULT}: of {result.row}, seed {result.seed}, not {run.name}")
    lacking = (with_aflw2000 and result.aflw2000 is None) or (with_people and result.people is None)
    return None if lacking else result


def execute(
    run: Run,
    *,
    data: Path,
    folder: Path,
    aflw2000: Path | None = None,
    people: Path | None = None,
    backbone: Path | None = None,
    init: Path | None = None,
    device: str = "cpu",
    progress: ProgressCallback | None = None,
) -> RunResult:
    """Bring a run to its end, from wherever it stands, and measure the averaged weights.

    The arguments are those of `mlanet.training.train`; `aflw2000` and `people` (`people_errors`)
    are folders to measure on as well.

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
        init=init,
        device=device,
        log_every=min(LOG_EVERY, config.steps),
        validate_every=config.steps,
        progress=progress,
    )
    faces = LabelledFaces.of(config, data)
    network = load_trained(folder / CHECKPOINT).network
    predictor = NetworkPredictor(network, faces.model)
    result = RunResult(
        row=run.row,
        seed=config.seed,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        labelled=config.steps * config.num_labelled,
        unlabelled=config.steps * config.num_unlabelled,
        images_per_s=training_speed(folder),
        commit=code_version(),
        held_out=held_out_errors(predictor, faces),
        aflw2000=None if aflw2000 is None else aflw2000_errors(predictor, aflw2000),
        data=faces.fingerprints,
        face_model=faces.model.name,
        heads=heads_errors(predictor) if faces.model.has_albedo else None,
        people=None if people is None else people_errors(predictor, people),
    )
    result.save(folder)
    return result


def training_speed(folder: Path) -> float:
    """Median of the crops a second that the run's log names; NaN without any."""
    path = folder / METRICS
    lines = read_text(path, DataError).splitlines()
    with parsing(path, "not the log of a run", DataError):
        noted = [json_value(line) for line in lines]
        speeds = [float(line["images_per_s"]) for line in noted if "loss" in line]
    return median(speeds) if speeds else float("nan")
