import os
import sys
from pathlib import Path

import pytest

from mlanet.errors import DataError, MlanetError
from mlanet.files import list_files, one_line, parsing, read_bytes, read_json, start_of


def test_hidden_files_and_folders_are_not_listed(tmp_path):
    for name in ("b.jpg", "a.JPG", "._b.jpg", "c.txt", "below/d.jpg", ".cache/e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [p.name for p in list_files(tmp_path, {".jpg"})] == ["a.JPG", "b.jpg"]
    found = [p.relative_to(tmp_path).as_posix() for p in list_files(tmp_path, recursive=True)]
    assert found == ["a.JPG", "b.jpg", "below/d.jpg", "c.txt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
@pytest.mark.parametrize("read", [lambda p: read_bytes(p, DataError, 10), read_json, start_of])
def test_pipes_and_devices_are_refused_without_being_opened(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="pipe or a device"):
            read(path, DataError) if read is read_json else (
                start_of(path, 4, DataError) if read is start_of else read(path)
            )


def test_no_more_bytes_than_allowed(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_bytes(file, DataError, 5) == b"12345"
    with pytest.raises(DataError, match="too large"):
        read_bytes(file, DataError, 4)
    if sys.platform == "linux":  # a file that claims no bytes and has some
        with pytest.raises(DataError, match="too large"):
            read_bytes(Path("/proc/self/environ"), DataError, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 5000 + b"]" * 5000, "nested"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested"),
        (b"{", "not a JSON file"),
        (b"\xff\xfe", "no text"),
        (b"", "not a JSON file"),
    ],
)
def test_bad_json_is_one_line_that_names_the_file(tmp_path, content, reason):
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_json(file, DataError)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_json_of_windows_and_brackets_in_text(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(b"\xef\xbb\xbf" + b'{"a": "' + b'[\\"' * 100 + b'"}')
    assert read_json(file, DataError) == {"a": '["' * 100}


@pytest.mark.parametrize("error", [RecursionError("x"), MemoryError(), SystemError("y\n\x1b[31m")])
def test_foreign_errors_become_one_harmless_line(error):
    with (
        pytest.raises(DataError, match=r"^file: damaged \(") as caught,
        parsing("file", "damaged", DataError),
    ):
        raise error
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_of_our_own_pass():
    with pytest.raises(MlanetError, match=r"^ours$"), parsing("file", "damaged", DataError):
        raise MlanetError("ours")


def test_long_reasons_are_cut():
    assert len(one_line("x" * 10_000)) < 300
