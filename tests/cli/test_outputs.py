"""Where a command would write is refused before it works, in one line."""

import os

import pytest

from mlanet.cli import main
from mlanet.cli.common import check_file, check_folder
from mlanet.errors import UsageError


@pytest.fixture
def file(tmp_path):
    (tmp_path / "file").write_text("mine")
    return tmp_path / "file"


def test_folders_that_are_there_or_can_be_made_are_fine(tmp_path, file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path / "a" / "b", tmp_path / "..", *map(type(file), ("", "c"))):
        check_folder("--out", folder)
    for path in (file, tmp_path / "a" / "b", type(file)("c")):
        check_file("--out", path)
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_no_folder_and_holds_none(tmp_path, file):
    with pytest.raises(UsageError, match=rf"^--out {file} is a file, not a folder$"):
        check_folder("--out", file)
    for check in (check_folder, check_file):
        with pytest.raises(UsageError, match=rf"^--out {file}/a/b: {file} is a file, not a folder"):
            check("--out", file / "a" / "b")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(UsageError, match="leads nowhere"):
        check_folder("--out", tmp_path / "link")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UsageError, match=rf"^--save {tmp_path} is a folder, not a file$"):
        check_file("--save", tmp_path)


def test_folders_without_permission_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    for check in (check_folder, check_file):
        with pytest.raises(UsageError, match=rf"{tmp_path}: no permission to write there"):
            check("--out", tmp_path / "a" / "b")


@pytest.mark.parametrize(
    ("verb", "options", "written"),
    [
        ("aflw2000", ["--data", "--annotations"], ["--out", "--save-predictions"]),
        ("occlusion", ["--data", "--annotations"], ["--out"]),
        ("identity", ["--data"], ["--out"]),
        ("florence", ["--data"], ["--out", "--save-predictions"]),
        ("florence", ["--data"], ["--write-pictures"]),
        ("scans", ["--data"], ["--out", "--save-predictions"]),
        ("scans", ["--data"], ["--write-pictures"]),
        ("now", ["--data", "--images"], ["--out"]),
        ("realy", ["--images"], ["--out"]),
    ],
)
def test_every_evaluation_looks_where_it_will_write_first(
    tmp_path, file, capsys, verb, options, written
):
    """What it would read is not there, but that comes later."""
    given = dict.fromkeys(options, tmp_path / "absent")
    for bad in written:
        places = given | dict.fromkeys(written, tmp_path / "fine") | {bad: file / "a"}
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", verb, *(str(word) for pair in places.items() for word in pair)])
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith(f"mlanet: {bad} {file / 'a'}: {file} is a file")
        assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [file]


def test_compare_looks_where_it_will_write_first(tmp_path, capsys):
    words = [str(tmp_path / "absent.json")] * 2
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "compare", *words, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "is a folder, not a file" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["now", "realy"])
def test_benchmarks_need_a_place_beside_their_folder(tmp_path, capsys, verb):
    (tmp_path / "out.report").write_text("mine")
    absent = ["--images", str(tmp_path / "absent"), *(["--data", "."] if verb == "now" else [])]
    for out, message in (
        ("/", "--out / is the root of the file system"),
        (tmp_path / "out", f"the report's folder {tmp_path / 'out.report'} is a file"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", verb, *absent, "--out", str(out)])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err
