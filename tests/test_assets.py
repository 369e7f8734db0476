import hashlib
import json

import pytest

from mlanet import assets
from mlanet.assets import AssetRecord, asset_records, verified_path
from mlanet.errors import AssetError

RECORD = {
    "name": "thing",
    "file": "thing.bin",
    "version": "3",
    "sha256": hashlib.sha256(b"content").hexdigest(),
    "licence": "CC0-1.0",
    "source": "made up",
    "script": "assets/thing.py",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty package folder whose `data` the functions look into."""

    def forget():
        asset_records.cache_clear()
        verified_path.cache_clear()

    (tmp_path / "data").mkdir()
    monkeypatch.setattr(assets, "files", lambda _: tmp_path)
    forget()
    yield tmp_path / "data"
    forget()


def write(package, records):
    (package / "assets.json").write_text(json.dumps(records), encoding="utf-8")


@pytest.mark.parametrize("name", ["open_face", "detector", "example-image"])
def test_shipped_files_are_whole_and_documented(name):
    record = asset_records()[name]
    assert verified_path(name) == record.path
    assert record.path.stat().st_size > 100_000
    assert all(getattr(record, field) for field in AssetRecord.__slots__)


def test_a_whole_file_is_found(package):
    write(package, [RECORD])
    (package / "thing.bin").write_bytes(b"content")
    assert verified_path("thing") == package / "thing.bin"
    assert asset_records()["thing"].licence == "CC0-1.0"


def test_an_altered_file_is_refused(package):
    write(package, [RECORD])
    (package / "thing.bin").write_bytes(b"contenT")
    with pytest.raises(AssetError, match=r"thing\.bin: the file was altered"):
        verified_path("thing")


def test_a_missing_file_is_named(package):
    write(package, [RECORD])
    with pytest.raises(AssetError, match=r"thing\.bin: cannot be read"):
        verified_path("thing")


def test_a_failure_is_not_remembered(package):
    write(package, [RECORD])
    with pytest.raises(AssetError):
        verified_path("thing")
    (package / "thing.bin").write_bytes(b"content")
    assert verified_path("thing").exists()


def test_unknown_names_are_answered_with_the_known_ones(package):
    write(package, [RECORD])
    with pytest.raises(AssetError, match=r"'thign'; there are thing"):
        verified_path("thign")


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"\xff\xfe\x00", b"7", b"[7]", b'{"name": "x"}', b'[{"file": "x"}]'],
)
def test_an_unreadable_list_is_one_clear_error(package, content):
    if content is not None:
        (package / "assets.json").write_bytes(content)
    with pytest.raises(AssetError, match=r"assets\.json: the list of assets is unreadable"):
        asset_records()


def test_an_unknown_field_is_refused(package):
    write(package, [{**RECORD, "colour": "red"}])
    with pytest.raises(AssetError, match="unreadable"):
        asset_records()
