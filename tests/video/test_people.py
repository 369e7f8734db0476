import json
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra video")
from mlanet.geometry import angle_between
from mlanet.video import Tracker
from mlanet.video.people import best_frame, by_frame, filmed_people, portrait
from mlanet.video.reading import Frame
from mlanet.video.recording import FACES, FRAME, FRAMES, STATE, TRACKER, Recording, face_type


@pytest.fixture(scope="module")
def recording(reconstructor, talking, tmp_path_factory):
    layout = reconstructor.regressor.config.layout
    recording = Recording(tmp_path_factory.mktemp("recording"), layout, {})
    tracker = Tracker(reconstructor)
    for index in range(len(talking)):
        time_s = float(talking.times_s[index])
        found = tracker(talking[index], time_s)
        recording.add(Frame(talking[index], index, time_s), found, tracker.cut)
    recording.checkpoint(tracker, finished=True)
    return recording


@pytest.fixture(scope="module")
def person(recording, reconstructor, talking):
    (person,) = filmed_people(recording, reconstructor.model, talking.camera, 0.5)
    return person


def test_pose_and_expression_are_near_the_truth(person, talking):
    truth = talking.actors[0]
    off = np.degrees(angle_between(person.motion.pose.rotation, truth.pose.rotation))
    assert np.mean(off) < 4.5
    jaw = person.model.expression_names.index("jawOpen")
    known, found = truth.expression[:, jaw], person.motion.expression[:, jaw]
    assert np.corrcoef(known, found)[0, 1] > 0.9
    assert np.abs(person.motion.times_s - talking.times_s).max() == 0.0


def test_one_shape_is_seen_where_the_person_is(person, talking):
    truth = talking.landmarks_px(0)[..., :2]
    side = np.ptp(truth[0], axis=0).max()
    for index in (0, 10, 20):
        away = np.abs(person.head(index).landmarks[:, :2] - truth[index]).mean()
        assert away < 0.03 * side


def test_the_texture_is_that_of_a_good_frame(person, recording, talking, reconstructor):
    index = best_frame(person, recording)
    assert abs(person.motion.pose.euler_deg[index, 1]) < 12.0
    number = int(person.frames[index])
    frame = Frame(talking[number], number, float(talking.times_s[number]))
    face = portrait(person, index, recording, frame, 128)
    truth = talking.landmarks_px(0)[number, :, :2]
    assert np.abs(face.landmarks_px[:, :2] - truth).mean() < 0.03 * np.ptp(truth[:, 0])
    assert face.texture.image.std() > 5.0


def test_people_come_by_frame(person):
    present = list(by_frame([person], 30))
    assert [len(each) for each in present] == [1] * 24 + [0] * 6
    assert present[5] == [(person, 5)]


def test_who_is_seen_for_a_moment_is_left_out(tmp_path, reconstructor, talking):
    layout = reconstructor.regressor.config.layout
    recording, tracker = Recording(tmp_path, layout, {}), Tracker(reconstructor)
    for index in range(3):
        found = tracker(talking[index], index / 24.0)
        recording.add(Frame(talking[index], index, index / 24.0), found, False)
    assert filmed_people(recording, reconstructor.model, talking.camera, 0.5) == []


def test_memory_does_not_grow_with_the_film(tmp_path, recording, reconstructor, talking):
    peaks = []
    for count in (2000, 6000):
        copy = tmp_path / str(count)
        copy.mkdir()
        times = np.arange(count)
        for name, key in ((FRAMES, "pts"), (FACES, "frame")):
            kind = FRAME if name == FRAMES else face_type(recording.layout)
            rows = np.resize(np.fromfile(recording.folder / name, kind), count)
            rows[key] = times
            if name == FRAMES:
                rows["time_s"] = times / 24.0
            rows.tofile(copy / name)
        (copy / TRACKER).touch()
        state = json.loads((recording.folder / STATE).read_text())
        (copy / STATE).write_text(json.dumps(state | {"frames": count, "faces": count}))
        long = Recording(copy, recording.layout, {})
        tracemalloc.start()
        (person,) = filmed_people(long, reconstructor.model, talking.camera, 0.5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(person.frames) == count
    assert (peaks[1] - peaks[0]) / 4000.0 < 300.0  # bytes a frame
