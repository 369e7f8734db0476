"""The whole procedure on a few rendered heads, with a teacher who knows where they are."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.datasets import FaceCrops
from mlanet.errors import DataError
from mlanet.labelling import FaceModelFile, JoinedConfig, Parts, label_joined
from mlanet.labelling import parts as parts_module
from mlanet.morphable import load_model
from mlanet.synthesis import RenderedHeads, write_samples

COUNT = 8


@pytest.fixture(scope="module")
def heads(tmp_path_factory, save_answers):
    """Heads of four people, and the same pictures without landmarks; the teacher missed one."""
    root = tmp_path_factory.mktemp("heads")
    model = load_model()
    write_samples(RenderedHeads(model, size=96, count=COUNT, seed=5), root / "crops", {})
    with np.load(root / "crops" / "labels.npz") as file:
        arrays = {name: file[name] for name in ("name", "pts68_px", "rotation")}
    people = np.array([f"p{k // 2}" for k in range(COUNT)])
    np.savez(root / "crops" / "labels.npz", identity=people, **arrays)
    (root / "plain").mkdir()
    for tar in (root / "crops").glob("*.tar"):
        (root / "plain" / tar.name).symlink_to(tar)
    np.savez(root / "plain" / "labels.npz", name=arrays["name"], person=people)
    found = np.arange(COUNT) != 3
    points = arrays["pts68_px"][..., :2]
    save_answers(root / "teacher.npz", arrays["name"].tolist(), points, found=found)
    return root


@pytest.fixture
def work(tmp_path):
    return Parts(tmp_path / "parts", processes=1)


def config(heads, **changes):
    given = JoinedConfig(heads / "crops", teacher=heads / "teacher.npz")
    return replace(given, **changes)


def apart(found, heads):
    """Mean distance of the joined points from the true ones, in per cent, of used faces."""
    with np.load(heads / "crops" / "labels.npz") as file:
        points = file["pts68_px"][found.used, :, :2]
    size = np.sqrt(np.ptp(points, axis=1).prod(axis=1))
    distance = np.linalg.norm(found.landmarks_px[found.used] - points, axis=-1).mean(axis=1)
    return 100 * distance / size


def test_heads_with_landmarks_are_labelled(heads, work):
    found = label_joined(config(heads), work)
    assert found.used.all()
    assert not found.telling.any()
    assert found.offsets.shape == (13, 51, 2)
    assert apart(found, heads).max() < 3.0
    identity = found.labels.identity[found.labels.accepted]
    assert len(np.unique(identity, axis=0)) <= 4
    own = label_joined(config(heads, given_rotation=True), work)
    rotated = np.abs(own.labels.rotation - found.labels.rotation)[found.labels.accepted]
    assert 1e-3 < rotated.max() < 0.5


def test_pictures_without_landmarks_are_labelled_by_the_teacher_and_the_network(heads, work):
    found = label_joined(config(heads, data=heads / "plain"), work)
    assert found.used.tolist() == [k != 3 for k in range(COUNT)]
    assert np.isinf(found.labels.residual_percent[3])
    assert not found.labels.identity[3].any()
    assert apart(found, heads).max() < 8.0
    with pytest.raises(DataError, match="no landmarks, and no teacher"):
        label_joined(config(heads, data=heads / "plain", teacher=None), work)


def test_unseen_people_are_left_out(heads, work):
    found = label_joined(config(heads, leave_out_unseen_people=True), work)
    assert found.used.tolist() == [False, False] + [True] * 6


def test_offsets_may_be_those_of_other_data(heads, work, tmp_path):
    offsets = np.zeros((13, 51, 2))
    np.savez(tmp_path / "other.npz", teacher_offsets=offsets + 0.01)
    found = label_joined(config(heads, offsets_of=tmp_path / "other.npz"), work)
    np.testing.assert_array_equal(found.offsets, 0.01)
    np.savez(tmp_path / "other.npz", name=np.zeros(3))
    with pytest.raises(DataError, match="label with --teacher first"):
        label_joined(config(heads, offsets_of=tmp_path / "other.npz"), work)


def test_what_is_not_known_is_named(heads, work, tmp_path):
    folder = tmp_path / "crops"
    folder.mkdir()
    for path in (heads / "crops").glob("*.tar"):
        (folder / path.name).symlink_to(path)
    with np.load(heads / "crops" / "labels.npz") as file:
        np.savez(folder / "labels.npz", name=file["name"], pts68_px=file["pts68_px"])
    for change, message in (
        ({"given_rotation": True}, "needs the rotation"),
        ({"leave_out_unseen_people": True}, "who is shown"),
    ):
        with pytest.raises(DataError, match=message):
            label_joined(config(heads, data=folder, **change), work)


def test_a_picture_that_cannot_be_read_is_left_out_and_named(heads, work, monkeypatch):
    decode = FaceCrops.decode

    def broken(self, index):
        if index == 2:
            raise DataError("cannot be read")
        return decode(self, index)

    monkeypatch.setattr(FaceCrops, "decode", broken)
    found = label_joined(config(heads), work)
    assert found.used.tolist() == [k != 2 for k in range(COUNT)]
    assert list(found.crops.skipped.reasons.values()) == ["cannot be read"]


def test_processes_and_interruptions_change_nothing(heads, work, tmp_path, monkeypatch):
    whole = label_joined(config(heads), work)
    monkeypatch.setattr(parts_module, "PART_FACES", 3)
    again = Parts(tmp_path / "again", processes=1)
    first = label_joined(config(heads), again)
    made = sorted((tmp_path / "again").iterdir())
    assert len(made) == 6
    made[1].unlink()
    second = label_joined(config(heads), again)
    for found in (first, second):
        np.testing.assert_allclose(found.landmarks_px, whole.landmarks_px, atol=1e-4)
        np.testing.assert_allclose(found.labels.identity, whole.labels.identity, atol=1e-4)
    again.remove()
    assert not (tmp_path / "again").exists()


def test_the_model_is_loaded_once_in_a_process():
    assert FaceModelFile().load() is FaceModelFile().load()
