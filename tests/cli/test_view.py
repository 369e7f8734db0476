import hashlib

import pytest
import trimesh

from mlanet.cli import main, view
from mlanet.files.manifest import MANIFEST, Manifest, Origin


@pytest.fixture
def opened(monkeypatch):
    """Addresses that the browser was given."""
    addresses = []
    monkeypatch.setattr(view.webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


@pytest.fixture
def box(tmp_path):
    path = tmp_path / "box.glb"
    path.write_bytes(trimesh.creation.box().export(file_type="glb"))
    return path


@pytest.fixture
def result(tmp_path):
    """A folder as mlanet reconstruct writes it."""
    folder = tmp_path / "out" / "photo"
    folder.mkdir(parents=True)
    (folder / "view.html").write_text("page")
    (folder / "face_01.glb").write_bytes(b"glTF")
    origin = Origin(None, hashlib.sha256(b"").hexdigest())
    Manifest.of_folder(folder, origin).write(folder / MANIFEST)
    return folder


def run(*words):
    with pytest.raises(SystemExit) as stop:
        main(["view", *map(str, words)])
    return stop.value.code


def test_a_file_gets_a_page(box, opened, tmp_path, capsys):
    assert run(box, "--out", tmp_path / "box.html") == 0
    assert opened == [(tmp_path / "box.html").as_uri()]
    assert capsys.readouterr().out == f"{tmp_path / 'box.html'}\n"
    assert "<title>box</title>" in (tmp_path / "box.html").read_text(encoding="utf-8")


def test_without_out_the_page_is_temporary(box, opened, tmp_path, monkeypatch, capsys):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert run(box) == 0
    (page,) = (tmp_path / "tmp").glob("*/box.html")
    assert opened == [page.as_uri()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.glb", "tmp"]


def test_a_result_has_its_page_already(result, opened):
    page = (result / "view.html").as_uri()
    assert [run(result), run(result.parent), run(result / "face_01.glb")] == [0, 0, 0]
    assert opened == [page, page, f"{page}#face_01"]


def test_a_file_that_was_changed_is_shown_as_it_is(result, box, opened, tmp_path):
    (result / "face_01.glb").write_bytes(box.read_bytes())
    assert run(result / "face_01.glb", "--out", tmp_path / "x.html") == 0
    assert "face_01" in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_a_page_is_copied(result, opened, tmp_path):
    assert run(result, "--out", tmp_path / "mine.html", "--no-open") == 0
    assert (tmp_path / "mine.html").read_text() == "page"
    assert opened == []


def test_all_files_of_a_folder_are_on_one_page(box, opened, tmp_path):
    (tmp_path / "other.glb").write_bytes(box.read_bytes())
    assert run(tmp_path, "--out", tmp_path / "x.html") == 0
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert '"name": "box"' in page
    assert '"name": "other"' in page


def test_without_a_browser_the_page_is_named(box, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(view.webbrowser, "open", lambda _: False)
    assert run(box, "--out", tmp_path / "x.html") == 1
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'x.html'}\n"
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "status", "words"),
    [
        ("x.glb", b"PK\3\4 no model at all", 1, "is no GLB file"),
        ("x.glb", b"", 1, "is no GLB file"),
        ("x.glb", b"hi", 1, "is no GLB file"),
        ("x.glb", b"glTF\2\0\0\0", 1, "is cut off"),
        ("x.jpg", b"\xff\xd8", 2, "mlanet reconstruct"),
        ("x.glb", None, 1, "there is no such file"),
    ],
)
def test_what_cannot_be_shown_is_one_line(name, content, status, words, opened, tmp_path, capsys):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert run(path, "--out", tmp_path / "page.html") == status
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "page.html").exists()
    assert opened == []


def test_folders_with_nothing_or_with_several_results_say_so(result, opened, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty") == 2
    assert "there is no GLB file in this folder" in capsys.readouterr().err
    other = result.with_name("other")
    other.mkdir()
    (other / "view.html").write_text("page")
    assert run(result.parent) == 2
    assert "holds 2 results" in capsys.readouterr().err
