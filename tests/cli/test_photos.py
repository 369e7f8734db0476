"""What words of the command line name."""

import io
import os
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlanet.cli.photos import Photo, photos_of
from mlanet.errors import ImageError, UsageError
from mlanet.files import MANIFEST, Origin, result_folder
from mlanet.files.manifest import Manifest


@pytest.fixture
def holiday(tmp_path, monkeypatch):
    """A folder of photos, in which there are other things, too."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "holiday/b.jpg",
        "holiday/a.PNG",
        "holiday/notes.txt",
        "holiday/._a.PNG",
        "holiday/.hidden/c.jpg",
        "holiday/beach/d.webp",
        "other/e.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with result_folder(tmp_path / "holiday", "b", Origin.of_file(path)) as result:
        (result.staging / "overlay.png").touch()
    return tmp_path


def names(words, **options):
    photos, problems = photos_of(words, **options)
    assert problems == []
    return [Path(photo.name).as_posix() for photo in photos]


def test_folders_give_their_photos_and_no_results(holiday):
    assert names(["holiday"]) == ["holiday/a.PNG", "holiday/b.jpg"]
    below = ["holiday/a.PNG", "holiday/b.jpg", "holiday/beach/d.webp"]
    assert names(["holiday/"], recursive=True) == below
    assert names(["holiday", "other"], recursive=True) == [*below, "other/e.jpg"]
    assert names(["holiday/b/overlay.png"]) == ["holiday/b/overlay.png"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("holiday/*.jpg", ["holiday/b.jpg"]),
        ("holiday/[ab].*", ["holiday/a.PNG", "holiday/b.jpg"]),
        ("holiday/?.jpg", ["holiday/b.jpg"]),
        ("*/*.jpg", ["holiday/b.jpg", "other/e.jpg"]),
        ("**/*.jpg", ["holiday/b.jpg", "other/e.jpg"]),
        ("**/*.*", ["holiday/a.PNG", "holiday/b.jpg", "holiday/beach/d.webp", "other/e.jpg"]),
        ("o*", ["other/e.jpg"]),
    ],
)
def test_patterns_are_expanded_without_a_shell(holiday, pattern, expected):
    assert names([pattern]) == expected
    absolute = [(holiday / name).as_posix() for name in expected]
    assert names([str(holiday / pattern)]) == absolute


def test_what_exists_is_meant_whatever_it_looks_like(holiday):
    for name in ("[ab].jpg", "[2026]/x.jpg", "2/x.jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    Path("a.jpg").touch()
    assert names(["[ab].jpg"]) == ["[ab].jpg"]
    assert names(["[2026]/*.jpg"]) == ["[2026]/x.jpg"]
    assert names([holiday / "[2026]" / "?.jpg"]) == [(holiday / "[2026]/x.jpg").as_posix()]


def test_each_photo_is_taken_once(holiday):
    words = ["other/e.jpg", "other", "other/*.jpg", "./other/../other/e.jpg", Path("other/e.jpg")]
    assert names(words) == ["other/e.jpg"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("none*.jpg", "no photo fits it"),
        ("holiday/*.txt", "no photo fits it"),
        ("empty", "no photo in this folder"),
        ("https://example.org/a.jpg", "opens no connection"),
        ("file:///tmp/a.jpg", "opens no connection"),
        ("data:image/png;base64,AAAA", "opens no connection"),
    ],
)
def test_words_that_name_no_photo_are_told_and_the_others_are_found(holiday, word, reason):
    Path("empty").mkdir()
    photos, (problem,) = photos_of([word, "other"])
    assert [photo.stem for photo in photos] == ["e"]
    assert problem.startswith(f"{word}: ")
    assert reason in problem


def test_a_folder_with_a_result_is_for_looking_at(tmp_path):
    (tmp_path / "overlay.png").write_bytes(b"picture")
    Manifest.of_folder(tmp_path, Origin(None, "0" * 64)).write(tmp_path / MANIFEST)
    found, (problem,) = photos_of([tmp_path])
    assert found == []
    assert problem == f"{tmp_path}: holds a result and no photo; mlanet view {tmp_path} shows it"


def test_missing_files_are_left_for_reading():
    photos, problems = photos_of(["missing.jpg", "C:/a.jpg"])
    assert problems == []
    with pytest.raises(ImageError, match=r"^missing\.jpg: there is no such file"):
        photos[0].read()


def test_standard_input_is_read_and_known_by_its_hash(monkeypatch):
    stream = io.BytesIO()
    Image.new("RGB", (20, 30), (9, 8, 7)).save(stream, "PNG")
    content = stream.getvalue()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    (photo,), _ = photos_of(["-", "-"])
    assert (photo.name, photo.stem) == ("standard input", "stdin")
    image, origin = photo.read()
    np.testing.assert_array_equal(image, np.full((30, 20, 3), (9, 8, 7), np.uint8))
    assert origin == Origin(None, sha256(content).hexdigest())


def test_a_terminal_is_no_photo(monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda _: True})())
    with pytest.raises(UsageError, match="standard input"):
        photos_of(["-"])


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_a_folder_makes_no_second_photo(tmp_path):
    (tmp_path / "real").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "real" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    photos, _ = photos_of([tmp_path / "real", tmp_path / "link"])
    assert len(photos) == 1
    through = Photo(tmp_path / "link" / "a.png").read()[1]
    assert through.same_photo(photos[0].read()[1])
