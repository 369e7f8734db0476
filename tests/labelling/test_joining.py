import numpy as np

from mlanet.geometry import MIRRORED_LANDMARKS, matrix_from_euler
from mlanet.labelling.head_turn import NUM_BANDS, HeadTurn
from mlanet.labelling.joining import (
    NUM_JAW,
    face_sizes,
    join_landmarks,
    measure_offsets,
    reference_landmarks,
)


def offset_faces(rng, turned_heads, seen, count=1500):
    """Reference points, a teacher's with known offsets by band, the heads' turn, the offsets."""
    rotation = turned_heads(rng, count)
    reference, turn = seen(rotation), HeadTurn.of(rotation)
    half = 0.02 * rng.normal(size=(NUM_BANDS + 1, 51, 2))
    mirrored = half[:, MIRRORED_LANDMARKS[17:] - 17] * [-1, 1]
    half[0] = (half[0] + mirrored[0]) / 2
    offsets = np.concatenate([mirrored[:0:-1], half])
    teacher_px = reference.copy()
    size = face_sizes(reference)[:, None, None]
    teacher_px[:, NUM_JAW:] += turn.in_picture(offsets[turn.band + NUM_BANDS]) * size
    return reference, teacher_px, turn, offsets


def test_offsets_are_recovered_from_made_up_points(rng, turned_heads, seen, a_teacher):
    reference, teacher_px, turn, offsets = offset_faces(rng, turned_heads, seen)
    noisy = teacher_px + 0.1 * rng.normal(size=teacher_px.shape)
    noisy[::50] = 0.0
    teacher = a_teacher(noisy)
    teacher.found[::50] = False
    found = measure_offsets(reference, teacher, turn)
    used = np.isin(np.arange(-6, 7), turn.band)
    assert used.sum() >= 11
    np.testing.assert_allclose(found[used], offsets[used], atol=1.5e-3)
    joined = join_landmarks(reference, a_teacher(teacher_px), turn, offsets)
    np.testing.assert_allclose(joined, reference, atol=1e-9)


def test_the_teacher_counts_half_where_it_is_trusted_and_not_at_all_elsewhere(
    rng, turned_heads, seen, a_teacher
):
    rotation = np.concatenate([turned_heads(rng, 3, 1.0)] * 2)
    rotation[1] = np.diag([1.0, -1.0, -1.0]) @ matrix_from_euler(np.array([0.0, 1.2, 0.0]))
    reference = seen(rotation)
    moved = reference + 1.0
    moved[2] += 100.0
    teacher = a_teacher(moved)
    teacher.found[3] = False
    joined = join_landmarks(reference, teacher, HeadTurn.of(rotation), np.zeros((13, 51, 2)))
    np.testing.assert_allclose(joined[0, 17:], reference[0, 17:] + 0.5)
    for untouched in (1, 2, 3):
        np.testing.assert_allclose(joined[untouched], reference[untouched])
    np.testing.assert_array_equal(joined[:, :17], reference[:, :17])


def test_labels_and_network_are_averaged_but_for_jaws_that_are_contours():
    network, labels = np.zeros((1, 68, 2)), np.ones((1, 68, 3))
    assert reference_landmarks(network, None, jaw_on_surface=False) is network
    np.testing.assert_array_equal(reference_landmarks(network, labels, jaw_on_surface=True), 0.5)
    contours = reference_landmarks(network, labels, jaw_on_surface=False)
    np.testing.assert_array_equal(contours[:, :17], 0.0)
    np.testing.assert_array_equal(contours[:, 17:], 0.5)
