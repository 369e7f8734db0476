import numpy as np
import pytest

from mlanet.errors import ImageError
from mlanet.files import atomic_path
from mlanet.image import read_image, write_image


def test_atomic_path_keeps_the_suffix_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "mesh.obj"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".obj"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failing_block_keeps_the_old_file(tmp_path):
    target = tmp_path / "mesh.obj"
    target.write_text("old")

    def fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_png_round_trip(tmp_path, channels):
    image = np.random.default_rng(1).integers(0, 256, (18, 22, *channels), dtype=np.uint8)
    if channels == (4,):
        image[..., 3] = 255
    write_image(tmp_path / "a.png", image)
    expected = image[..., :3] if channels else np.repeat(image[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)


def test_floats_are_written_as_eight_bits(tmp_path):
    write_image(str(tmp_path / "a.png"), np.full((16, 16, 3), 0.2, dtype=np.float32))
    assert (read_image(tmp_path / "a.png") == 51).all()


def test_jpeg_keeps_colours(tmp_path):
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    image[:, ::2] = (250, 20, 20)
    write_image(tmp_path / "a.JPG", image)
    assert np.abs(read_image(tmp_path / "a.JPG").astype(int) - image).mean() < 4


@pytest.mark.parametrize(
    ("name", "image", "reason"),
    [
        ("a.xyz", np.zeros((20, 20, 3), np.uint8), ".png"),
        ("a.png", np.zeros((20, 20, 2), np.uint8), "shape"),
        ("a.png", np.full((20, 20, 3), np.nan), "finite"),
        ("a.jpg", np.zeros((20, 20, 4), np.uint8), "cannot be written"),
        ("no folder/a.png", np.zeros((20, 20, 3), np.uint8), "cannot be written"),
    ],
)
def test_failures_name_the_file(tmp_path, name, image, reason):
    path = tmp_path / name
    with pytest.raises(ImageError, match=reason) as caught:
        write_image(path, image)
    assert str(caught.value).startswith(f"{path}: ")
    assert list(tmp_path.iterdir()) == []
