"""`mlanet dataset`: read through a data set, turn it into WebDataset shards."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlanet.cli.common import EXIT_FAILED, EXIT_OK, Flag, SomePath, count_up, name_skipped, positive
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.datasets import Dataset


def check(*, data: Path, layout: str = "auto", cache: Path | None = None, size: int = 160) -> int:
    """Read every sample of a data set; name the broken ones and count what is known of the others.

    Args:
        data: Folder or tar file in one of the layouts of docs/reference/datasets.md.
        layout: Its layout (crops, photos, ...); auto: told by the names of its files.
        cache: Folder for the detections of photos; by default .mlanet below the photos.
        size: Side of the crops of photos in pixels.

    Returns:
        Exit status: 1 if a sample is broken.
    """
    from mlanet.datasets import PhotoFolder, read_samples

    dataset, _ = _open(data, layout, cache, size)
    fields = ("landmarks_px", "rotation", "identity", "coefficients")
    known = dict.fromkeys(fields, 0)
    count = 0
    for sample in read_samples(dataset):
        count += 1
        for field in fields:
            known[field] += getattr(sample, field) is not None
        count_up(count, len(dataset))
    print(f"{data}: {type(dataset).__name__}, {count} samples can be read")
    print(", ".join(f"{field} {number}" for field, number in known.items()))
    if isinstance(dataset, PhotoFolder):
        print(f"{len(dataset.without_face)} photos without a face")
    name_skipped(dataset.skipped)
    return EXIT_FAILED if len(dataset.skipped) else EXIT_OK


def shards(
    *,
    data: Path,
    out: Path,
    layout: str = "auto",
    per_shard: int = 1000,
    lossless: Flag = False,
    cache: SomePath = None,
    size: int = 160,
) -> int:
    """Turn a data set into WebDataset shards; the same command goes on after a stop.

    Args:
        data: Folder or tar file in one of the layouts of docs/reference/datasets.md.
        out: Folder for shard-000000.tar and so on, and dataset.json.
        layout: Its layout (crops, photos, ...); auto: told by the names of its files.
        per_shard: Samples in a shard.
        lossless: Write pictures without loss; by default as WebP of quality 92.
        cache: Folder for the detections of photos; by default .mlanet below the photos.
        size: Side of the crops of photos in pixels.
    """
    positive(per_shard=per_shard)
    from mlanet.datasets import PhotoFolder, write_shards

    dataset, layout = _open(data, layout, cache, size)
    made_from: dict[str, str | int | float] = {"data": data.resolve().name, "layout": layout}
    if isinstance(dataset, PhotoFolder):
        made_from |= {"size": dataset.size, "margin": dataset.margin}
    written = write_shards(
        dataset,
        out,
        per_shard=per_shard,
        lossless=lossless,
        made_from=made_from,
        progress=count_up,
    )
    print(f"{out}: {written.count} samples, {len(written.skipped)} left out")
    name_skipped(dataset.skipped)
    return EXIT_OK


def _open(data: Path, layout: str, cache: Path | None, size: int) -> "tuple[Dataset, str]":
    """The data set and the name of its layout."""
    if not 16 <= size <= 1024:
        raise UsageError("--size must be in 16..1024")
    from mlanet.datasets import PhotoFolder
    from mlanet.datasets.layouts import layout_of, open_dataset

    layout = layout_of(data) if layout == "auto" else layout
    if layout != "photos":
        return open_dataset(data, layout), layout
    threads = os.cpu_count() or 1
    photos = PhotoFolder(data, size=size, cache=cache, threads=threads, progress=count_up)
    return photos, layout
