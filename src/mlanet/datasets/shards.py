"""Samples in the layout of WebDataset: tar files in which a sample's files follow each other.

https://github.com/webdataset/webdataset. `KEY.jpg`, `.png` or `.webp` is the picture; what is
known of it lies in `KEY.npz` or `KEY.json` under the names of `Sample`'s fields, in single arrays
`KEY.FIELD.npy`, or, the landmarks alone, in `KEY.npy`. Other files and names are ignored. No pickle
is read.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from mlanet.datasets.archive import TarIndex, fits
from mlanet.datasets.dataset import Sample, SkippedSamples, all_broken
from mlanet.errors import DataError
from mlanet.files import json_value, list_files, parsing
from mlanet.files.numpyfiles import npy_array, npz_arrays
from mlanet.image import read_image

PICTURES = ("jpg", "jpeg", "png", "webp")
SHAPES: dict[str, tuple[tuple[int | None, ...], ...]] = {
    "landmarks_px": ((68, 2), (68, 3)),
    "rotation": ((3, 3),),
    "angles_deg": ((3,),),
    "coefficients": ((None,),),
    "surface_jaw": ((),),
}
"""Arrays of a sample and the shapes that they may have (None: any length)."""

MAX_BYTES = 64 * 1024**2
"""What the arrays of a sample may take in memory."""

TEXTS = ("name", "identity")


class _Files(NamedTuple):
    """Positions in the index of one sample's files by their endings."""

    key: str
    files: dict[str, int]


class Shards:
    """Samples of WebDataset shards: uncompressed tar files, read at any place.

    Tar files that end too early are used as far as they go and noted. The source is a folder of
    them (also in its folders), or one.

    Attributes:
        names: `SHARD.tar/KEY` of each sample in the order of the files, SHARD with its folder below
            `source`. A sample read is called by its `name` where it has one.
        skipped: Damaged shards, samples without a picture, and what `read_samples` found broken;
            and samples of which a field is malformed, which are read without that field.

    Raises:
        DataError: there is no tar file, or no usable sample in any.
    """

    names: tuple[str, ...]
    skipped: SkippedSamples

    def __init__(self, source: Path) -> None:
        self._source = source
        self.skipped = SkippedSamples()
        paths = list_files(source, (".tar",), recursive=True) if source.is_dir() else [source]
        if not paths:
            raise DataError(f"{source}: holds no tar files; WebDataset shards are expected there")
        self._tars = TarIndex(paths, self.skipped)
        self._samples: list[_Files] = []
        for sample in _grouped(self._tars, source):
            if any(ending in sample.files for ending in PICTURES):
                self._samples.append(sample)
            else:
                self.skipped.add(sample.key, f"{sample.key}: no picture ({', '.join(PICTURES)})")
        self.names = tuple(sample.key for sample in self._samples)
        if not self.names:
            raise all_broken(source, self.skipped)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        key, files = self._samples[index]
        picture = next(ending for ending in PICTURES if ending in files)
        known: dict[str, Any] = {}
        for ending, position in files.items():
            known |= _annotation(ending, lambda at=position: self._tars.read(at), key)
        values: dict[str, Any] = dict.fromkeys(SHAPES)
        oddities: list[str] = []
        for field in SHAPES:
            try:
                values[field] = _checked(field, known.get(field))
            except (ValueError, TypeError) as error:
                oddities.append(f"{field} is malformed: {error}")
        self.skipped.note_odd(key, oddities)
        values["surface_jaw"] = bool(values["surface_jaw"])  # None: not said
        data = self._tars.read(files[picture])
        name, identity = (known.get(field) for field in TEXTS)
        return Sample(
            name=key if name is None else str(name),
            image=read_image(data, upright=False, name=f"{key}.{picture}"),
            identity=None if identity is None else str(identity),
            **values,
        )


def annotation_of(sample: Sample) -> dict[str, Shaped[np.ndarray, "..."]]:
    """What is known of a sample as named arrays: the content of `KEY.npz`."""
    fields = {name: getattr(sample, name) for name in (*TEXTS, *SHAPES)}
    fields["surface_jaw"] = sample.surface_jaw or None
    return {name: np.asarray(value) for name, value in fields.items() if value is not None}


def _grouped(tars: TarIndex, source: Path) -> list[_Files]:
    """Neighbours in a tar file that have the same name before the first dot of its last part."""
    samples: list[_Files] = []
    last: Path | None = None
    for position in range(len(tars)):
        tar, member = tars.member(position)
        path = Path(tar)
        folder, _, name = member.rpartition("/")
        stem, _, ending = name.partition(".")
        if not stem:  # a hidden file
            continue
        shard = path.name if path == source else path.relative_to(source).as_posix()
        key = "/".join(part for part in (shard, folder.removeprefix("./"), stem) if part)
        if path != last or samples[-1].key != key:
            samples.append(_Files(key, {}))
        last = path
        samples[-1].files.setdefault(ending.lower(), position)
    return samples


def _annotation(ending: str, read: Any, key: str) -> Mapping[str, Any]:
    """What one of a sample's files says; nothing if it is of another kind."""
    field, _, kind = ending.rpartition(".")
    if ending not in ("npz", "json", "npy") and not (kind == "npy" and field in SHAPES):
        return {}
    with parsing(f"{key}.{ending}", "not readable", DataError):
        data = read()
        if ending == "json":
            content = json_value(data)
            return content if isinstance(content, dict) else {}
        if ending == "npz":
            return npz_arrays(io.BytesIO(data), len(data), (*TEXTS, *SHAPES), MAX_BYTES)
        loaded = npy_array(io.BytesIO(data), len(data), MAX_BYTES)
    return {field or "landmarks_px": loaded}


def _checked(name: str, value: Any) -> Shaped[np.ndarray, "..."] | None:
    """An array of a sample as it must be; null in JSON is "not known".

    Raises:
        ValueError: it is malformed or not finite.
    """
    if value is None:
        return None
    array = np.asarray(value)
    if (
        not any(fits(array.shape, shape) for shape in SHAPES[name])
        or array.dtype.kind not in "fiub"
    ):
        raise ValueError(f"{array.dtype} {array.shape}")
    array = array.astype(np.float32 if array.dtype == np.float32 else np.float64)
    if not np.isfinite(array).all():
        raise ValueError("not finite")
    return array
