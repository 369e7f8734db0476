"""Samples to disk in the layout that `mlanet.datasets.FaceCrops` reads, resumable."""

import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlanet.datasets import BROKEN, Sample, SampleSequence, Written
from mlanet.datasets.archive import TarIndex, add_member
from mlanet.datasets.writing import SETTINGS, encode_image, keep_settings
from mlanet.errors import DataError
from mlanet.files import atomic_path, remove_leftovers
from mlanet.files.numpyfiles import read_npz
from mlanet.geometry import viewer_from_camera

SHARD = 500
"""Pictures in a tar file."""

PARTS = "parts"


def write_samples(
    samples: SampleSequence,
    out: Path,
    settings: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write all samples as tar files of pictures beside `labels.npz`.

    A shard and its labels appear in one step each and only when they are whole; a shard that
    is there already is kept, so that the same call goes on where it was stopped. Shards and labels
    that are damaged or do not fit each other are made anew.

    Args:
        samples: each with landmarks, rotation, angles and coefficients.
        out: folder; made if it is missing.
        settings: everything that the samples depend on but their number; kept in `dataset.json`.
        progress: called with the numbers of finished samples and of all.

    Raises:
        DataError: the folder holds other samples, or none could be made.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / PARTS).mkdir(exist_ok=True)
    remove_leftovers(out)
    remove_leftovers(out / PARTS)
    keep_settings(out / SETTINGS, json.dumps(settings, indent=2, sort_keys=True) + "\n")
    parts: list[dict[str, np.ndarray]] = []
    for start in range(0, len(samples), SHARD):
        stop = min(start + SHARD, len(samples))
        stem = f"{start:07d}-{stop:07d}"
        part, shard = out / PARTS / f"{stem}.npz", out / f"images-{stem}.tar"
        arrays = _whole_part(part, shard, stop - start)
        if arrays is None:
            # A shard that ended elsewhere, because fewer were asked for, is made anew.
            for stale in [*out.glob(f"images-{start:07d}-*.tar")]:
                stale.unlink()
            for stale in [*(out / PARTS).glob(f"{start:07d}-*.npz")]:
                stale.unlink()
            arrays = _write_shard(samples, range(start, stop), shard, part)
        parts.append(arrays)
        if progress is not None:
            progress(stop, len(samples))
    skipped = tuple(str(text) for part in parts for text in part["skipped"])
    full = [part for part in parts if "name" in part]
    if not full:
        raise DataError(f"{out}: no sample could be made; first reason: {(*skipped, 'none')[0]}")
    labels = {
        name: np.concatenate([part[name] for part in full]) for name in full[0] if name != "skipped"
    }
    with atomic_path(out / "labels.npz") as temporary:
        np.savez(temporary, allow_pickle=False, **labels)
    return Written(len(labels["name"]), skipped)


def _whole_part(part: Path, shard: Path, count: int) -> dict[str, np.ndarray] | None:
    """The labels of a shard that is there, whole and of so many samples; else None."""
    if not (part.exists() and shard.exists()):
        return None
    try:
        arrays = read_npz(part, DataError, "not the labels of a shard")
        pictures = TarIndex([shard]).names
    except DataError:
        return None
    made = arrays.get("name", np.zeros(0, np.str_)).tolist()
    skipped = arrays.get("skipped", np.zeros(0))
    whole = len(made) + len(skipped) == count and list(pictures) == made
    rows = {len(array) for name, array in arrays.items() if name != "skipped"}
    return arrays if whole and rows <= {len(made)} else None


def _write_shard(
    samples: SampleSequence, indices: range, shard: Path, part: Path
) -> dict[str, np.ndarray]:
    made: list[Sample] = []
    skipped: list[str] = []
    with atomic_path(shard) as temporary, tarfile.open(temporary, "w") as archive:
        for index in indices:
            try:
                sample = samples[index]
            except BROKEN as error:
                skipped.append(str(error))
                continue
            add_member(archive, sample.name, encode_image(sample.image))
            made.append(sample)
    arrays: dict[str, np.ndarray] = {"skipped": np.array(skipped, dtype=np.str_)}
    if made:
        rotation = np.stack([np.asarray(sample.rotation) for sample in made])
        arrays |= {
            "name": np.array([sample.name for sample in made]),
            "pts68_px": np.stack([np.asarray(sample.landmarks_px) for sample in made]),
            "rotation": viewer_from_camera(rotation).astype(np.float32),
            "angles_deg": np.stack([np.asarray(s.angles_deg) for s in made]).astype(np.float32),
            "coefficients": np.stack([np.asarray(sample.coefficients) for sample in made]),
        }
        if all(sample.identity is not None for sample in made):
            arrays["identity"] = np.array([sample.identity for sample in made])
    with atomic_path(part) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
    return arrays
