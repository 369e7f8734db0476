"""`mlanet dataset`: read through a data set, turn it into WebDataset shards."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlanet.cli.status import EXIT_FAILED, EXIT_OK
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.datasets import Dataset

LayoutOption = Literal["auto", "crops", "aflw2000", "300w-lp", "3ddfa", "shards", "photos"]


def check(
    *, data: Path, layout: LayoutOption = "auto", cache: Path | None = None, size: int = 160
) -> int:
    """Read every sample of a data set; name the broken ones and count what is known of the others.

    Args:
        data: Folder or tar file in one of the layouts of docs/reference/datasets.md.
        layout: Its layout; auto: told by the names of its files.
        cache: Folder for the detections of photos; by default .mlanet below the photos.
        size: Side of the crops of photos in pixels.

    Returns:
        Exit status: 1 if a sample is broken.
    """
    from mlanet.datasets import PhotoFolder, read_samples

    dataset = _open(data, layout, cache, size)
    fields = ("landmarks_px", "rotation", "identity", "coefficients")
    known = dict.fromkeys(fields, 0)
    count = 0
    for sample in read_samples(dataset):
        count += 1
        for field in fields:
            known[field] += getattr(sample, field) is not None
        _progress(count, len(dataset))
    print(f"{data}: {type(dataset).__name__}, {count} samples can be read")
    print(", ".join(f"{field} {number}" for field, number in known.items()))
    if isinstance(dataset, PhotoFolder):
        print(f"{len(dataset.without_face)} photos without a face")
    _name_skipped(dataset)
    return EXIT_FAILED if len(dataset.skipped) else EXIT_OK


def shards(
    *,
    data: Path,
    out: Path,
    layout: LayoutOption = "auto",
    per_shard: int = 1000,
    lossless: bool = False,
    cache: Path | None = None,
    size: int = 160,
) -> int:
    """Turn a data set into WebDataset shards; the same command goes on after a stop.

    Args:
        data: Folder or tar file in one of the layouts of docs/reference/datasets.md.
        out: Folder for shard-000000.tar and so on, and dataset.json.
        layout: Layout of the data; auto: told by the names of its files.
        per_shard: Samples in a shard.
        lossless: Write pictures without loss; by default as WebP of quality 92.
        cache: Folder for the detections of photos; by default .mlanet below the photos.
        size: Side of the crops of photos in pixels.

    Returns:
        Exit status.
    """
    if per_shard < 1:
        raise UsageError("--per-shard must be positive")
    from mlanet.datasets import PhotoFolder, write_shards
    from mlanet.datasets.layouts import layout_of

    found = layout_of(data) if layout == "auto" else layout
    dataset = _open(data, found, cache, size)
    made_from: dict[str, str | int | float] = {"data": data.resolve().name, "layout": found}
    if isinstance(dataset, PhotoFolder):
        made_from |= {"size": dataset.size, "margin": dataset.margin}
    written = write_shards(
        dataset,
        out,
        per_shard=per_shard,
        lossless=lossless,
        made_from=made_from,
        progress=_progress,
    )
    print(f"{out}: {written.count} samples, {len(written.skipped)} left out")
    _name_skipped(dataset)
    return EXIT_OK


def _open(data: Path, layout: LayoutOption, cache: Path | None, size: int) -> "Dataset":
    if not 16 <= size <= 1024:
        raise UsageError("--size must be in 16..1024")
    from mlanet.datasets import PhotoFolder
    from mlanet.datasets.layouts import layout_of, open_dataset

    found = layout_of(data) if layout == "auto" else layout
    if found != "photos":
        return open_dataset(data, found)
    threads = os.cpu_count() or 1
    return PhotoFolder(data, size=size, cache=cache, threads=threads, progress=_progress)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr)


def _name_skipped(dataset: "Dataset") -> None:
    for line in dataset.skipped.lines():
        print(line, file=sys.stderr)
