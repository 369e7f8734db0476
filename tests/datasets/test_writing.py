import json
import tarfile

import numpy as np
import pytest

from mlanet.datasets import Sample, Shards, SkippedSamples, read_samples, write_shards
from mlanet.errors import DataError


class Made:
    """Seven samples with more or less annotation; number 2 is broken."""

    def __init__(self, seed=0):
        self.names = tuple(f"set.a/face {k}.jpg" for k in range(7))
        self.skipped = SkippedSamples()
        self.seed = seed
        self.reads = []

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        self.reads.append(index)
        if index == 2:
            raise DataError(f"{self.names[index]}: cut off")
        rng = np.random.default_rng([self.seed, index])
        full = index % 2 == 0
        return Sample(
            name=self.names[index],
            image=rng.integers(0, 255, (24, 16, 3), dtype=np.uint8),
            landmarks_px=rng.random((68, 3)),
            rotation=np.eye(3) if full else None,
            angles_deg=np.zeros(3) if full else None,
            identity="someone" if full else None,
            coefficients=rng.random(9).astype(np.float32) if full else None,
            surface_jaw=full,
        )


def assert_same(first, second):
    assert (first.name, first.identity) == (second.name, second.identity)
    assert first.surface_jaw == second.surface_jaw
    np.testing.assert_array_equal(first.image, second.image)
    for field in ("landmarks_px", "rotation", "angles_deg", "coefficients"):
        one, other = getattr(first, field), getattr(second, field)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_what_is_written_is_read_again(tmp_path):
    written = write_shards(Made(), tmp_path / "out", per_shard=3, lossless=True)
    assert written.count == 6
    assert written.skipped == ("set.a/face 2.jpg: cut off",)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tar")) == [
        f"shard-{k:06d}.tar" for k in range(3)
    ]
    found = Shards(tmp_path / "out")
    for one, other in zip(read_samples(found), read_samples(Made()), strict=True):
        assert_same(one, other)


def test_keys_follow_webdataset(tmp_path):
    """The part before the first dot is the sample's key; its files follow each other."""
    write_shards(Made(), tmp_path, per_shard=4)
    with tarfile.open(tmp_path / "shard-000000.tar") as archive:
        names = archive.getnames()
    assert names == [f"{k:08d}.{ending}" for k in (0, 1, 3) for ending in ("webp", "npz")]


def test_a_run_goes_on_where_it_was_stopped(tmp_path):
    class Stopped(Made):
        def __getitem__(self, index):
            if index == 5:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        write_shards(Stopped(), tmp_path, per_shard=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dataset.json", "shard-000000.json", "shard-000000.tar", "shard-000001.json",
        "shard-000001.tar",
    ]  # fmt: skip
    dataset = Made()
    written = write_shards(dataset, tmp_path, per_shard=2)
    assert dataset.reads == [4, 5, 6]
    assert (written.count, len(written.skipped), len(dataset.skipped)) == (6, 1, 1)
    assert len(Shards(tmp_path)) == 6


def test_a_shard_without_its_log_is_made_anew(tmp_path):
    write_shards(Made(), tmp_path, per_shard=7)
    (tmp_path / "shard-000000.json").unlink()
    dataset = Made()
    write_shards(dataset, tmp_path, per_shard=7)
    assert len(dataset.reads) == 7
    assert json.loads((tmp_path / "shard-000000.json").read_text())["samples"] == 6


def test_other_samples_are_refused(tmp_path):
    write_shards(Made(), tmp_path)
    with pytest.raises(DataError, match="other settings"):
        write_shards(Made(), tmp_path, per_shard=2)


def test_a_run_of_another_source_or_size_is_refused(tmp_path):
    made_from = {"data": "photos", "size": 160}
    write_shards(Made(), tmp_path, made_from=made_from)
    assert write_shards(Made(), tmp_path, made_from=made_from).count == 6
    assert json.loads((tmp_path / "dataset.json").read_text())["made_from"] == made_from
    for other in ({"data": "photos", "size": 128}, {"data": "b", "size": 160}, None):
        with pytest.raises(DataError, match="other settings"):
            write_shards(Made(), tmp_path, made_from=other)


def test_nothing_readable(tmp_path):
    class Broken(Made):
        def __getitem__(self, index):
            raise DataError(f"{index}: no")

    with pytest.raises(DataError, match="no sample is readable; the first: 0: no"):
        write_shards(Broken(), tmp_path)


def test_leftovers_go_and_damaged_shards_are_made_again(tmp_path):
    first = write_shards(Made(), tmp_path, per_shard=3)
    (tmp_path / ".shard-000001.0123abcd.tar").write_bytes(b"half")
    (tmp_path / "shard-000000.tar").write_bytes(b"")
    with tarfile.open(tmp_path / "shard-000001.tar", "w"):
        pass  # a whole tar file without its samples
    (tmp_path / "shard-000002.json").write_text("{")
    made = Made()
    assert write_shards(made, tmp_path, per_shard=3) == first
    assert made.reads == list(range(7))
    assert len(Shards(tmp_path)) == 6
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    again = Made()
    assert write_shards(again, tmp_path, per_shard=3) == first
    assert again.reads == []


def test_samples_without_a_data_set(tmp_path):
    samples = [Sample(name, np.full((16, 16, 3), 50, np.uint8)) for name in "ab"]
    written = write_shards(iter(samples), tmp_path / "out", lossless=True)
    assert (written.count, written.skipped) == (2, ())
    back = Shards(tmp_path / "out")
    assert [back[k].name for k in range(2)] == ["a", "b"]
    np.testing.assert_array_equal(back[1].image, samples[1].image)
    with pytest.raises(TypeError, match="expected samples"):
        write_shards(["a.jpg"], tmp_path / "other")
    assert not (tmp_path / "other" / "dataset.json").exists()
