import tarfile

import numpy as np
import pytest

from mlanet.cli import main
from mlanet.datasets import AFLW2000, W300LP, open_dataset
from mlanet.datasets.layouts import layout_of
from mlanet.errors import DataError, UsageError


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("files", "layout"),
    [
        (["labels.npz", "images-00.tar"], "crops"),
        (["AFW/a.jpg", "Code/x.m"], "300w-lp"),
        (["train.configs/x.pkl", "train_aug_120x120/a.jpg"], "3ddfa"),
        (["3dmm_data/x.pkl"], "3ddfa"),
        (["AFLW2000.tar", "annotations.npz"], "aflw2000"),
        (["AFLW2000/image00002.jpg"], "aflw2000"),
        (["image00002.jpg", "image00002.mat"], "aflw2000"),
        (["shard-000000.tar", "dataset.json"], "shards"),
        (["a.jpg", "b.png"], "photos"),
        (["holiday/b.png"], "photos"),
    ],
)
def test_layouts_are_told_by_the_names_of_files(tmp_path, files, layout):
    touch(*(tmp_path / name for name in files))
    assert layout_of(tmp_path) == layout


def test_tar_files(tmp_path):
    touch(tmp_path / "AFLW2000.tar", tmp_path / "000.tar", tmp_path / "x.zip")
    assert layout_of(tmp_path / "AFLW2000.tar") == "aflw2000"
    assert layout_of(tmp_path / "000.tar") == "shards"
    for path in (tmp_path / "x.zip", tmp_path / "absent"):
        with pytest.raises(DataError, match="no such folder or tar file"):
            layout_of(path)


def test_something_else(tmp_path):
    touch(tmp_path / "readme.txt")
    with pytest.raises(DataError, match="none of the layouts crops, 300w-lp, 3ddfa, aflw"):
        layout_of(tmp_path)


def test_the_class_of_the_layout_is_opened(tmp_path, write_face):
    content = np.zeros((3, 68))
    write_face(tmp_path / "one" / "AFW", "a", 0)
    write_face(tmp_path / "two", "image00002", 0, pt3d_68=content)
    assert isinstance(open_dataset(tmp_path / "one"), W300LP)
    assert isinstance(open_dataset(tmp_path / "two"), AFLW2000)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "two" / "image00002.jpg", "a.jpg")
    assert open_dataset(tmp_path / "x.tar").names == ("x.tar/a",)
    with pytest.raises(DataError, match="holds none of the folders"):
        open_dataset(tmp_path / "two", "300w-lp")


def test_a_layout_that_is_none(tmp_path, capsys):
    with pytest.raises(UsageError, match=r"'crop' is none of crops, .* did you mean crops"):
        open_dataset(tmp_path, "crop")
    with pytest.raises(SystemExit) as stop:
        main(["dataset", "check", "--data", str(tmp_path), "--layout", "crop"])
    assert stop.value.code == 2
    assert "'crop' is none of" in capsys.readouterr().err
