import io
import json
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from mlanet.datasets import Shards, read_samples
from mlanet.errors import DataError

POINTS = np.arange(136.0).reshape(68, 2)


def picture(kind="PNG", level=9):
    file = io.BytesIO()
    Image.new("RGB", (20, 30), (level, 100, 200)).save(file, kind)
    return file.getvalue()


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def write(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_the_kinds_of_annotation(tmp_path):
    known = {"landmarks_px": POINTS.tolist(), "identity": "p7", "rotation": None, "caption": "x"}
    known["surface_jaw"] = True
    write(
        tmp_path / "a.tar",
        {
            "set/0001.jpg": picture("JPEG"),
            "set/0001.json": json.dumps(known).encode(),
            "set/0002.npz": npz(
                landmarks_px=POINTS, coefficients=np.ones(5, np.float32), name="me"
            ),
            "set/0002.webp": picture("WEBP"),
            "set/0002.cls": b"3",
            "0003.npy": npy(POINTS.astype(np.float16)),
            "0003.png": picture(),
            "0004.rotation.npy": npy(np.eye(3)),
            "0004.angles_deg.npy": npy(np.arange(3)),
            "0004.PNG": picture(),
            "0005.jpeg": picture("JPEG"),
        },
    )
    dataset = Shards(tmp_path)
    assert dataset.names == (
        "a.tar/set/0001", "a.tar/set/0002", "a.tar/0003", "a.tar/0004", "a.tar/0005"
    )  # fmt: skip
    first, second, third, fourth, fifth = read_samples(dataset)
    np.testing.assert_array_equal(first.landmarks_px, POINTS)
    assert (first.identity, first.rotation, first.name) == ("p7", None, "a.tar/set/0001")
    assert first.surface_jaw
    assert second.name == "me"
    assert not second.surface_jaw
    assert second.coefficients.dtype == np.float32
    np.testing.assert_array_equal(second.landmarks_px, POINTS)
    np.testing.assert_array_equal(third.landmarks_px, POINTS)
    np.testing.assert_array_equal(fourth.rotation, np.eye(3))
    assert fourth.angles_deg.tolist() == [0.0, 1.0, 2.0]
    assert fifth.landmarks_px is None
    assert {sample.image.shape for sample in (first, second, third, fourth, fifth)} == {(30, 20, 3)}
    assert not dataset.skipped.reasons


def test_several_shards_in_folders_and_one_by_itself(tmp_path):
    for number, place in enumerate(("b/x.tar", "a/y.tar")):
        write(tmp_path / place, {f"{k}.png": picture(level=10 * number + k) for k in range(3)})
    dataset = Shards(tmp_path)
    assert dataset.names == tuple(f"{s}.tar/{k}" for s in ("a/y", "b/x") for k in range(3))
    assert [int(dataset[k].image[0, 0, 0]) for k in (5, 0, 4)] == [2, 10, 1]
    assert len(Shards(tmp_path / "b" / "x.tar")) == 3


def test_shards_of_one_name_in_two_folders_are_not_mixed(tmp_path):
    write(tmp_path / "a/0.tar", {"1.png": picture(level=10)})
    write(tmp_path / "b/0.tar", {"1.npy": npy(POINTS), "1.png": picture(level=20)})
    dataset = Shards(tmp_path)
    assert dataset.names == ("a/0.tar/1", "b/0.tar/1")
    first, second = read_samples(dataset)
    assert (first.landmarks_px is None, int(first.image[0, 0, 0])) == (True, 10)
    assert (second.landmarks_px is None, int(second.image[0, 0, 0])) == (False, 20)


def test_equal_keys_are_one_sample_only_where_they_are_neighbours(tmp_path):
    write(tmp_path / "a.tar", {"d/1.png": picture(), "e/1.png": picture(), "d/1.npy": npy(POINTS)})
    dataset = Shards(tmp_path)
    assert dataset.names == ("a.tar/d/1", "a.tar/e/1")
    assert dataset[0].landmarks_px is None
    assert list(dataset.skipped.reasons) == ["a.tar/d/1"]


class Tripwire:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def header(text):
    """An npy file with a header of one's own."""
    data = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data


def bomb():
    """An npz file of 100 kB that is an array of 100 MB."""
    file = io.BytesIO()
    np.savez_compressed(file, coefficients=np.zeros(100 * 2**20, np.uint8))
    return file.getvalue()


def encrypted(archive):
    """The archive, which says that its one member is encrypted."""
    flags = archive.index(b"PK\x01\x02") + 8
    return archive[:flags] + b"\x01" + archive[flags + 1 :]


BROKEN = {
    "open bracket": {"png": picture(), "npy": header("{'descr': (")},
    "long claim": {
        "png": picture(),
        "npy": header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 2)}"),
    },
    "bomb": {"png": picture(), "npz": bomb()},
    "encrypted": {
        "png": picture(),
        "npz": encrypted(npz(rotation=np.eye(3))),
    },
    "cut picture": {"png": picture()[:45]},
    "no picture": {"npy": npy(POINTS)},
    "no json": {"png": picture(), "json": b'{"landmarks_px": [['},
    "cut npz": {"png": picture(), "npz": npz(rotation=np.eye(3))[:90]},
    "cut npy": {"png": picture(), "npy": npy(POINTS)[:200]},
    "pickle": {"png": picture(), "npy": npy(np.array([Tripwire()], object), allow_pickle=True)},
}


ODD = {
    "ragged": {"png": picture(), "json": b'{"landmarks_px": [[1, 2], [3]]}'},
    "words": {"png": picture(), "json": b'{"angles_deg": ["a", "b", "c"]}'},
    "wrong shape": {"png": picture(), "npy": npy(POINTS[:67])},
    "nan": {"png": picture(), "npz": npz(rotation=np.full((3, 3), np.nan), angles_deg=np.ones(3))},
}


def test_odd_samples_are_read_but_for_what_is_odd(tmp_path):
    files = {f"{key}.{end}": data for key, each in ODD.items() for end, data in each.items()}
    files["._ragged.png"] = b"of macOS"
    write(tmp_path / "a.tar", files)
    (tmp_path / ".shard-000001.0123abcd.tar").write_bytes((tmp_path / "a.tar").read_bytes())
    dataset = Shards(tmp_path)
    samples = {sample.name.split("/")[1]: sample for sample in read_samples(dataset)}
    assert samples.keys() == ODD.keys()
    assert samples["nan"].rotation is None
    assert samples["nan"].angles_deg.tolist() == [1.0, 1.0, 1.0]
    assert dataset.skipped.oddities.keys() == {f"a.tar/{key}" for key in ODD}
    assert not dataset.skipped.reasons
    assert all(line.startswith("warning: a.tar/") for line in dataset.skipped.lines())


def test_broken_samples_are_skipped_and_named(tmp_path):
    files = {"0.png": picture(), "0.npy": npy(POINTS)}
    for key, sample in BROKEN.items():
        files |= {f"{key}.{ending}": data for ending, data in sample.items()}
    write(tmp_path / "a.tar", files)
    dataset = Shards(tmp_path)
    assert [sample.name for sample in read_samples(dataset)] == ["a.tar/0"]
    assert set(dataset.skipped.reasons) == {f"a.tar/{key}" for key in BROKEN}
    for name, reason in dataset.skipped.reasons.items():
        assert name in reason


def test_a_truncated_shard_is_used_as_far_as_it_goes(tmp_path):
    write(tmp_path / "a.tar", {f"{k}.png": picture() for k in range(4)})
    write(tmp_path / "b.tar", {f"{k}.png": picture() for k in range(4)})
    write(tmp_path / "c.tar", {})
    whole = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "b.tar").write_bytes(whole[: 2 * 1024 + 600])
    (tmp_path / "d.tar").write_bytes(b"no tar " * 200)
    dataset = Shards(tmp_path)
    assert dataset.names == (*(f"a.tar/{k}" for k in range(4)), "b.tar/0", "b.tar/1")
    assert len(list(read_samples(dataset))) == 6
    assert "truncated inside 2.png" in dataset.skipped.reasons["b.tar"]
    assert "d.tar" in dataset.skipped


def test_a_bomb_is_never_unpacked(tmp_path):
    write(tmp_path / "a.tar", {"1.png": picture(), "1.npz": bomb()})
    dataset = Shards(tmp_path)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a\.tar/1\.npz.*64 MiB"):
        dataset[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_arrays_may_be_written_to(tmp_path):
    known = npz(coefficients=np.ones(5, np.float32), rotation=np.asfortranarray(np.eye(3)))
    write(tmp_path / "a.tar", {"1.png": picture(), "1.npz": known, "2.png": picture()})
    sample = Shards(tmp_path)[0]
    sample.coefficients[0] = 3.0
    assert sample.coefficients.tolist() == [3.0, 1.0, 1.0, 1.0, 1.0]


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="no tar files"):
        Shards(tmp_path)
    write(tmp_path / "a.tar", {"x.txt": b"1"})
    with pytest.raises(DataError, match=r"no sample is usable; the first: a\.tar/x"):
        Shards(tmp_path)
