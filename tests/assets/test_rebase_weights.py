"""A network carried over to another face model: its parts, on small and made-up input."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra train")
pytest.importorskip("torch", reason="needs the extra train")
from onnx import TensorProto, helper, numpy_helper

from mlanet.errors import DataError
from mlanet.geometry import (
    MIRRORED_LANDMARKS,
    Camera,
    decode_pose,
    landmarks_in_pixels,
    matrix_from_euler,
)
from mlanet.morphable import MorphableModel

IDENTITY, ALBEDO, FEATURES = 5, 3, 6
SIZE = 128


def small_network(rng):
    """Two heads as they are exported: a convolution of half-precision weights, then a reshape."""
    nodes, tensors = [], []
    for head, count in (("heads.identity", IDENTITY), ("heads.albedo", ALBEDO)):
        weight = rng.normal(size=(count, FEATURES, 1, 1)) / np.sqrt(FEATURES)
        tensors += [
            numpy_helper.from_array(weight.astype(np.float16), f"{head}.weight.half"),
            numpy_helper.from_array(rng.normal(size=count).astype(np.float32), f"{head}.bias"),
            numpy_helper.from_array(np.array([-1, count]), f"{head}.size"),
        ]
        inputs = ["pooled", f"{head}.weight", f"{head}.bias"]
        nodes += [
            helper.make_node("Cast", [f"{head}.weight.half"], [inputs[1]], to=TensorProto.FLOAT),
            helper.make_node("Conv", inputs, [f"{head}.map"]),
            helper.make_node("Reshape", [f"{head}.map", f"{head}.size"], [head]),
        ]
    values = helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["b", FEATURES, 1, 1])
    outputs = [
        helper.make_tensor_value_info(head, TensorProto.FLOAT, ["b", None])
        for head in ("heads.identity", "heads.albedo")
    ]
    graph = helper.make_graph(nodes, "heads", [values], outputs, tensors)
    version = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=version, ir_version=8)


def answers(network, features):
    session = onnxruntime.InferenceSession(network.SerializeToString())
    return session.run(None, {"pooled": features})


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load().first_modes(identity=4, expression=2, albedo=0)


def turned_heads(rng, count, most_yaw_deg=80.0):
    """Rotations to the camera of heads that look ahead, to the sides, and tilt."""
    angles = rng.uniform(-1, 1, size=(count, 3)) * [0.2, np.radians(most_yaw_deg), 0.6]
    return matrix_from_euler(angles)


def seen(rotation):
    """Points of a made-up face that is turned like this, in pixels."""
    face = MorphableModel.load().landmarks.mean.astype(float)
    return 60.0 + 0.5 * (face @ rotation.transpose(0, 2, 1))[..., :2]


def a_teacher(landmarks_px, blend_shapes=None, opening=0.3):
    from rebase_weights.teacher import Teacher

    count = len(landmarks_px)
    lids = {side: np.full(count, opening) for side in ("Left", "Right")}
    return Teacher(np.ones(count, bool), landmarks_px, lids, blend_shapes or {})


def test_a_change_behind_a_head_is_folded_into_it(rng):
    from rebase_weights.graph import Affine, fold

    network = small_network(rng)
    features = rng.normal(size=(20, FEATURES, 1, 1)).astype(np.float32)
    identity, albedo = answers(network, features)
    change = Affine(rng.normal(size=(7, IDENTITY)), rng.normal(size=7))
    fold(network, "heads.identity", change)
    onnx.checker.check_model(network, full_check=True)
    found, same = answers(network, features)
    expected = identity @ change.matrix.T + change.offset
    assert found.shape == (20, 7)
    np.testing.assert_allclose(found, expected, atol=5e-3 * np.abs(expected).max())
    np.testing.assert_array_equal(same, albedo)


def test_a_head_that_is_written_is_read_back_and_answers(rng):
    from rebase_weights.graph import Affine, read_head, write_head

    network = small_network(rng)
    values = Affine(rng.normal(size=(9, FEATURES)), rng.normal(size=9))
    write_head(network, "heads.albedo", values)
    again = read_head(network, "heads.albedo")
    np.testing.assert_allclose(again.matrix, values.matrix, atol=2e-3)
    np.testing.assert_allclose(again.offset, values.offset, atol=1e-6)
    features = rng.normal(size=(4, FEATURES, 1, 1)).astype(np.float32)
    expected = features[:, :, 0, 0] @ again.matrix.T + again.offset
    np.testing.assert_allclose(answers(network, features)[1], expected, atol=1e-4)


def test_pooled_features_are_told_beside_the_answers(rng):
    from rebase_weights.graph import with_features

    network = small_network(rng)
    features = rng.normal(size=(3, FEATURES, 1, 1)).astype(np.float32)
    *same, told = answers(with_features(network), features)
    np.testing.assert_array_equal(told, features)
    for found, expected in zip(same, answers(network, features), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(network.graph.output) == 2


def test_skin_keeps_its_colour_where_the_model_stays(rng):
    from rebase_weights.albedo import albedo_change

    model = MorphableModel.load()
    change = albedo_change(model, model)
    coefficients = rng.normal(size=(20, model.layout.albedo))
    carried = coefficients @ change.matrix.T + change.offset
    skin = model.regions["cheeks"] > 0.5
    modes = model.albedo_basis[skin].astype(float)
    before, after = (np.einsum("vca,na->nvc", modes, c) for c in (coefficients, carried))
    assert (before - after).std() < 0.1 * before.std()


def test_how_a_head_is_turned_is_read_off_its_rotation():
    from rebase_weights.head_turn import HeadTurn

    frontal = np.diag([1.0, -1.0, -1.0])
    c, s = np.cos(0.3), np.sin(0.3)
    right = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    clockwise = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    turn = HeadTurn.of(np.stack([frontal, frontal @ right, clockwise @ frontal]))
    np.testing.assert_allclose(turn.yaw_deg, [0.0, np.degrees(0.3), 0.0], atol=1e-9)
    np.testing.assert_allclose(turn.roll_rad, [0.0, 0.0, 0.3], atol=1e-9)
    assert turn.band.tolist() == [0, 1, 0]
    up = np.full((3, 1, 2), [0.0, -1.0])
    np.testing.assert_allclose(turn.in_picture(up)[2, 0], [s, -c])
    np.testing.assert_allclose(turn.upright(turn.in_picture(up)), up)


def offset_faces(rng, count=1500):
    """Reference points, a teacher's with known offsets by band, the heads' turn, the offsets."""
    from rebase_weights import labels
    from rebase_weights.head_turn import NUM_BANDS, HeadTurn

    rotation = turned_heads(rng, count)
    reference, turn = seen(rotation), HeadTurn.of(rotation)
    half = 0.02 * rng.normal(size=(NUM_BANDS + 1, 51, 2))
    mirrored = half[:, MIRRORED_LANDMARKS[17:] - 17] * [-1, 1]
    half[0] = (half[0] + mirrored[0]) / 2
    offsets = np.concatenate([mirrored[:0:-1], half])
    size = np.sqrt(np.ptp(reference, axis=1).prod(axis=1))
    teacher_px = reference.copy()
    shift = turn.in_picture(offsets[turn.band + NUM_BANDS]) * size[:, None, None]
    teacher_px[:, labels.NUM_JAW :] += shift
    return reference, teacher_px, turn, offsets


def test_offsets_are_recovered_from_made_up_points(rng):
    from rebase_weights.labels import join_landmarks, measure_offsets

    reference, teacher_px, turn, offsets = offset_faces(rng)
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


def test_the_teacher_counts_half_where_it_is_trusted_and_not_at_all_elsewhere(rng):
    from rebase_weights.head_turn import HeadTurn
    from rebase_weights.labels import join_landmarks

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


def test_blinks_are_calibrated():
    from rebase_weights.head_turn import HeadTurn
    from rebase_weights.labels import blink_closure

    scores, ones = np.linspace(0.0, 1.0, 101), np.ones(101)
    for yaw_deg in (0.0, 20.0, 60.0):
        turn = HeadTurn(yaw_deg * ones, 0.0 * ones)
        shut, rest = (blink_closure(scores, opening * ones, turn) for opening in (0.04, 0.33))
        assert (np.diff(shut) >= 0).all()
        assert shut[-1] == 1.0
        assert rest[0] == 0.0
        openings = blink_closure(0.5 * ones, 0.5 * scores, turn)
        assert (np.diff(openings) <= 0).all()
    profile = HeadTurn(60.0 * ones, 0.0 * ones)
    np.testing.assert_array_equal(
        blink_closure(scores, 0.0 * ones, profile), blink_closure(scores, ones, profile)
    )


def test_expressions_are_likely_as_the_scores_of_trusted_faces_say():
    from rebase_weights.head_turn import HeadTurn
    from rebase_weights.labels import expression_prior

    scores = {"jawOpen": np.array([0.4, 0.4, 0.4]), "cheekPuff": np.array([0.2, 0.2, 0.2])}
    scores |= {"eyeBlinkLeft": np.array([0.9, 0.9, 0.9]), "eyeSquintLeft": np.full(3, 0.55)}
    teacher = a_teacher(np.zeros((3, 68, 2)), scores, opening=0.02)
    teacher.found[2] = False
    turn = HeadTurn(np.array([0.0, 50.0, 0.0]), np.zeros(3))
    names = ("cheekPuff", "eyeBlinkLeft", "eyeSquintLeft", "jawOpen", "tongueOut")
    prior = expression_prior(teacher, turn, names)
    np.testing.assert_allclose(prior.mean[0], [0.0, 1.0, 0.5, 0.4, 0.0])
    np.testing.assert_array_equal(prior.mean[1:], 0.0)
    assert prior.sd[0, 3] < prior.sd[0, 0] == prior.sd[1, 3]


def test_points_go_into_a_changed_crop_and_back(rng):
    import torch
    from rebase_weights.views import CHANGED, in_picture

    from mlanet.training.crops import random_changes
    from mlanet.training.dice import Dice

    points = seen(turned_heads(rng, 6)).astype(np.float64)
    deep = torch.from_numpy(np.pad(points, ((0, 0), (0, 0), (0, 1))))
    changes = random_changes(deep, SIZE, CHANGED, Dice(rng.spawn(6)))
    assert 0 < int(changes.mirrored.sum()) < 6
    in_crops = changes.landmarks(deep)[..., :2].numpy()
    np.testing.assert_allclose(in_picture(in_crops, changes), points, atol=1e-3)


def made_up_examples(model, rng, count=1200):
    """Features of which the coefficients are a linear map, and the points that these give."""
    from rebase_weights.examples import Examples

    layout = model.layout
    matrix, offset = np.zeros((layout.size, FEATURES)), np.zeros(layout.size)
    cuts = layout.slices
    matrix[cuts["identity"]] = 0.5 * rng.normal(size=(layout.identity, FEATURES))
    matrix[cuts["expression"]] = 0.05 * rng.normal(size=(layout.expression, FEATURES))
    matrix[cuts["rotation"]] = 0.1 * rng.normal(size=(6, FEATURES))
    matrix[cuts["translation"]] = 0.02 * rng.normal(size=(3, FEATURES))
    offset[cuts["expression"]] = 0.5
    offset[cuts["rotation"]] = [1, 0, 0, 0, -1, 0]
    features = (3.0 + 2.0 * rng.normal(size=(count, FEATURES))).astype(np.float32)
    vectors = (features - 3.0) / 2.0 @ matrix.T + offset
    known = layout.split(vectors)
    points = landmarks_in_pixels(
        Camera.of_crop(SIZE),
        decode_pose(known.rotation, known.translation),
        model.landmarks(known.identity, known.expression),
    )[..., :2]
    return Examples(
        features,
        vectors.astype(np.float32),
        points.astype(np.float32),
        np.arange(count) % 2 == 0,
        np.arange(count) % 40 == 0,
        SIZE,
    )


def test_heads_learn_a_linear_map(model, rng):
    from rebase_weights.heads import HeadsConfig, landmark_percent, learn_heads

    examples = made_up_examples(model, rng)
    config = HeadsConfig(ridge=0.1, steps=60, batch_size=64)
    heads = learn_heads(examples, model, config)
    found = examples.features @ heads.matrix.T + heads.offset
    np.testing.assert_allclose(found, examples.vectors, atol=0.02)
    assert landmark_percent(heads, examples, model)[examples.held_out].mean() < 0.1
    again = learn_heads(examples, model, config)
    np.testing.assert_array_equal(again.matrix, heads.matrix)


def test_steps_on_landmarks_mend_what_the_regression_lacks(model, rng):
    from rebase_weights.heads import HeadsConfig, landmark_percent, learn_heads

    examples = made_up_examples(model, rng)
    distance = [
        landmark_percent(
            learn_heads(examples, model, HeadsConfig(ridge=500.0, steps=steps, learning_rate=1e-2)),
            examples,
            model,
        ).mean()
        for steps in (1, 150)
    ]
    assert distance[1] < 0.5 * distance[0]


def test_examples_are_crops_of_accepted_faces(model, rng):
    from rebase_weights.examples import examples_of
    from rebase_weights.labels import fit_labels
    from rebase_weights.views import Views, crops_of

    from mlanet.fitting import ExpressionPrior

    rotation = turned_heads(rng, 4, 20.0)
    points = seen(rotation)
    prior = ExpressionPrior(np.zeros((4, 2)), np.full((4, 2), 0.3))
    labels = fit_labels(model, points, prior)
    assert labels.accepted.all()
    image = np.zeros((120, 120, 3), np.uint8)
    changes = [crops_of(image, own, SIZE, rng)[0] for own in points]
    views = Views(changes, np.zeros((4, 4, FEATURES), np.float16), points, rotation)
    kept = replace(labels, accepted=np.array([True, False, True, True]))
    rows, scored = np.array([0, 1, 40, 41]), np.array([True, True, False, False])
    examples = examples_of(views, rows, kept, points, scored, model)
    assert examples.held_out.tolist() == [True] * 8 + [False] * 4
    assert examples.scored.tolist() == [True] * 4 + [False] * 8
    known = model.layout.split(examples.vectors.astype(float))
    shown = landmarks_in_pixels(
        Camera.of_crop(SIZE),
        decode_pose(known.rotation, known.translation),
        model.landmarks(known.identity, known.expression),
    )[..., :2]
    extent = np.sqrt(np.ptp(examples.landmarks_px, axis=1).prod(axis=1))
    apart = np.linalg.norm(shown - examples.landmarks_px, axis=-1).mean(axis=1)
    assert (apart / extent).max() < 0.04


def save_answers(path, index, names=("jawOpen",), **more):
    count = 3
    arrays = {
        "found": np.array([True, False, True]),
        "points": np.full((count, len(index), 2), 64, np.int16),
        "blendshapes": np.array([[0.25], [np.nan], [0.5]], np.float16),
        "index": np.array(index, np.int16),
        "unit_px": np.array(1 / 32),
        "blendshape_names": np.array(names),
    }
    np.savez(path, **(arrays | more))


def test_the_teachers_answers_are_read(tmp_path):
    from rebase_weights import teacher

    lids = [point for parts in teacher.LIDS.values() for part in parts for point in part]
    index = sorted({*teacher.JAW, *teacher.INNER, *lids})
    points = np.zeros((3, len(index), 2), np.int16)
    for side, (_, lower, corners) in teacher.LIDS.items():
        points[:, [index.index(k) for k in lower], 1] = 32 if side == "Left" else 64
        points[:, index.index(corners[1]), 0] = 320
    save_answers(tmp_path / "a.npz", index, points=points)
    found = teacher.Teacher.load(tmp_path / "a.npz", np.array([0, 2]))
    assert found.landmarks_px.shape == (2, 68, 2)
    np.testing.assert_allclose(found.lid_opening["Left"], 0.1)
    np.testing.assert_allclose(found.lid_opening["Right"], 0.2)
    np.testing.assert_allclose(found.blend_shapes["jawOpen"], [0.25, 0.5])


def test_answers_without_a_needed_point_are_refused(tmp_path):
    from rebase_weights.teacher import Teacher

    save_answers(tmp_path / "a.npz", range(5))
    with pytest.raises(DataError, match="lacks the points"):
        Teacher.load(tmp_path / "a.npz")


def test_a_set_without_labels_has_the_networks_points():
    from rebase_weights.build import reference

    network_px, labels_px = np.zeros((1, 68, 2)), np.ones((1, 68, 2))
    views = SimpleNamespace(landmarks_px=network_px)
    assert reference(SimpleNamespace(labels_px=None), views) is network_px
    np.testing.assert_array_equal(reference(SimpleNamespace(labels_px=labels_px), views), 0.5)
