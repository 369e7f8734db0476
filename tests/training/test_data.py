import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlanet.errors import ConfigurationError, DataError
from mlanet.training import LossWeights, SourceConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.samples import JAW_WEIGHT_2D
from mlanet.training.terms import LABEL_TERMS


@pytest.fixture(scope="module")
def levels(make_faces, make_folder, tmp_path_factory):
    """16 faces whose pictures are of one grey level each, so that a crop tells its index."""
    root = tmp_path_factory.mktemp("levels")
    pictures = [np.full((64, 64, 3), 10 + 15 * number, np.uint8) for number in range(16)]
    make_folder(root / "aflw_train", make_faces(16).landmarks_px, pictures)
    return root


def indices(batch):
    middle = batch.images.shape[1] // 2
    return ((batch.images[:, middle, middle, 0].int() - 10) // 15).tolist()


def order(root, config, steps):
    faces = LabelledFaces(root, config.held_out)
    return [indices(faces.training_batch(step, 32, config)) for step in steps]


def test_each_pass_sees_each_training_face_once(levels, tiny, neutral):
    config = replace(tiny, augmentation=neutral)
    seen = [index for batch in order(levels, config, range(6)) for index in batch]
    expected = sorted(set(range(16)) - {0, 4, 8, 12})
    assert sorted(seen[:12]) == expected
    assert sorted(seen[12:]) == expected
    assert seen[:12] != seen[12:]


def test_order_depends_on_seed_and_step_alone(levels, tiny, neutral):
    config = replace(tiny, augmentation=neutral)
    forward = order(levels, config, range(5))
    assert order(levels, config, [4, 3]) == [forward[4], forward[3]]
    assert order(levels, replace(config, seed=1), range(5)) != forward


def test_batches_repeat_bit_by_bit(data, tiny):
    first = LabelledFaces(data, 4).training_batch(3, 32, tiny)
    again = LabelledFaces(data, 4).training_batch(3, 32, tiny)
    for name in type(first).__slots__:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_a_face_changes_from_pass_to_pass(levels, tiny):
    faces = LabelledFaces(levels, 4)
    landmarks = [faces.training_batch(step, 32, tiny).landmarks_px for step in range(6)]
    distinct = {points.numpy().tobytes() for batch in landmarks for points in batch}
    assert len(distinct) == 24


def test_held_out_faces_have_depth_and_are_never_trained_with(data):
    faces = LabelledFaces(data, 4)
    assert faces.held_out == [(0, 0), (0, 4), (0, 8)]
    assert len(faces.training) == 12 + 6 - 3
    assert not set(faces.held_out) & set(faces.training)


def test_broken_rows_shift_no_held_out_face(data, tmp_path, tiny):
    """Row 3 is not usable: the faces behind it are still told by their own rows."""
    folder = tmp_path / "aflw_train"
    folder.mkdir()
    for path in (data / "aflw_train").glob("*.tar"):
        (folder / path.name).symlink_to(path)
    with np.load(data / "aflw_train" / "labels.npz") as file:
        arrays = dict(file)
    arrays["pts68_px"][3] = np.nan
    np.savez(folder / "labels.npz", **arrays)
    faces = LabelledFaces(tmp_path, 4)
    names = faces.sources[0].dataset.names
    assert [names[index] for _, index in faces.held_out] == [
        f"image{number:05d}.webp" for number in (0, 4, 8)
    ]
    assert faces.broken == {
        (0, "image00003.webp"): "aflw_train: image00003.webp: 'pts68_px' is not finite"
    }


@pytest.mark.data
def test_the_real_held_out_faces_are_every_fortieth():
    """Told by name, they are those that were told by their place before."""
    root = os.environ.get("MLANET_DATA")
    if not root or not (Path(root) / "aflw_train").is_dir():
        pytest.skip("needs aflw_train under MLANET_DATA")
    faces = LabelledFaces(Path(root), 40)
    assert faces.held_out == [(0, index) for index in range(0, len(faces.sources[0]), 40)]
    expected = {
        (k, index) for k, source in enumerate(faces.sources) for index in range(len(source))
    }
    assert faces.training == sorted(expected - set(faces.held_out))


def test_labels_without_depth_say_so(data, tiny):
    faces = LabelledFaces(data, 4)
    batches = [faces.training_batch(step, 32, tiny) for step in range(4)]
    has_depth = np.concatenate([batch.has_depth for batch in batches])
    assert set(has_depth) == {0.0, 1.0}
    for batch in batches:
        flat = batch.has_depth == 0
        assert not batch.landmarks_px[flat][..., 2].any()
        np.testing.assert_allclose(batch.weight[flat][:, :17], JAW_WEIGHT_2D)
        assert (batch.weight[flat][:, 17:] == 1).all()
        assert (batch.weight[~flat] == 1).all()


def test_held_out_crops_are_the_protocols(data):
    batch = next(LabelledFaces(data, 4).held_out_batches(96, 64))
    assert batch.images.shape == (3, 96, 96, 3)
    points = batch.landmarks_px[..., :2].numpy()
    low, high = points.min(axis=1), points.max(axis=1)
    np.testing.assert_allclose((low + high) / 2, 48.0, atol=1e-3)
    np.testing.assert_allclose((high - low).max(axis=1), 96 / np.sqrt(2), rtol=1e-4)
    np.testing.assert_allclose(batch.size_px, np.sqrt((high - low).prod(axis=1)), rtol=1e-5)


def test_a_folder_without_faces_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds none of aflw_train, ytf68"):
        LabelledFaces(tmp_path, 40)


def test_where_no_landmarks_have_depth_others_are_held_out(tmp_path, data):
    (tmp_path / "ytf68").symlink_to(Path(data) / "ytf68")
    faces = LabelledFaces(tmp_path, 3)
    assert faces.held_out == [(0, 0), (0, 3)]
    assert faces.training == [(0, 1), (0, 2), (0, 4), (0, 5)]


def test_holding_out_everything_is_refused(levels):
    with pytest.raises(DataError, match="held_out=1"):
        LabelledFaces(levels, 1)


def test_comparing_what_nobody_knows_is_refused(data, tiny):
    unseen = dict.fromkeys(LABEL_TERMS, 0.0)
    config = replace(tiny, weights=LossWeights(**unseen, shape=1.0))
    with pytest.raises(ConfigurationError, match="weights: known coefficients alone"):
        LabelledFaces.of(config, data)
    assert LabelledFaces.of(replace(config, unlabelled=0.5), data).training
    drawn = (SourceConfig(folder="aflw_train", share=0.5), SourceConfig(heads=8, share=0.5))
    assert LabelledFaces.of(replace(config, sources=drawn), data).training
