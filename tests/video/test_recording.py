import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra video")
from mlanet.video import Tracker
from mlanet.video.reading import Frame
from mlanet.video.recording import FACES, Recording

ORIGIN = {"film": "a.mp4", "bytes": 5}


def record(recording, tracker, film, count):
    for index in range(recording.num_frames, count):
        time_s = float(film.times_s[index])
        found = tracker(film[index], time_s)
        recording.add(Frame(film[index], index, time_s), found, tracker.cut)


@pytest.fixture
def layout(reconstructor):
    return reconstructor.regressor.config.layout


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(
    tmp_path, reconstructor, crossing, layout
):
    whole, tracker = Recording(tmp_path / "whole", layout, ORIGIN), Tracker(reconstructor)
    record(whole, tracker, crossing, 24)
    whole.checkpoint(tracker, finished=True)

    killed, tracker = Recording(tmp_path / "killed", layout, ORIGIN), Tracker(reconstructor)
    record(killed, tracker, crossing, 15)
    killed.checkpoint(tracker)
    record(killed, tracker, crossing, 18)
    killed.close()
    with (tmp_path / "killed" / FACES).open("ab") as file:
        file.write(b"half a row")

    again, tracker = Recording(tmp_path / "killed", layout, ORIGIN), Tracker(reconstructor)
    assert again.num_frames == 15
    assert not again.finished
    again.restore(tracker)
    record(again, tracker, crossing, 24)
    again.checkpoint(tracker, finished=True)
    assert (again.frames() == whole.frames()).all()
    assert (again.numbers() == whole.numbers()).all()
    for name in ("frame", "stretch"):
        assert (again.faces()[name] == whole.faces()[name]).all()
    for name in ("confidence", "square_px", "vector"):
        assert np.allclose(again.faces()[name], whole.faces()[name], atol=1e-4)


def test_another_films_recording_is_begun_anew(tmp_path, reconstructor, talking, layout):
    first, tracker = Recording(tmp_path, layout, ORIGIN), Tracker(reconstructor)
    record(first, tracker, talking, 2)
    first.checkpoint(tracker, finished=True)
    first.close()
    assert Recording(tmp_path, layout, ORIGIN).finished
    other = Recording(tmp_path, layout, ORIGIN | {"bytes": 6})
    assert (other.num_frames, other.finished, len(other.faces())) == (0, False, 0)


def test_only_what_it_wrote_is_removed(tmp_path, layout):
    recording = Recording(tmp_path / "a", layout, ORIGIN)
    (tmp_path / "a" / "mine.txt").write_text("x")
    recording.remove()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine.txt"]
    Recording(tmp_path / "b", layout, ORIGIN).remove()
    assert not (tmp_path / "b").exists()


def test_scratch_arrays_leave_nothing_behind(tmp_path, layout):
    recording = Recording(tmp_path / "a", layout, ORIGIN)
    array = recording.scratch((3, 5), np.float32)
    assert array.shape == (3, 5)
    assert (array == 0.0).all()
    array[1] = 2.0
    recording.remove()
    assert (array.sum(axis=1) == [0.0, 10.0, 0.0]).all()
    assert not (tmp_path / "a").exists()
