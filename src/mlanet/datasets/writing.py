"""Data sets to disk: WebDataset shards, and what other layouts need for it."""

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.datasets.archive import TarIndex, add_member
from mlanet.datasets.dataset import BROKEN, Dataset, Sample, SkippedSamples, sample_key
from mlanet.datasets.shards import annotation_of
from mlanet.errors import DataError
from mlanet.files import atomic_path, parsing, read_json, read_text, remove_leftovers

SETTINGS = "dataset.json"
"""File of what the samples of a folder depend on."""

QUALITY = 92
"""Of the pictures' WebP compression."""

PER_SHARD = 1000


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and which samples were left out, with the reason."""

    count: int
    skipped: tuple[str, ...]


def write_shards(
    samples: Dataset | Iterable[Sample],
    out: Path,
    *,
    per_shard: int = PER_SHARD,
    lossless: bool = False,
    made_from: Mapping[str, str | int | float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Turn samples into WebDataset shards that `Shards` and other readers of the layout read.

    `out/shard-000000.tar` and so on hold `KEY.webp` and `KEY.npz` of each sample (`annotation_of`);
    KEY is its number. A shard appears in one step when it is whole; shards that are there
    already, whole and with as many samples as their log says, are kept, so that the same call goes
    on where it was stopped. Broken samples are left out. `out/dataset.json` says what the shards
    were made of, `shard-000000.json` how many samples the shard holds and what was left out.

    Args:
        samples: a data set; or any samples, which are then all held in memory.
        out: folder; made if it is missing.
        per_shard: samples in a shard.
        lossless: whether the WebP pictures are exact, which takes several times the room.
        made_from: what else the samples depend on: where they come from, the size of crops. It
            goes into `dataset.json`; a folder that was begun with other values is refused.
        progress: called with the numbers of finished samples and of all.

    Raises:
        DataError: the folder holds other samples, or no sample is readable.
        TypeError: something that is no sample is among them.
    """
    if per_shard < 1:
        raise ValueError(f"per_shard must be positive, got {per_shard}")
    dataset = samples if isinstance(samples, Dataset) else _InMemory(samples)
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    names = "\n".join(str(name) for name in dataset.names)
    settings = {
        "layout": "webdataset",
        "samples": len(dataset),
        "names_sha256": sha256(names.encode()).hexdigest(),
        "per_shard": per_shard,
        "lossless": lossless,
        "made_from": dict(made_from or {}),
    }
    keep_settings(out / SETTINGS, json.dumps(settings, indent=2, sort_keys=True) + "\n")
    count, skipped = 0, list(dataset.skipped.reasons.values())
    for number, start in enumerate(range(0, len(dataset), per_shard)):
        stop = min(start + per_shard, len(dataset))
        shard = out / f"shard-{number:06d}.tar"
        log = shard.with_suffix(".json")
        done = _whole_shard(shard, log, stop - start)
        if done is None:
            done = _write_shard(dataset, range(start, stop), shard, log, lossless)
        count += done.samples
        skipped += done.skipped.values()
        for name, reason in done.skipped.items():
            dataset.skipped.add(name, reason)
        if progress is not None:
            progress(stop, len(dataset))
    if not count:
        raise DataError(f"{out}: no sample is readable; the first: {(*skipped, 'none')[0]}")
    return Written(count, tuple(skipped))


class _InMemory:
    """Samples as a data set."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = tuple(samples)
        for sample in self._samples:
            if not isinstance(sample, Sample):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"expected samples of mlanet.datasets, got a {type(sample)}")
        self.names = tuple(sample.name for sample in self._samples)
        self.skipped = SkippedSamples()

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]


def encode_image(
    image: UInt8[np.ndarray, "h w 3"], quality: int = QUALITY, lossless: bool = False
) -> bytes:
    """RGB pixels as WebP."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", quality=quality, lossless=lossless)
    return file.getvalue()


def keep_settings(path: Path, text: str) -> None:
    """Write what the samples of a folder depend on, or compare it with what is there.

    Raises:
        DataError: the folder holds samples of other settings.
    """
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    elif read_text(path, DataError) != text:
        raise DataError(f"{path}: the folder holds samples of other settings; choose another")


@dataclass(frozen=True, slots=True)
class _Log:
    """How many samples a shard holds, and the reason of each that was left out."""

    samples: int
    skipped: dict[str, str]


def _whole_shard(shard: Path, log: Path, samples: int) -> _Log | None:
    """The log of a shard that is there, whole and of so many samples; None if it must be made."""
    if not (shard.exists() and log.exists()):
        return None
    try:
        content = read_json(log, DataError)
        with parsing(log, "not the log of a shard", DataError):
            done = _Log(int(content["samples"]), {**content["skipped"]})
        members = len(TarIndex([shard]))
    except DataError:
        return None
    whole = done.samples + len(done.skipped) == samples and members == 2 * done.samples
    return done if whole else None


def _write_shard(dataset: Dataset, indices: range, shard: Path, log: Path, lossless: bool) -> _Log:
    """The samples of a shard, and the log beside it; a shard without its log is made anew."""
    log.unlink(missing_ok=True)
    names = list(dataset.names)
    skipped: dict[str, str] = {}
    with (
        atomic_path(shard) as temporary,
        tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for index in indices:
            try:
                sample = dataset[index]
            except BROKEN as error:
                skipped[sample_key(names, index)] = str(error)
                continue
            arrays = io.BytesIO()
            known: dict[str, Any] = annotation_of(sample)
            np.savez_compressed(arrays, **known)
            key = f"{index:08d}"
            add_member(archive, f"{key}.webp", encode_image(sample.image, lossless=lossless))
            add_member(archive, f"{key}.npz", arrays.getvalue())
    done = _Log(len(indices) - len(skipped), skipped)
    with atomic_path(log) as temporary:
        temporary.write_text(json.dumps(asdict(done), indent=1), encoding="utf-8")
    return done
