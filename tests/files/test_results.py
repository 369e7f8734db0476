import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from mlanet.errors import ImageError
from mlanet.files import (
    MANIFEST,
    Origin,
    finished_result,
    folder_names,
    read_manifest,
    result_folder,
)
from mlanet.files.results import without_results

FILES = {"face_00.json": "a face", "overlay.png": "a drawing"}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no kill, no limits")


def photo(tmp_path, name="img.jpg", content=b"photo"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write(out, path, files=FILES, **options):
    with result_folder(out, path.stem, Origin.of_file(path), **options) as result:
        for name, text in files.items():
            (result.staging / name).write_text(text)
    return result


def texts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != MANIFEST}


def test_the_manifest_says_what_was_written_from_which_photo(tmp_path):
    import mlanet

    path = photo(tmp_path)
    result = write(tmp_path / "deep" / "out", path)
    assert result.folder == tmp_path / "deep" / "out" / "img"
    assert result.moved_because == ""
    assert texts(result.folder) == FILES
    content = json.loads((result.folder / MANIFEST).read_text())
    assert content["photo"] == {"path": str(path), "sha256": Origin.of_bytes(b"photo").sha256}
    assert content["mlanet"] == mlanet.__version__
    assert {(file["name"], file["bytes"]) for file in content["files"]} == {
        (name, len(text)) for name, text in FILES.items()
    }
    assert [entry.name for entry in (tmp_path / "deep" / "out").iterdir()] == ["img"]


def test_a_result_is_finished_while_photo_options_version_and_files_are_the_same(
    tmp_path, monkeypatch
):
    path, out, options = photo(tmp_path), tmp_path / "out", {"formats": ["glb"], "faces": None}
    assert finished_result(out, "img", path, options) is None
    folder = write(out, path, options=options).folder
    assert read_manifest(folder).options == options
    assert finished_result(out, "img", path, options) == folder
    assert finished_result(out, "img", path, options | {"faces": 1}) is None
    with monkeypatch.context() as patch:
        patch.setattr("mlanet.files.results.__version__", "another")
        assert finished_result(out, "img", path, options) is None
    (folder / "notes.txt").write_text("mine")
    assert finished_result(out, "img", path, options) == folder
    (folder / "overlay.png").write_text("painted over")
    assert finished_result(out, "img", path, options) is None
    (folder / "overlay.png").write_text(FILES["overlay.png"])
    path.write_bytes(b"the photo was edited")
    assert finished_result(out, "img", path, options) is None
    write(out, path)
    assert read_manifest(folder).options is None
    assert finished_result(out, "img", path, options) is None


def test_a_result_of_the_same_photo_is_replaced_and_other_files_stay(tmp_path):
    path = photo(tmp_path)
    folder = write(tmp_path, path, {"overlay.png": "old", "face_01.json": "old"}).folder
    (folder / "notes.txt").write_text("mine")
    path.write_bytes(b"the photo was edited")
    assert write(tmp_path, path).folder == folder
    assert texts(folder) == {**FILES, "notes.txt": "mine"}
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.names == set(FILES)


def test_what_the_user_changed_is_the_users(tmp_path):
    path = photo(tmp_path)
    folder = write(tmp_path, path, {**FILES, "face_01.json": "gone next time"}).folder
    (folder / "face_01.json").write_text("edited by hand")
    assert write(tmp_path, path).folder == folder
    assert texts(folder) == {**FILES, "face_01.json": "edited by hand"}
    (folder / "overlay.png").write_text("painted")
    again = write(tmp_path, path)
    assert again.folder == tmp_path / "img-2"
    assert again.moved_because == f"{folder} holds files that are not mlanet's"
    assert texts(folder)["overlay.png"] == "painted"
    assert write(tmp_path, path).folder == tmp_path / "img-2"
    assert texts(tmp_path / "img-2") == FILES


@pytest.mark.parametrize("kind", ["file", "folder", "link", "other photo", "case", "form"])
def test_what_lies_there_stays_and_the_line_says_why(tmp_path, kind):
    path = photo(tmp_path, "bilder/é.jpg")
    place = tmp_path / "é"
    if kind == "file":
        place.write_text("mine")
    elif kind == "folder":
        place.mkdir()
        (place / "é.jpg").write_text("mine")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    elif kind == "other photo":
        write(tmp_path, photo(tmp_path, "photos/é.jpg"))
    elif kind == "case":
        place = tmp_path / "É"
        place.write_text("mine")
    else:
        place = tmp_path / unicodedata.normalize("NFD", "é")
        place.write_text("mine")
    result = write(tmp_path, path)
    assert result.folder == tmp_path / "é-2"
    assert result.moved_because.startswith(f"{place} ")
    assert texts(result.folder) == FILES
    assert write(tmp_path, path).folder == result.folder


def test_an_empty_folder_is_free(tmp_path):
    (tmp_path / "img").mkdir()
    assert write(tmp_path, photo(tmp_path)).folder == tmp_path / "img"


def test_an_input_is_never_touched(tmp_path):
    path = photo(tmp_path)
    folder = write(tmp_path / "out", path).folder
    link = tmp_path / "link.png"
    link.symlink_to(folder / "overlay.png")
    again = write(tmp_path / "out", path, {"overlay.png": "new"}, inputs=[path, link])
    assert again.folder == tmp_path / "out" / "img-2"
    assert texts(folder) == FILES


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"files": [{"name": "../img.jpg", "bytes": 5, "sha256": ""}]},
        {"files": [{"name": "overlay.png", "bytes": "9", "sha256": ""}]},
        {"files": 3},
        {"photo": {"path": 3, "sha256": ""}},
        {"photo": []},
    ],
)
def test_a_manifest_that_mlanet_did_not_write_makes_no_file_ours(tmp_path, change):
    path = photo(tmp_path)
    folder = write(tmp_path / "out", path).folder
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**content, **change}))
    assert read_manifest(folder) is None
    assert write(tmp_path / "out", path).folder == tmp_path / "out" / "img-2"
    assert texts(folder) == FILES
    assert path.read_bytes() == b"photo"


def test_standard_input_is_known_by_its_content(tmp_path):
    def take(content):
        with result_folder(tmp_path, "stdin", Origin.of_bytes(content)) as result:
            (result.staging / "a").write_bytes(content)
        return result

    assert take(b"one").folder == tmp_path / "stdin"
    assert take(b"two").folder == tmp_path / "stdin-2"
    assert take(b"three").moved_because == f"{tmp_path / 'stdin'} is of standard input"
    assert take(b"two").folder == tmp_path / "stdin-2"


def test_names_differ_on_every_file_system():
    composed = "é"
    names = folder_names([composed, unicodedata.normalize("NFD", composed), "É", "a", "a-2", "A"])
    keys = {unicodedata.normalize("NFC", name).casefold() for name in names}
    assert len(keys) == len(names)
    assert folder_names(["..", " x. ", ".hidden", "x" * 300]) == ["photo", "x", "hidden", "x" * 200]


def test_a_name_that_a_run_has_given_away_is_taken_if_it_is_free(tmp_path):
    path = photo(tmp_path)
    assert write(tmp_path, path, preferred="img-2").folder == tmp_path / "img-2"
    assert write(tmp_path, path).folder == tmp_path / "img-2"


def test_results_are_no_photos(tmp_path):
    folder = write(tmp_path, photo(tmp_path)).folder
    (folder / "mine.png").write_text("mine")
    paths = [tmp_path / "img.jpg", *sorted(folder.iterdir())]
    assert without_results(paths) == [paths[0], folder / "mine.png", folder / MANIFEST]


def test_a_failure_leaves_nothing_and_names_the_place(tmp_path):
    path = photo(tmp_path / "in")
    out = tmp_path / "out"
    old = write(out, path).folder

    def fail(error):
        with result_folder(out, path.stem, Origin.of_file(path)) as result:
            (result.staging / "overlay.png").write_text("half")
            if isinstance(error, OSError):
                error.filename = str(result.staging / "overlay.png")
                raise error
            raise error(f"{result.staging / 'overlay.png'}: cannot be written")

    with pytest.raises(OSError, match="No space") as found:
        fail(OSError(28, "No space left on device"))
    assert found.value.filename == str(out / "img" / "overlay.png")
    with pytest.raises(ImageError, match=rf"^{out}/img/overlay\.png: cannot be written$"):
        fail(ImageError)
    assert list(out.iterdir()) == [old]
    assert texts(old) == FILES


PARALLEL = """
import sys
from pathlib import Path
from mlanet.files import Origin, result_folder
out, path = Path(sys.argv[1]), Path(sys.argv[2])
for turn in range(int(sys.argv[3])):
    with result_folder(out, path.stem, Origin.of_file(path)) as result:
        for name in ("a", "b", "c"):
            (result.staging / name).write_text(f"{path} {turn}" * 100)
"""


def test_processes_that_write_at_once_keep_their_results_apart(tmp_path):
    paths = [photo(tmp_path, f"{k}/img.jpg", b"%d" % k) for k in range(4)]
    processes = [
        subprocess.Popen([sys.executable, "-c", PARALLEL, tmp_path / "out", path, "20"])
        for path in [*paths, *paths]
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * 8
    folders = sorted((tmp_path / "out").iterdir())
    assert [folder.name for folder in folders] == ["img", "img-2", "img-3", "img-4"]
    found = set()
    for folder in folders:
        manifest = read_manifest(folder)
        assert manifest is not None
        assert manifest.origin.path is not None
        found.add(manifest.origin.path)
        contents = texts(folder)
        assert contents.keys() == {"a", "b", "c"}
        assert len(set(contents.values())) == 1
        assert contents["a"].startswith(f"{manifest.origin.path} ")
    assert found == set(map(str, paths))


KILLED = """
import os, sys
from pathlib import Path
from mlanet.files import Origin, remove_leftovers, result_folder
out, path, left = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
remove_leftovers(out)
def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
def counted(name):
    real = getattr(Path, name)
    def wrapped(*words, **options):
        count()
        return real(*words, **options)
    setattr(Path, name, wrapped)
for name in ("replace", "rename", "unlink", "mkdir", "open"):
    counted(name)
with result_folder(out, path.stem, Origin.of_file(path)) as result:
    for name in ("a", "b", "d"):
        (result.staging / name).write_text("new")
"""


@POSIX
def test_a_kill_at_any_moment_loses_nothing_and_the_next_run_puts_it_right(tmp_path):
    path = photo(tmp_path)
    killed = 0
    for moment in range(1, 100):
        out = tmp_path / str(moment)
        folder = write(out, path, dict.fromkeys("abc", "old")).folder
        (folder / "mine").write_text("mine")
        done = subprocess.run(
            [sys.executable, "-c", KILLED, out, path, str(moment)], check=False, timeout=60
        )
        manifest = read_manifest(folder)
        assert manifest is not None
        for name, text in texts(folder).items():
            if name == "mine" or name.startswith("."):
                continue
            assert text in ("old", "new")
            assert manifest.owns(folder / name)
        assert (folder / "mine").read_text() == "mine"
        subprocess.run([sys.executable, "-c", KILLED, out, path, "0"], check=True, timeout=60)
        assert list(out.iterdir()) == [folder]
        assert texts(folder) == {"a": "new", "b": "new", "d": "new", "mine": "mine"}
        killed += done.returncode == -9
        if done.returncode == 0:
            break
    assert killed >= 12


FULL = """
import resource, signal, sys
from pathlib import Path
from mlanet.files import Origin, result_folder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
out, path = Path(sys.argv[1]), Path(sys.argv[2])
try:
    with result_folder(out, path.stem, Origin.of_file(path)) as result:
        (result.staging / "a").write_text("fits")
        from mlanet.files import atomic_path
        with atomic_path(result.staging / "b") as file:
            file.write_text("x" * 10000)
except OSError as error:
    print(error.filename, error.strerror)
"""


@POSIX
def test_a_full_disk_is_reported_with_the_output_and_leaves_the_old_result(tmp_path):
    path = photo(tmp_path)
    folder = write(tmp_path / "out", path).folder
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "out", path],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(f"{folder / 'b'} ")
    assert texts(folder) == FILES
    assert list((tmp_path / "out").iterdir()) == [folder]


def test_undecodable_names_are_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    try:
        path = photo(tmp_path, name)
    except OSError:
        pytest.skip("the file system wants UTF-8")
    folder = write(tmp_path / "out", path).folder
    assert write(tmp_path / "out", path).folder == folder
    assert folder.name == Path(name).stem
