import io
import pickle
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlanet.datasets import SkippedSamples, TarIndex
from mlanet.datasets.archive import load_arrays
from mlanet.errors import DataError


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def contents():
    rng = np.random.default_rng(0)
    return {f"f{k:03d}.bin": rng.bytes(int(rng.integers(0, 3000))) for k in range(60)}


@pytest.fixture
def index(tmp_path, contents):
    names = list(contents)
    first = write_tar(tmp_path / "a.tar", {f"sub/{n}": contents[n] for n in names[:30]})
    second = write_tar(tmp_path / "b.tar", {n: contents[n] for n in names[30:]})
    return TarIndex([first, second])


def test_members_of_several_files_are_read_in_any_order(index, contents):
    assert index.names == tuple(contents)
    assert len(index) == 60
    for position in np.random.default_rng(1).permutation(60).tolist():
        assert index.read(position) == contents[index.names[position]]


def test_threads_may_share_an_index_and_processes_a_copy(index, contents):
    expected = list(contents.values()) * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(index.read, list(range(60)) * 20)) == expected
    assert pickle.loads(pickle.dumps(index)).read(7) == expected[7]


def test_names_are_matched_in_any_order(index, contents):
    wanted = ["f040.bin", "f003.bin", "f041.bin"]
    assert [index.read(k) for k in index.match(wanted)] == [contents[name] for name in wanted]
    with pytest.raises(DataError, match=r"nobody\.bin: named 1 times, but 0"):
        index.match(["f001.bin", "nobody.bin"])


def test_equal_names_are_matched_by_their_order(tmp_path):
    first, second = tmp_path / "a.tar", tmp_path / "b.tar"
    write_tar(first, {"one/x.bin": b"1", "y.bin": b"2", "two/x.bin": b"3"})
    write_tar(second, {"x.bin": b"4"})
    index = TarIndex([first, second])
    found = index.match(["x.bin", "x.bin", "y.bin", "x.bin"])
    assert [index.read(k) for k in found] == [b"1", b"3", b"2", b"4"]
    with pytest.raises(DataError, match=r"x\.bin: named 2 times, but 3"):
        index.match(["x.bin", "x.bin"])


def test_truncated_file_is_refused(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"x.bin": bytes(5000)})
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"a\.tar"):
        TarIndex([path])


def test_file_truncated_after_indexing_is_noticed(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"x.bin": bytes(5000)})
    index = TarIndex([path])
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"truncated inside x\.bin"):
        index.read(0)


def test_compressed_missing_and_other_files_are_refused(tmp_path):
    gz = write_tar(tmp_path / "a.tar.gz", {"x.bin": b"1"}, "w:gz")
    text = tmp_path / "text.tar"
    text.write_text("no tar " * 200)
    for path in (gz, text, tmp_path / "absent.tar"):
        with pytest.raises(DataError, match=path.name):
            TarIndex([path])


@pytest.fixture
def npz(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "labels.npz", **arrays)
        return tmp_path / "labels.npz"

    return write


def test_arrays_are_checked_for_presence_shape_and_length(npz):
    good = {"name": np.array(["a", "b"]), "points": np.zeros((2, 68, 3))}
    shapes = {"name": (), "points": (68, None)}
    assert load_arrays(npz(**good), shapes)["points"].shape == (2, 68, 3)
    with pytest.raises(DataError, match="'points' is missing"):
        load_arrays(npz(name=good["name"]), shapes)
    with pytest.raises(DataError, match="shape"):
        load_arrays(npz(**good | {"points": np.zeros((2, 67, 3))}), shapes)
    with pytest.raises(DataError, match="shape"):
        load_arrays(npz(**good | {"points": np.zeros((2, 68))}), shapes)
    with pytest.raises(DataError, match="length"):
        load_arrays(npz(**good | {"points": np.zeros((3, 68, 3))}), shapes)
    with pytest.raises(DataError, match="not finite"):
        load_arrays(npz(**good | {"points": np.full((2, 68, 3), np.nan)}), shapes)


def test_optional_arrays_may_be_absent_but_not_malformed(npz):
    path = npz(name=np.array(["a"]))
    assert list(load_arrays(path, {"name": ()}, {"extra": (3,)})) == ["name"]
    path = npz(name=np.array(["a"]), extra=np.zeros((1, 4)))
    with pytest.raises(DataError, match="extra"):
        load_arrays(path, {"name": ()}, {"extra": (3,)})


class Tripwire:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def test_pickles_are_never_run(tmp_path):
    np.savez(tmp_path / "evil.npz", name=np.array([Tripwire()], dtype=object))
    with pytest.raises(DataError, match=r"evil\.npz"):
        load_arrays(tmp_path / "evil.npz", {"name": ()})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text", None])
def test_unreadable_npz(tmp_path, content):
    path = tmp_path / "labels.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.npz"):
        load_arrays(path, {"name": ()})


def test_npy_instead_of_npz_and_damaged_members(tmp_path, npz):
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"x\.npy"):
        load_arrays(tmp_path / "x.npy", {"name": ()})
    path = npz(points=np.arange(1000.0))
    data = bytearray(path.read_bytes())
    data[4000] ^= 255
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"labels\.npz"):
        load_arrays(path, {"points": ()})


def header_only(path, shape, method=zipfile.ZIP_STORED):
    """An npz file whose array has a header and no numbers."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("points.npy", content.getvalue())


@pytest.mark.parametrize("shape", [(10**12, 68, 2), (10**30,), (300,)])
def test_arrays_that_claim_more_than_they_hold(tmp_path, shape):
    header_only(tmp_path / "labels.npz", shape)
    with pytest.raises(DataError, match=r"labels\.npz.*claims more"):
        load_arrays(tmp_path / "labels.npz", {"points": tuple(None for _ in shape[1:])})


@pytest.mark.parametrize(("offset", "value"), [(10, 99), (8, 1)])
def test_unknown_compression_and_encryption(npz, offset, value):
    path = npz(points=np.zeros(3))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"labels\.npz"):
        load_arrays(path, {"points": ()})


def test_files_that_would_fill_the_memory(npz, monkeypatch):
    monkeypatch.setattr("mlanet.datasets.archive.MAX_BYTES", 100)
    with pytest.raises(DataError, match="decompresses to more"):
        load_arrays(npz(points=np.zeros(13)), {"points": ()})
    assert load_arrays(npz(points=np.zeros(12), other=np.zeros(99)), {"points": ()})


def test_members_that_are_no_arrays(tmp_path):
    with zipfile.ZipFile(tmp_path / "labels.npz", "w") as archive:
        archive.writestr("points", b"text")
    with pytest.raises(DataError, match="'points' is missing"):
        load_arrays(tmp_path / "labels.npz", {"points": ()})


@pytest.mark.parametrize("claim", [{"GNU.sparse.map": "x"}, {"GNU.sparse.size": "x"}])
def test_headers_that_cannot_be_read_are_one_error(tmp_path, claim):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("whole.bin"))
        member = tarfile.TarInfo("odd.bin")
        member.pax_headers = claim
        archive.addfile(member)
    with pytest.raises(DataError, match=r"a\.tar: not a readable uncompressed tar file"):
        TarIndex([path])
    skipped = SkippedSamples()
    assert TarIndex([path], skipped).names == ("whole.bin",)
    assert "a.tar" in skipped
