import pickle

import numpy as np
import pytest

from mlanet.datasets import Sample, SkippedSamples, read_samples
from mlanet.errors import DataError


class Numbers:
    """Ten samples, of which some are broken."""

    def __init__(self, broken):
        self.names = np.array([f"n{k}" for k in range(10)])
        self.skipped = SkippedSamples()
        self.broken = broken

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index in self.broken:
            raise DataError(f"n{index}: broken\nfor good")
        return Sample(f"n{index}", np.zeros((1, 1, 3), np.uint8))


def test_broken_samples_are_passed_over_and_noted():
    dataset = Numbers({0, 4, 9})
    found = [sample.name for sample in read_samples(dataset)]
    assert found == [f"n{k}" for k in (1, 2, 3, 5, 6, 7, 8)]
    assert dataset.skipped.reasons == {f"n{k}": f"n{k}: broken for good" for k in (0, 4, 9)}
    assert [sample.name for sample in read_samples(dataset, [9, 8, 1])] == ["n8", "n1"]
    assert len(dataset.skipped) == 3


def test_broken_samples_of_one_name_count_each():
    dataset = Numbers({3, 4, 9})
    dataset.names = np.array(["a"] * 5 + list("bcdef"))
    for _ in range(2):
        assert len(list(read_samples(dataset))) == 7
    assert list(dataset.skipped.reasons) == ["a (sample 3)", "a (sample 4)", "f"]


def test_other_errors_are_not_swallowed():
    dataset = Numbers(set())
    dataset.broken = None
    with pytest.raises(TypeError):
        list(read_samples(dataset))


def test_the_log_counts_all_and_names_some():
    skipped = SkippedSamples()
    assert skipped.lines() == []
    for k in range(8):
        skipped.add(f"f{k}", f"f{k}: cut" if k else "no name here")
    skipped.add("f3", "again")
    assert len(skipped) == 8
    assert "f3" in skipped
    assert skipped.lines(2) == [
        "8 broken samples skipped",
        "skipped: f0: no name here",
        "skipped: f1: cut",
        "skipped: 6 more",
    ]
    assert len(skipped.lines(8)) == 9


def test_worker_processes_may_have_a_copy():
    skipped = SkippedSamples()
    skipped.add("a", "b")
    assert pickle.loads(pickle.dumps(skipped)).reasons == {"a": "b"}
