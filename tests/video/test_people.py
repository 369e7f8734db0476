import json
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra video")
from scipy.spatial.transform import Rotation

from mlanet.geometry import angle_between
from mlanet.image import crop_square
from mlanet.video import Tracker, people
from mlanet.video.keyframes import Studied, TurnCorrection, choose_frames, cut_out
from mlanet.video.people import by_frame, filmed_people
from mlanet.video.reading import Frame
from mlanet.video.recording import FACES, FRAME, FRAMES, STATE, TRACKER, Recording, face_type


class Shown:
    """A rendered film as one that is read; its times are its frames' numbers."""

    def __init__(self, film):
        self.film = film

    def frame_at(self, pts):
        return Frame(self.film[pts], pts, 0.0) if pts < len(self.film) else None


class Unreadable:
    """A film that is gone."""

    def frame_at(self, pts):
        return None


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
    (person,) = filmed_people(recording, reconstructor.model, talking.camera, 0.5, Shown(talking))
    return person


def test_pose_and_expression_are_near_the_truth(person, talking):
    truth = talking.actors[0]
    off = np.degrees(angle_between(person.motion.pose.rotation, truth.pose.rotation))
    assert np.mean(off) < 2.5
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


def test_the_texture_is_of_frames_from_different_sides(person):
    faces = person.studied.faces
    yaw = np.array([face.euler_deg[1] for face in faces])
    assert len(faces) > 2
    assert abs(yaw[0]) < 12.0
    assert np.ptp(yaw) > 20.0
    same = person.identity.astype(np.float32)
    assert all((face.coefficients.identity == same).all() for face in faces)
    whole, single = person.studied.worn()(None, None), faces[0].texture
    assert (whole.visibility > 0.5).mean() > 1.05 * (single.visibility > 0.5).mean()


def test_turns_that_some_frames_tell_hold_for_all():
    angles = np.stack([np.zeros(5), np.linspace(-30.0, 30.0, 5)], axis=1)
    turns = np.stack([3.0 + 0.0 * angles[:, 1], 0.05 * angles[:, 1], 0.0 * angles[:, 1]], axis=1)
    between = np.array([[0.0, 8.0], [3.0, -20.0]])
    found = Rotation.from_matrix(TurnCorrection(angles, turns)(between)).as_rotvec(degrees=True)
    assert np.allclose(found, [[3.0, 0.4, 0.0], [3.0, -1.0, 0.0]], atol=0.4)


def test_frames_that_are_chosen_show_all_sides():
    angles = np.stack([np.zeros(100), np.linspace(-40.0, 40.0, 100)], axis=1)
    merit = np.cos(np.radians(angles[:, 1]))
    chosen = choose_frames(merit, angles)
    assert abs(angles[chosen[0], 1]) < 1.0
    assert np.ptp(angles[chosen, 1]) > 60.0
    assert list(choose_frames(merit[:1], angles[:1])) == [0]
    assert len(choose_frames(np.zeros(9), angles[:9])) == 1  # none twice, if none shows anything


def test_a_picture_of_the_surroundings_has_the_faces_camera(recording, talking, reconstructor):
    row = recording.faces()[3]
    frame = Frame(np.tile(talking[3], (4, 4, 1)), 3, 0.0)
    image, crop = cut_out(frame, np.array(row["square_px"]))
    assert image.shape[0] < frame.image.shape[0]
    face = crop_square(image, crop.square_px, 64).image.astype(int)
    given = crop_square(frame.image, np.array(row["square_px"]), 64).image
    assert np.abs(face - given).mean() < 1.0


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
    assert filmed_people(recording, reconstructor.model, talking.camera, 0.5, Shown(talking)) == []


def test_memory_does_not_grow_with_the_film(
    tmp_path, recording, reconstructor, talking, monkeypatch
):
    monkeypatch.setattr(people, "studied", lambda faces, *_: Studied(tuple(faces), None))
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
        (person,) = filmed_people(long, reconstructor.model, talking.camera, 0.5, Unreadable())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(person.frames) == count
    assert (peaks[1] - peaks[0]) / 4000.0 < 300.0  # bytes a frame
