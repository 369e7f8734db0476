import warnings
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs the extra video")
from mlanet.video.reading import Film
from mlanet.video.writing import film_like

from .films import number_of, pattern, write_film


def copied(source, target, stop=None):
    film = Film.open(source)
    with film_like(film, target) as writer:
        for number, frame in enumerate(film.frames()):
            if number == stop:
                raise KeyboardInterrupt
            writer.write(frame.image, frame.pts)
    return Film.open(target)


@pytest.mark.parametrize("audio", [None, "aac", "pcm_s16le"])
def test_frames_times_and_sound_are_kept(tmp_path, audio):
    pts = [0, 20, 25, 100, 101, 340]
    source = write_film(tmp_path / "a.mkv", pattern(6), pts, audio=audio)
    film = copied(source, tmp_path / "b.mp4")
    frames, given = list(film.frames()), list(Film.open(source).frames())
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert np.allclose([f.time_s for f in frames], [f.time_s for f in given], atol=1e-3)
    with av.open(str(film.path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert film.has_audio == (audio is not None)
        if audio:
            heard = sum(frame.samples for frame in container.decode(audio=0))
            assert abs(heard / 44100 - 0.6) < 0.06


def test_odd_sizes_become_even(tmp_path):
    source = write_film(tmp_path / "a.mkv", pattern(3, (47, 63)), pix_fmt="yuv444p")
    film = copied(source, tmp_path / "b.mp4")
    assert film.size == (48, 64)
    assert number_of(next(film.frames()).image) == 0


def test_a_film_that_begins_late_begins_at_zero(tmp_path):
    pts = [5400 + 20 * k for k in range(12)]
    source = write_film(tmp_path / "a.ts", pattern(12), pts)
    assert Film.open(source).start_pts > 0
    film = copied(source, tmp_path / "b.mp4")
    frames, given = list(film.frames()), list(Film.open(source).frames())
    assert film.start_pts == 0
    assert np.allclose([f.time_s for f in frames], [f.time_s for f in given], atol=1e-3)


def test_an_interrupted_film_can_be_played(tmp_path):
    source = write_film(tmp_path / "a.mp4", pattern(12), audio="aac")
    with pytest.raises(KeyboardInterrupt):
        copied(source, tmp_path / "b.mp4", stop=7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [number_of(f.image) for f in Film.open(tmp_path / "b.mp4").frames()]
    assert found == list(range(7))


def test_a_film_that_was_cut_off_while_it_was_written_can_be_played(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (48, 64, 3)).astype(np.uint8) for _ in range(40)]
    film = Film.open(write_film(tmp_path / "a.mp4", images, rate=Fraction(2)))
    target = tmp_path / "b.mp4"
    with film_like(film, target) as writer:
        for number, frame in enumerate(film.frames()):
            writer.write(frame.image, frame.pts)
            if number == 39:
                (tmp_path / "c.mp4").write_bytes(target.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(list(Film.open(tmp_path / "c.mp4").frames())) > 5


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    film = Film.open(write_film(tmp_path / "a.mp4", pattern(3)))
    with (
        pytest.raises(OSError, match="nowhere") as caught,
        film_like(film, tmp_path / "nowhere" / "b.mp4"),
    ):
        pass
    assert caught.value.filename.endswith("b.mp4")
