import pickle
import warnings

import numpy as np
import pytest
from PIL import Image

from mlanet.errors import DataError
from mlanet.morphable import load_model
from mlanet.synthesis import BackgroundPhotos, RenderedHeads, backgrounds
from mlanet.synthesis.surroundings import SMALLEST_PART

SIZE = 48


@pytest.fixture
def folder(tmp_path):
    """Eight photos in folders; three are broken, one of them only behind its header."""
    rng = np.random.default_rng(0)
    for k in range(8):
        place = tmp_path / f"{k % 3}" / "of"
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (170 + 40 * k, 200, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{k}.jpg")
    cut = tmp_path / "1" / "of" / "4.jpg"
    cut.write_bytes(cut.read_bytes()[:2000])
    (tmp_path / "bad.jpg").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    (tmp_path / ".hidden.jpg").write_text("of another program")
    (tmp_path / "notes.txt").write_text("of the user's")
    return tmp_path


def test_photos_are_found_in_folders_and_broken_ones_are_left_out(folder):
    photos = BackgroundPhotos(folder, SIZE)
    assert len(photos) == len(photos.names) == 8
    assert list(photos.skipped.reasons) == ["bad.jpg", "small.png"]
    assert "is not a picture" in photos.skipped.reasons["bad.jpg"]
    assert photos.names[3:5] == ("1/of/1.jpg", "1/of/4.jpg")
    np.testing.assert_array_equal(photos[4], photos[5])
    assert "1/of/4.jpg" in photos.skipped
    assert len(photos.skipped) == 3
    assert sum(1 for _ in photos) == 8


def test_few_photos_are_in_memory_at_a_time(folder, monkeypatch):
    read = []
    original = backgrounds.read_image
    monkeypatch.setattr(backgrounds, "read_image", lambda path: read.append(path) or original(path))
    sizes = [photo.nbytes for photo in BackgroundPhotos(folder, SIZE)]
    read.clear()
    monkeypatch.setattr(backgrounds, "CACHE_BYTES", sizes[0] + sizes[1] + 1)
    photos = BackgroundPhotos(folder, SIZE)
    assert [path.name for path in read] == ["0.jpg"]
    for index in [*range(8), *range(8)]:
        assert min(photos[index].shape[:2]) <= np.ceil(SIZE / SMALLEST_PART)
    assert sum(photo.nbytes for photo in photos._kept.values()) <= backgrounds.CACHE_BYTES
    assert [path.name for path in read].count("0.jpg") == 1


def test_heads_depend_on_the_seed_alone_whoever_asks_in_what_order(folder):
    model = load_model()
    heads = RenderedHeads(model, SIZE, count=12, photos=BackgroundPhotos(folder, SIZE))
    there = [heads[index].image for index in range(12)]
    other = RenderedHeads(model, SIZE, count=12, photos=BackgroundPhotos(folder, SIZE))
    for made in (other, pickle.loads(pickle.dumps(heads))):
        for index in (9, 2, 11, 0, 5, 5, 1):
            np.testing.assert_array_equal(made[index].image, there[index])
    plain = RenderedHeads(model, SIZE, count=12)
    assert any((plain[index].image != there[index]).any() for index in range(12))


def test_only_a_folder_without_a_readable_photo_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no photos"):
        BackgroundPhotos(tmp_path, SIZE)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)).save(
        tmp_path / "cut.jpg"
    )
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:400])
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(DataError, match=r"the first of 2 .*bad\.png"):
        BackgroundPhotos(tmp_path, SIZE)
    (tmp_path / "whole.jpg").write_bytes(whole)
    photos = BackgroundPhotos(tmp_path, SIZE)
    assert all(len(photos[index]) == 90 for index in range(len(photos)))


def test_large_photos_are_read_without_a_warning(tmp_path):
    Image.new("L", (11_000, 9_000)).save(tmp_path / "large.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photos = BackgroundPhotos(tmp_path, SIZE)
    assert photos[0].shape == (160, 196, 3)
