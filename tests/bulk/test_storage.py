"""Pictures and tables on other storage, by fsspec's addresses."""

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

fsspec = pytest.importorskip("fsspec", reason="needs the extra bulk")

from mlanet.bulk import Batch, Settings, read, run
from mlanet.bulk.plan import PLAN
from mlanet.bulk.sources import content_of, open_sources
from mlanet.bulk.storage import storage_of
from mlanet.errors import DataError, MlanetError, UsageError
from mlanet.files.addresses import addresses_of, is_address


@pytest.fixture
def bucket(encoded):
    """Storage in memory with a folder of photos and two shards of them."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for name, content in encoded.items():
        system.pipe_file(f"/bucket/photos/{name}", content)
    system.pipe_file("/bucket/photos/below/last.PNG", b"")
    system.pipe_file("/bucket/photos/.hidden/photo.jpg", b"")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in encoded.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    system.pipe_file("/bucket/a.tar", packed.getvalue())
    table, file = pa.table({"jpg": pa.array(list(encoded.values()), pa.binary())}), io.BytesIO()
    pq.write_table(table, file, row_group_size=6)
    system.pipe_file("/bucket/b.parquet", file.getvalue())
    yield system
    system.store.clear()


def test_addresses_are_told_from_paths():
    assert is_address("s3://bucket/a.jpg")
    assert is_address("memory://a")
    assert not any(map(is_address, ("/a/b.jpg", "C:/a.jpg", "photo.jpg", "a:b", "./s3://x")))


def test_folders_and_patterns_name_their_files(bucket):
    def names(word, **options):
        found = addresses_of(word, {".jpg", ".png"}, **options)
        assert all(address.startswith("memory://") for address in found)
        return [address.rpartition("/")[2] for address in found]

    assert names("memory://bucket/photos") == [f"photo{number:02d}.jpg" for number in range(20)]
    assert names("memory://bucket/photos/", recursive=True)[0] == "last.PNG"
    assert names("memory://bucket/photos/*0.jpg") == ["photo00.jpg", "photo10.jpg"]
    assert names("memory://bucket/**/*.PNG") == ["last.PNG"]
    assert names("memory://bucket/other.jpg") == ["other.jpg"]


def test_sources_read_what_they_read_of_files(bucket, encoded):
    folder = addresses_of("memory://bucket/photos", {".jpg"})
    shards = ["memory://bucket/a.tar", "memory://bucket/b.parquet"]
    sources, problems = open_sources([*folder, *shards, "memory://bucket/none.tar"])
    assert problems == ["memory://bucket/none.tar: there is no such file"]
    for source in sources:
        assert [load() for _, load in source.pictures()] == list(encoded.values())
        for name, load in source.part(7, 9).pictures():
            assert content_of(name) == load()
        assert source.described()
    bucket.rm("/bucket/b.parquet")
    with pytest.raises(DataError, match=r"memory://bucket/b\.parquet: there is no such file"):
        list(sources[2].pictures())


def test_storage_keeps_its_promises_by_path_and_by_address(bucket, tmp_path):
    for storage in (storage_of(tmp_path / "out"), storage_of("memory://bucket/out")):
        assert storage.is_empty()
        storage.make("faces")
        assert not storage.has("faces/a.parquet")
        for content in (b"first", b"second"):
            storage.write("faces/a.parquet", content)
        assert storage.read("faces/a.parquet") == b"second"
        assert storage.listed("faces", ".parquet") == ["faces/a.parquet"]
        assert storage.listed("faces", ".json") == storage.listed("none", ".parquet") == []
        assert not storage.is_empty()
        with storage.folder("files/part") as staging:
            (staging / "0").mkdir()
            (staging / "0" / "face.json").write_text("{}")
        assert storage.read("files/part/0/face.json") == b"{}"
        with pytest.raises(DataError, match=r"faces/b\.parquet"):
            storage.read("faces/b.parquet")
        with storage.folder("files/part") as staging:
            if staging is not None:
                (staging / "0").mkdir()
                (staging / "0" / "face.json").write_text("{}")
        assert storage.read("files/part/0/face.json") == b"{}"


def test_what_killed_runs_left_on_storage_is_removed(bucket):
    storage = storage_of("memory://bucket/out")
    bucket.pipe_file("/bucket/out/faces/.mlanet-0123-part-00000000.parquet", b"half")
    bucket.pipe_file("/bucket/out/faces/mine.txt", b"mine")
    storage.make("faces")
    assert [path.rpartition("/")[2] for path in bucket.ls("/bucket/out/faces", detail=False)] == [
        "mine.txt"
    ]


def test_storage_that_cannot_be_used_is_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"^nonsense://a: .*nonsense"):
        storage_of("nonsense://a")
    (tmp_path / "file").write_text("")
    with pytest.raises(MlanetError, match=rf"^file://{tmp_path}/file/out"):
        storage_of(f"file://{tmp_path}/file/out").make()


def test_a_batch_on_storage_has_the_rows_of_one_on_disk(photos, tmp_path):
    """`file:` takes the same way as any storage, and all processes see it."""
    paths = [str(path) for path in sorted(photos.iterdir())][:3]
    settings = Settings(formats=("json",))
    for place, names in (
        (tmp_path / "disk", paths),
        (f"file://{tmp_path}/storage", [f"file://{path}" for path in paths]),
    ):
        sources, _ = open_sources(names)
        tally, failures = run(Batch(place, sources, settings), 1)
        assert (tally.pictures, failures) == (3, 0)
        assert run(Batch(place, sources, settings), 1)[0].before == 3
    wanted, found = (
        pq.read_table(tmp_path / name / "faces").to_pylist() for name in ("disk", "storage")
    )
    assert [{**row, "picture": f"file://{row['picture']}"} for row in wanted] == found
    for one in ("faces", "pictures", "files"):
        left, right = (
            {path.relative_to(tmp_path / name) for path in (tmp_path / name / one).rglob("*")}
            for name in ("disk", "storage")
        )
        assert left == right
    (face,) = next(read(f"file://{tmp_path}/storage")).faces
    assert face.image.any()
    assert (tmp_path / "storage" / PLAN).is_file()
