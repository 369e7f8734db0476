import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mlanet.geometry import Pose
from mlanet.synthesis.films import bumps
from mlanet.video.smoothing import LiveSmoother, Motion, smoothed, zero_phase

TIMES = np.arange(300) / 30.0
NOISE = 0.005


def motion_of(expression, angles_deg=None, rng=None):
    count = len(TIMES)
    angles = np.zeros((count, 3)) if angles_deg is None else angles_deg
    place = np.tile([0.0, 0.0, 600.0], (count, 1))
    if rng is not None:
        place = place + 0.3 * rng.normal(size=(count, 3))
    return Motion(TIMES, expression, Pose(Rotation.from_rotvec(angles, True).as_matrix(), place))


def live(motion, strength):
    smoother, rows = LiveSmoother(strength), []
    for k in range(len(motion.times_s)):
        pose = Pose(motion.pose.rotation[k : k + 1], motion.pose.translation[k : k + 1])
        rows.append(smoother(Motion(motion.times_s[k : k + 1], motion.expression[k : k + 1], pose)))
    rotation = np.concatenate([row.pose.rotation for row in rows])
    translation = np.concatenate([row.pose.translation for row in rows])
    expression = np.concatenate([row.expression for row in rows])
    return Motion(motion.times_s, expression, Pose(rotation, translation))


@pytest.mark.parametrize("smooth", [smoothed, live])
def test_a_face_that_keeps_still_trembles_a_third(smooth):
    rng = np.random.default_rng(0)
    angles = rng.normal(size=(300, 3)) * 0.1
    motion = motion_of(0.3 + NOISE * rng.normal(size=(300, 4)), angles, rng)
    calm = smooth(motion, 0.5)

    def tremble(each):
        angle = Rotation.from_matrix(each.pose.rotation[60:-20]).as_rotvec(degrees=True)
        parts = each.expression[60:-20], angle, each.pose.translation[60:-20]
        return np.array([part.std(axis=0).mean() for part in parts])

    assert (tremble(calm) < 0.3 * tremble(motion)).all()


@pytest.mark.parametrize("smooth", [smoothed, live])
def test_blinks_keep_their_depth_and_their_time(smooth):
    rng = np.random.default_rng(1)
    clean = bumps(TIMES, [2.0, 4.01, 6.02, 8.0])[:, None]
    found = smooth(motion_of(clean + NOISE * rng.normal(size=clean.shape)), 0.5).expression[:, 0]
    for center in (60, 120, 181, 240):
        part = slice(center - 4, center + 5)
        assert found[part].max() > 0.9 * clean[part].max()
        assert abs(int(found[part].argmax()) - int(clean[part].argmax())) <= 1


def test_a_live_face_that_moves_across_lags_by_less_than_a_frame():
    motion = motion_of(np.zeros((300, 1)))
    across = np.stack([100.0 * TIMES - 500.0, 0.0 * TIMES, 600.0 + 0.0 * TIMES], axis=1)
    found = live(Motion(TIMES, motion.expression, Pose(motion.pose.rotation, across)), 0.5)
    late = across[:, 0] - found.pose.translation[:, 0]
    assert 0.0 < late[60:240].max() < 100.0 / 30.0


def test_a_file_is_smoothed_without_delay_and_ends_where_it_ended():
    rng = np.random.default_rng(2)
    wave = np.stack([np.sin(0.5 * TIMES), 0.1 * TIMES], axis=1)
    noisy = wave + NOISE * rng.normal(size=wave.shape)
    found = zero_phase(noisy, TIMES, 0.5)
    assert np.abs(found - wave).mean() < 0.5 * np.abs(noisy - wave).mean()
    shifts = [np.abs(np.roll(found[:, 0], k) - wave[:, 0])[5:-5].mean() for k in (-1, 0, 1)]
    assert np.argmin(shifts) == 1
    assert np.abs(found[0] - wave[0]).max() < 5 * NOISE


def test_uneven_times_count():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0.0, 6.0, 200))
    line = 0.5 * times[:, None]
    assert np.allclose(zero_phase(line, times, 1.0), line)
    noisy = line + NOISE * rng.normal(size=line.shape)
    assert np.abs(zero_phase(noisy, times, 0.5) - line).mean() < 0.6 * np.abs(noisy - line).mean()


def test_nothing_is_averaged_over_a_gap():
    times = np.concatenate([np.arange(40) / 30.0, 5.0 + np.arange(40) / 30.0])
    values = np.where(times < 3.0, 0.0, 1.0)[:, None]
    values = values + 1e-3 * np.random.default_rng(0).normal(size=values.shape)
    found = zero_phase(values, times, 1.0)
    assert np.abs(found - values).max() < 0.01


@pytest.mark.parametrize("smooth", [smoothed, live])
def test_no_strength_changes_nothing_and_others_are_refused(smooth):
    motion = motion_of(np.random.default_rng(0).uniform(size=(300, 2)))
    assert (smooth(motion, 0.0).expression == motion.expression).all()
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        smooth(motion, 1.5)


def test_rotations_stay_rotations_through_a_full_turn():
    angles = np.stack([0 * TIMES, 100.0 * TIMES, 0 * TIMES], axis=1)
    found = smoothed(motion_of(np.zeros((300, 1)), angles), 0.5).pose.rotation
    assert np.allclose(found @ np.swapaxes(found, 1, 2), np.eye(3), atol=1e-9)
    exact = Rotation.from_rotvec(angles, True).as_matrix()
    assert np.abs(found - exact).max() < 0.01
