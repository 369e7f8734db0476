"""The training loop, to be read from top to bottom."""

import json
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import torch

from mlanet import __version__
from mlanet.errors import ConfigurationError
from mlanet.files import atomic_path, read_bytes, read_json, remove_leftovers
from mlanet.training.calibration import fit_confidence
from mlanet.training.config import BATCHES, CONFIG, TrainingConfig
from mlanet.training.data import MEMORY_GB, LabelledFaces
from mlanet.training.journal import Journal
from mlanet.training.learner import Learner
from mlanet.training.pictures import validation_picture
from mlanet.training.processes import Processes
from mlanet.training.samples import Samples

CHECKPOINT = "checkpoint.safetensors"

MAX_START_BYTES = 4 * 1024**3
"""Of a file that the weights start from."""

ProgressCallback: TypeAlias = Callable[[int, int, float], None]
"""Is told of each step: steps done, steps in all, the loss."""


def train(
    config: TrainingConfig,
    *,
    data: Path,
    out: Path,
    backbone: Path | None = None,
    init: Path | None = None,
    device: str = "cpu",
    checkpoint_seconds: float = 180.0,
    log_every: int = 20,
    validate_every: int = 250,
    progress: ProgressCallback | None = None,
    workers: int = 1,
    memory_gb: float = MEMORY_GB,
) -> dict[str, float]:
    """Train or, if `out` holds a checkpoint, go on: same step, same order of the data.

    Called by several processes (`accelerate launch`), they share each batch; the first writes.

    Args:
        config: everything that decides the result.
        data: folder that holds the sources (`mlanet.training.data.FOLDERS` if none are named).
        out: the run's folder: `config.json`, `metrics.jsonl`, TensorBoard's file, checkpoint.
        backbone: ImageNet weights of the backbone (`.pth`), for a run that starts.
        init: checkpoint of another run whose averaged weights a run starts from.
        device: torch's name of the device.
        checkpoint_seconds: longest time between checkpoints.
        log_every: steps between log lines.
        validate_every: steps between validations of the averaged weights.
        progress: is called after each step.
        workers: threads that make batches ahead; the batches are the same for any number.
        memory_gb: of the device, for pictures that have been read; those beyond it are read each
            time. The batches are the same for any value.

    Returns:
        The last validation: errors on the held-out faces. Empty but in the first process.

    Raises:
        AssetError: `backbone`, `init` or the checkpoint in `out` is of another network or damaged.
        ConfigurationError: the configuration is contradictory or not that of the run in `out`.
        DataError: the data is missing or malformed.
    """
    checkpoint = out / CHECKPOINT
    resuming = checkpoint.exists()
    learner = Learner.start(
        config,
        backbone=None if resuming else backbone,
        init=None if resuming else init,
        device=device,
    )
    processes = learner.processes
    faces = LabelledFaces.of(config, data, device=learner.device, memory_gb=memory_gb)
    if processes.is_main:
        start_files = {"backbone": backbone, "init": init}
        prepare_folder(out, config, start_files, faces.fingerprints, learner.objective.model_name)
    start = learner.load(checkpoint) if resuming else 0
    processes.wait()
    if not resuming and processes.is_main:
        learner.save(checkpoint, 0)  # a run that is killed early keeps the weights it began with

    validation: dict[str, float] = {}
    last_saved = last_logged = time.monotonic()
    logged = start
    with Journal.open(out, write=processes.is_main, step=start) as journal:
        for step, batch in batches(faces, config, start, processes, workers):
            report = learner.step(step, batch)
            done = step + 1
            if done % log_every == 0:
                seconds, last_logged = time.monotonic() - last_logged, time.monotonic()
                speed, logged = (done - logged) * config.batch_size / seconds, done
                values = {"loss": report.loss, "rate": report.rate, "images_per_s": speed}
                journal.record(done, values | report.terms)
            if processes.is_main and (done % validate_every == 0 or done == config.steps):
                size = config.input_size_at(step)
                validation = learner.validate(faces, size)
                journal.record(done, validation)
                journal.show(done, validation_picture(learner, faces, size))
            if processes.count == 1 or done % log_every == 0 or done == config.steps:
                journal.note_broken(done, processes.merged(journal.new_broken(faces.broken)))
            late = time.monotonic() - last_saved > checkpoint_seconds
            if processes.is_main and (late or done == config.steps):
                ended = done == config.steps and learner.network.uncertainty is not None
                learner.save(checkpoint, done, fit_confidence(learner, faces) if ended else None)
                last_saved = time.monotonic()
            if progress is not None and processes.is_main:
                progress(done, config.steps, report.loss)
    processes.wait()
    if not processes.is_main:
        return {}
    return validation or learner.validate(faces, config.input_size_at(config.steps - 1))


def prepare_folder(
    out: Path,
    config: TrainingConfig,
    start: Mapping[str, Path | None] | None = None,
    data: Mapping[str, str] | None = None,
    face_model: str | None = None,
) -> None:
    """Write the run's configuration, or check it against the run that is there.

    Args:
        out: folder of the run.
        config: the configuration.
        start: files that the weights start from; their names and hashes are written down. A run
            that goes on does not read them: they are not compared.
        data: `LabelledFaces.fingerprints`.
        face_model: name of the face model whose coefficients are learnt.

    Raises:
        ConfigurationError: the folder holds a run of another configuration, of other data or of
            another face model.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    path = out / CONFIG
    if path.exists():
        check_folder(out, config, data=data, face_model=face_model)
        return
    described = {
        "batches": BATCHES,
        "training": asdict(config),
        "start": file_hashes(start or {}),
        "data": dict(data or {}),
        "face_model": face_model,
        "mlanet": __version__,
        "commit": code_version(),
        "torch": torch.__version__,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def check_folder(
    out: Path,
    config: TrainingConfig,
    *,
    start: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    face_model: str | None = None,
) -> None:
    """Whether a run's folder is of this configuration, start, data and face model.

    Args:
        out: folder of the run; one without `config.json` is of any.
        config: the configuration.
        start: `file_hashes` of what the weights start from; None: not compared.
        data: `LabelledFaces.fingerprints`; None: not compared, nor how batches follow from it.
        face_model: name of the face model; None: not compared.

    Raises:
        ConfigurationError: the folder holds another run, the message names the field; or a run of
            a version that makes other batches.
    """
    path = out / CONFIG
    if not path.exists():
        return
    described: Any = read_json(path, ConfigurationError)
    if data is not None and described.get("batches") != BATCHES:
        what = "a run of an earlier version of mlanet, which made other batches"
        raise ConfigurationError(f"{path}: {what}: finish it there, or begin another")
    theirs = TrainingConfig.read(path)
    compared = [f.name for f in fields(config) if f.name != "face_model"]  # a path; see below
    other = [name for name in compared if getattr(theirs, name) != getattr(config, name)]
    if other:
        what = f"the folder holds a run of another configuration ({', '.join(other)})"
        raise ConfigurationError(f"{path}: {what}")
    if face_model is not None and described.get("face_model") != face_model:
        both = f"the run is of {described.get('face_model')}, this command of {face_model}"
        raise ConfigurationError(f"{path}: face_model: {both}")
    for field, mine in (("start", start), ("data", data)):
        if mine is None:
            continue
        noted = described.get(field)
        if not isinstance(noted, dict):
            raise ConfigurationError(f"{path}: {field}: the run does not say of which it is")
        for name in dict.fromkeys((*noted, *mine)):
            # Of a starting file the hash counts, not the name.
            there, here = (str(found.get(name, "none")) for found in (noted, mine))
            if there.split()[-1] != here.split()[-1]:
                named = name if field == "start" else f"data: {name}"
                raise ConfigurationError(
                    f"{path}: {named}: the run has {there}, this command {here}"
                )


def file_hashes(files: Mapping[str, Path | None]) -> dict[str, str]:
    """Name and hash of each file that is given.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    found: dict[str, str] = {}
    for name, path in files.items():
        if path is not None:
            content = read_bytes(path, ConfigurationError, MAX_START_BYTES)
            found[name] = f"{path.name}, sha256 {sha256(content).hexdigest()}"
    return found


def code_version() -> str | None:
    """The commit of the checkout that the package is imported from, if it is one."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def batches(
    faces: LabelledFaces,
    config: TrainingConfig,
    start: int,
    processes: Processes | None = None,
    workers: int = 1,
) -> Iterator[tuple[int, Samples]]:
    """Batches from a step on, or this process's share of them.

    The next ones, as many as there are workers, are made while the network works; each worker
    computes on one thread, whatever the network has.
    """
    mine = processes or Processes()

    def make(step: int) -> Samples:
        size = config.input_size_at(step)
        return faces.training_batch(step, size, config, mine.rank, mine.count)

    if start >= config.steps:
        return
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        ahead = range(start, min(start + workers, config.steps))
        coming = deque(pool.submit(make, step) for step in ahead)
        for step in range(start, config.steps):
            batch = coming.popleft().result()
            if step + workers < config.steps:
                coming.append(pool.submit(make, step + workers))
            yield step, batch
