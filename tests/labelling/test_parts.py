from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlanet.labelling import parts as module
from mlanet.labelling.parts import Parts, cut, digest

DONE = []


@dataclass(frozen=True)
class Doubled:
    columns: ClassVar[tuple[str, ...]] = ("twice",)

    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def __call__(self):
        DONE.append(self.values.tolist())
        return {"twice": 2 * self.values}


def test_what_parts_make_is_joined_in_order_and_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART_FACES", 2)
    values = np.arange(5)
    jobs = [Doubled(values[part]) for part in cut(len(values))]
    seen = []
    parts = Parts(tmp_path / "parts", 1, lambda done, total: seen.append((done, total)))
    DONE.clear()
    for _ in range(2):
        assert parts.work("key", jobs)["twice"].tolist() == [0, 2, 4, 6, 8]
    assert DONE == [[0, 1], [2, 3], [4]]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    parts.work("other", jobs)
    assert len(DONE) == 6
    parts.remove()
    assert not (tmp_path / "parts").exists()


def test_a_part_of_other_faces_is_made_again(tmp_path):
    lines = []
    parts = Parts(tmp_path / "parts", 1, warn=lines.append)
    parts.work("key", [Doubled(np.arange(3))])
    assert parts.work("key", [Doubled(np.arange(2))])["twice"].tolist() == [0, 2]
    (line,) = lines
    assert line.endswith("damaged (it holds other faces); it is made again")


def test_a_digest_tells_types_shapes_and_texts_apart():
    ones = np.ones((2, 2))
    found = [digest(ones), digest(ones.astype(np.float32)), digest(ones.reshape(4)), digest("1")]
    assert len(set(found)) == 4
    assert digest(ones, "1") == digest(ones.copy(), "1")
