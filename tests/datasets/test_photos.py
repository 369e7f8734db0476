import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from mlanet.assets import verified_path
from mlanet.datasets import PhotoFolder, detections, read_samples
from mlanet.detection import Detection
from mlanet.detection.centerface import CenterFace
from mlanet.errors import DataError
from mlanet.image import read_image


class Finder:
    """Finds a face of 60 pixels at every red pixel, and counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, image):
        self.asked += 1
        found = []
        for y, x in np.argwhere((image == [255, 0, 0]).all(axis=2)):
            center = np.array([x + 0.5, y + 0.5])
            points = center + np.array([[-12, -10], [12, -10], [0, 0], [-8, 12], [8, 12]])
            found.append(Detection(np.concatenate([center - 30, center + 30]), points, 0.9))
        return found


@pytest.fixture
def finder(monkeypatch):
    made = Finder()
    monkeypatch.setattr(CenterFace, "load", lambda **_: made)
    return made


def photo(path, *faces, size=(200, 160)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (10, 20, 30))
    for x, y in faces:
        image.putpixel((x, y), (255, 0, 0))
    image.save(path)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "photos"
    photo(root / "b.png", (80, 80))
    photo(root / "a" / "two.png", (50, 60), (150, 90))
    photo(root / "empty.png")
    (root / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    (root / "none.webp").write_bytes(b"")
    (root / "notes.txt").write_text("no photo")
    photo(root / ".thumbs" / "c.png", (80, 80))
    return root


def test_every_face_of_every_photo(root, finder):
    dataset = PhotoFolder(root, size=64, margin=1.5)
    assert dataset.names == ("a/two.png#0", "a/two.png#1", "b.png#0")
    assert dataset.without_face == ("empty.png",)
    assert set(dataset.skipped.reasons) == {"cut.jpg", "none.webp"}
    assert "none.webp: is empty" in dataset.skipped.reasons["none.webp"]
    sample = dataset[0]
    assert sample.image.shape == (64, 64, 3)
    assert sample.landmarks_px is sample.rotation is sample.coefficients is None
    assert finder.asked == 3


def test_crops_surround_the_detection_s_square(root, finder):
    near, wide = (PhotoFolder(root, size=64, margin=margin) for margin in (1.0, 1.5))
    for index in range(3):
        small, large = near.box_px(index), wide.box_px(index)
        np.testing.assert_allclose(small[:2] + small[2:], large[:2] + large[2:])
        assert large[2] - large[0] == pytest.approx(1.5 * (small[2] - small[0]))
        x = wide.detections[index].landmarks_px[2]
        inside = wide.crop(index).crop_from_image @ [*x, 1.0]
        red = np.unravel_index(wide[index].image[..., 0].argmax(), (64, 64))
        np.testing.assert_allclose(inside, [red[1] + 0.5, red[0] + 0.5], atol=1.0)


def test_a_second_opening_asks_the_detector_nothing(root, finder, monkeypatch):
    first = PhotoFolder(root)
    monkeypatch.setattr(CenterFace, "load", lambda **_: pytest.fail("the detector was loaded"))
    second = PhotoFolder(root)
    assert second.names == first.names
    assert second.skipped.reasons == first.skipped.reasons
    for one, other in zip(first.detections, second.detections, strict=True):
        np.testing.assert_array_equal(one.box_px, other.box_px)
        np.testing.assert_array_equal(one.landmarks_px, other.landmarks_px)
        assert one.score == other.score


def test_new_changed_moved_and_removed_photos(root, finder):
    PhotoFolder(root)
    photo(root / "new.png", (90, 90))
    photo(root / "b.png", (80, 80), (120, 80))
    os.utime(root / "b.png", ns=(1, 1))
    (root / "a" / "two.png").rename(root / "a" / "moved.png")
    os.utime(root / "a" / "moved.png", ns=(5, 5))
    (root / "empty.png").unlink()
    before = finder.asked
    dataset = PhotoFolder(root)
    assert finder.asked == before + 2  # the moved one is known by its content
    assert dataset.names == (
        "a/moved.png#0", "a/moved.png#1", "b.png#0", "b.png#1", "new.png#0"
    )  # fmt: skip
    assert dataset.without_face == ()


def test_a_killed_run_loses_a_part_at_most(root, finder, monkeypatch):
    for k in range(7):
        photo(root / f"many{k}.png", (80, 80 + k))
    monkeypatch.setattr(detections, "PART", 2)

    def stop(done, _total):
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PhotoFolder(root, progress=stop)
    assert len(list((root / ".mlanet").glob("detections-*.json"))) == 3
    (root / ".mlanet" / ".detections-1.abc.json").write_text("{half")
    seen = []
    PhotoFolder(root, progress=lambda *numbers: seen.append(numbers))
    assert seen[0] == (8, 12)
    assert finder.asked == 10  # no photo was looked at twice
    assert [path.name for path in (root / ".mlanet").glob("d*")] == ["detections.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:50],
        lambda text: re.sub(r" at [\d.]+", " at 0.9", text),
        lambda text: json.dumps({**json.loads(text), "photos": {"b.png": {"faces": [[1, 2]]}}}),
        lambda _: "[]",
    ],
)
def test_damaged_caches_and_those_of_other_detectors_are_not_used(root, finder, damage):
    first = PhotoFolder(root)
    path = root / ".mlanet" / "detections.json"
    path.write_text(damage(path.read_text()))
    asked = finder.asked
    assert PhotoFolder(root).names == first.names
    assert finder.asked == 2 * asked


def test_small_faces_are_left_out_when_asked(root, finder):
    assert len(PhotoFolder(root, min_face_px=60)) == 3
    with pytest.raises(DataError, match="no face of 61 pixels in 3 photos; 2 files"):
        PhotoFolder(root, min_face_px=61)


def test_threads_give_the_same(root, finder):
    for k in range(5):
        photo(root / f"many{k}.png", (80, 80 + k))
    one = PhotoFolder(root, cache=root.parent / "one")
    many = PhotoFolder(root, cache=root.parent / "many", threads=4)
    assert one.names == many.names
    assert not (root / ".mlanet").exists()


def test_a_photo_that_went_away_is_skipped(root, finder):
    dataset = PhotoFolder(root)
    (root / "b.png").unlink()
    assert [sample.name for sample in read_samples(dataset)] == ["a/two.png#0", "a/two.png#1"]
    assert "no such file" in dataset.skipped.reasons["b.png#0"]


def test_a_cache_that_cannot_be_written_says_what_to_do(root, finder):
    (root.parent / "file").write_text("")
    with pytest.raises(DataError, match="name another folder"):
        PhotoFolder(root, cache=root.parent / "file" / "cache")
    with pytest.raises(DataError, match="no such folder"):
        PhotoFolder(root / "absent")


def test_the_shipped_detector_finds_the_face_of_a_turned_photo(tmp_path):
    """A phone's picture: stored lying, upright by its EXIF orientation."""
    image = read_image(verified_path("example-image"))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(image)))
    stored.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    (name,) = PhotoFolder(tmp_path, size=96).names
    dataset = PhotoFolder(tmp_path, size=96)
    assert name == "phone.jpg#0"
    right, left = dataset.detections[0].landmarks_px[:2]
    assert left[0] - right[0] > 3 * abs(left[1] - right[1])
    assert dataset[0].image.std() > 20
