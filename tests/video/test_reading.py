import warnings
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from mlanet.errors import FilmError, FilmWarning

av = pytest.importorskip("av", reason="needs the extra video")
from mlanet.video.reading import Film

from .films import number_of, pattern, write_film


def numbers(film, since=0):
    return [number_of(frame.image) for frame in film.frames(since)]


def test_frames_come_in_order_at_their_own_times(tmp_path):
    pts = [0, 20, 25, 100, 101, 340]
    film = Film.open(write_film(tmp_path / "a.mp4", pattern(6), pts))
    assert film.size == (48, 64)
    assert not film.has_audio
    frames = list(film.frames())
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert np.allclose([frame.time_s for frame in frames], np.array(pts) / 600.0, atol=1e-3)
    assert numbers(film, 4) == [4, 5]


def test_a_frame_is_found_by_its_time(tmp_path):
    film = Film.open(
        write_film(tmp_path / "a.mp4", pattern(12), options={"g": "5", "crf": "12", "bf": "2"})
    )
    times = [frame.pts for frame in film.frames()]
    for k in (0, 4, 7, 11):
        assert number_of(film.frame_at(times[k]).image) == k
    assert film.frame_at(times[3] + 1) is None


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("ten-bit.mp4", "libx264", "yuv420p10le"),
        ("full.mkv", "libx264", "yuv444p"),
        ("web.webm", "libvpx-vp9", "yuv420p"),
        ("old.avi", "mpeg4", "yuv420p"),
        ("stream.ts", "libx264", "yuv420p"),
        ("colours.mov", "prores_ks", "yuv422p10le"),
    ],
)
def test_forms_of_films(tmp_path, name, codec, pix_fmt):
    options = {"crf": "12"} if codec == "libx264" else {"b": "2000000"}
    path = write_film(
        tmp_path / name,
        pattern(5),
        codec=codec,
        pix_fmt=pix_fmt,
        options=options,
        time_base=Fraction(1, 30),
    )
    frames = list(Film.open(path).frames())
    assert [number_of(frame.image) for frame in frames] == list(range(5))
    assert np.abs(np.diff([frame.time_s for frame in frames]) - 1 / 30).max() < 2e-3
    assert np.abs(frames[0].image[36, 32].astype(int) - [200, 0, 0]).max() < 25


def test_odd_sizes_and_pixels_that_are_not_square(tmp_path):
    odd = write_film(tmp_path / "odd.mkv", pattern(3, (47, 63)), pix_fmt="yuv444p")
    assert Film.open(odd).size == (47, 63)
    wide = write_film(tmp_path / "wide.mp4", pattern(3), aspect=Fraction(2, 1))
    film = Film.open(wide)
    assert film.size == (48, 128)
    assert next(film.frames()).image.shape == (48, 128, 3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_phone(tmp_path, degrees):
    path = write_film(tmp_path / "a.mp4", pattern(3))
    turned_matrix(path, degrees)
    film = Film.open(path)
    image = next(film.frames()).image
    assert image.shape[:2] == film.size == ((64, 48) if degrees % 180 else (48, 64))
    upright = np.rot90(pattern(1)[0], -degrees // 90)
    assert np.abs(image.astype(int) - upright).mean() < 12


def turned_matrix(path, degrees):
    """Write a display matrix that asks players to turn the film clockwise."""
    one = 1 << 16
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    rows = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0)
    data = bytearray(path.read_bytes())
    track = data.index(b"tkhd")
    start = track + 4 + 40
    data[start : start + 24] = np.array(rows, ">i4").tobytes()
    path.write_bytes(data)


def test_a_truncated_film_gives_what_is_left_and_says_so(tmp_path):
    whole = write_film(
        tmp_path / "a.mp4",
        [
            np.random.default_rng(k).integers(0, 256, (48, 64, 3)).astype(np.uint8)
            for k in range(60)
        ],
        container_options={"movflags": "faststart"},
    )
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 2 // 3])
    film = Film.open(whole)
    with pytest.warns(FilmWarning, match="damaged"):
        found = list(film.frames())
    assert 20 < len(found) < 60


def test_a_whole_film_is_not_called_damaged(tmp_path):
    film = Film.open(write_film(tmp_path / "a.mp4", pattern(20), audio="aac"))
    assert film.has_audio
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(film.frames())) == 20


def test_what_is_no_film_is_said_in_a_line(tmp_path):
    picture = tmp_path / "picture.mp4"
    Image.fromarray(pattern(1)[0]).save(picture, format="png")
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        from .films import write_sound

        write_sound(container, container.add_stream("aac", rate=44100), 0.2)
    noise, empty = tmp_path / "noise.mp4", tmp_path / "empty.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    empty.write_bytes(b"")
    for path, words in (
        (picture, "a picture, not a film"),
        (sound, "no video stream"),
        (noise, "no film"),
        (empty, "no film"),
    ):
        with pytest.raises(FilmError, match=words) as caught:
            Film.open(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        Film.open(tmp_path / "missing.mp4")
