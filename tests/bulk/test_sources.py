"""Files, tar members and Parquet rows give the same bytes under names that lead back to them."""

import io
import pickle
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlanet.bulk.sources import ParquetPictures, TarPictures, content_of, open_sources
from mlanet.errors import DataError, ImageError


def write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def contents(source):
    return {name: load() for name, load in source.pictures()}


@pytest.fixture
def shards(encoded, tmp_path):
    write_tar(tmp_path / "a.tar", encoded | {"photo00.json": b"{}", "._photo01.jpg": b"mac"})
    plain = pa.table({"key": list(encoded), "jpg": pa.array(list(encoded.values()), pa.binary())})
    pq.write_table(plain, tmp_path / "b.parquet", row_group_size=6)
    nested = [{"bytes": content, "path": name} for name, content in encoded.items()]
    pq.write_table(pa.table({"image": nested, "label": [0] * len(nested)}), tmp_path / "c.parquet")
    return tmp_path


def test_all_kinds_of_shards_give_the_same_bytes(shards, encoded):
    wanted = list(encoded.values())
    for name in ("a.tar", "b.parquet", "c.parquet"):
        (source,), problems = open_sources([str(shards / name)])
        assert not problems
        assert len(source) == len(wanted)
        found = contents(source)
        assert list(found.values()) == wanted
        for called, content in list(found.items())[::7]:
            assert content_of(called) == content


def test_a_part_is_that_part_and_travels_to_other_processes(shards, encoded):
    wanted = list(encoded.values())
    for name in ("a.tar", "b.parquet"):
        (source,), _ = open_sources([str(shards / name)])
        part = pickle.loads(pickle.dumps(source.part(4, 15))).part(1, 9)
        assert list(contents(part).values()) == wanted[5:13]
        assert list(contents(part)) == list(contents(source))[5:13]


def test_neighbouring_files_are_one_source_and_the_order_stays(photos, shards):
    files = [str(path) for path in sorted(photos.iterdir())]
    sources, _ = open_sources([*files[:3], str(shards / "a.tar"), *files[3:5]])
    assert [len(source) for source in sources] == [3, 20, 2]
    assert list(contents(sources[0])) == files[:3]


def test_what_cannot_be_used_is_named_and_the_rest_is_used(shards, encoded):
    (shards / "text.tar").write_text("no tar")
    (shards / "text.parquet").write_text("no table")
    pq.write_table(pa.table({"path": ["a"], "n": [1]}), shards / "paths.parquet")
    both = pa.table({"a": pa.array([b"1"], pa.binary()), "b": pa.array([b"2"], pa.binary())})
    pq.write_table(both, shards / "both.parquet")
    whole = (shards / "a.tar").read_bytes()
    (shards / "cut.tar").write_bytes(whole[: len(whole) // 2])
    wanted = {
        "text.tar": "not a readable uncompressed tar",
        "text.parquet": "not a readable Parquet",
        "paths.parquet": "no column of pictures' bytes among path, n",
        "both.parquet": "several columns of pictures' bytes",
        "cut.tar": "truncated inside",
        "none.tar": "no such",
    }
    sources, problems = open_sources(str(shards / name) for name in wanted)
    (cut,) = sources
    assert isinstance(cut, TarPictures)
    assert 0 < len(cut) < len(encoded)
    for (name, reason), line in zip(wanted.items(), problems, strict=True):
        assert line.startswith(str(shards / name))
        assert reason in line


def test_a_picture_that_is_gone_is_named(shards, photos):
    with pytest.raises(DataError, match="not there"):
        content_of(f"{shards}/a.tar/other.jpg")
    with pytest.raises(ImageError, match=r"other\.jpg"):
        content_of(f"{photos}/other.jpg")
    found = ParquetPictures.open(str(shards / "b.parquet"))
    (shards / "b.parquet").unlink()
    with pytest.raises(DataError, match=r"b\.parquet"):
        list(found.pictures())
