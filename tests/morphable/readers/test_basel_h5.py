"""The Basel Face Models of 2017 and 2019 in statismo's HDF5."""

import builtins
import json
import re

import numpy as np
import pytest

from mlanet.errors import AssetError, ConfigurationError
from mlanet.extras import install_command
from mlanet.morphable import load_model

h5py = pytest.importorskip("h5py", reason="needs the extra models")

NAMES = {
    8: "center.chin.tip", 30: "center.nose.tip",
    36: "right.eye.corner_outer", 39: "right.eye.corner_inner",
    42: "left.eye.corner_inner", 45: "left.eye.corner_outer",
    48: "right.lips.corner", 51: "center.lips.upper.outer", 54: "left.lips.corner",
    57: "center.lips.lower.outer", 62: "center.lips.upper.inner", 66: "center.lips.lower.inner",
}  # fmt: skip


def write(face, path, **options):
    with h5py.File(path, "w") as file:
        for name, mean, modes in (
            ("shape", face.mean - 1.0, face.identity),
            ("expression", np.ones_like(face.mean), face.expression),
            ("color", face.albedo_mean, face.albedo),
        ):
            variance = np.linspace(9.0, 4.0, modes.shape[-1])
            model = file.create_group(f"{name}/model")
            model["mean"] = face.flat(mean).astype(np.float32)
            basis = (face.flat(modes) / np.sqrt(variance)).astype(np.float32)
            model.create_dataset("pcaBasis", data=basis, **options)
            model["pcaVariance"] = variance.astype(np.float32)
            model["noiseVariance"] = np.zeros(1, np.float32)
            representer = file.create_group(f"{name}/representer")
            representer["cells"] = face.clockwise.T.astype(np.int32)
            representer["points"] = face.mean.T.astype(np.float32)
        points = [
            {"id": text, "coordinates": (face.mean[face.keypoints[k]] - 0.98).tolist()}
            for k, text in NAMES.items()
        ]
        points.append({"id": "right.ear.tragus.tip", "coordinates": [0, 0, 0]})
        file["metadata/landmarks/json"] = np.bytes_(json.dumps(points))
        file["version/majorVersion"] = np.int32(0)
    return path


def test_basel_2017(small_face, same_face, tmp_path):
    path = write(small_face, tmp_path / "model", compression="gzip")
    found = load_model(path)
    same_face(found, landmarks=sorted(NAMES))
    assert not found.expression_bounded
    assert found.provenance.kind == "basel 2017/2019"


def test_landmarks_as_bytes_of_characters(small_face, tmp_path):
    path = write(small_face, tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        text = file["metadata/landmarks/json"][()]
        del file["metadata/landmarks/json"]
        file["metadata/landmarks/json"] = np.frombuffer(text, np.int8)
    assert load_model(path).known_landmarks.sum() == len(NAMES)


@pytest.mark.parametrize(
    "name", ["shape/model/mean", "expression/model/pcaBasis", "shape/representer/cells"]
)
def test_a_missing_data_set_is_named(small_face, tmp_path, name):
    path = write(small_face, tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        del file[name]
    refused(path, f"faces.dmi.unibas.ch.*lacks '{name}'")


@pytest.mark.parametrize("kept", [8, 100, 5_000, 100_000, -1000])
def test_a_truncated_file(small_face, tmp_path, kept):
    path = write(small_face, tmp_path / "model.h5")
    path.write_bytes(path.read_bytes()[:kept])
    refused(path)


def test_data_of_another_file_is_not_read(small_face, tmp_path):
    other = write(small_face, tmp_path / "other.h5")
    path = write(small_face, tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        del file["shape"]
        file["shape"] = h5py.ExternalLink(other.name, "/shape")
    refused(path, "lies in another file")
    with h5py.File(path, "a") as file:
        del file["shape"]
        file["elsewhere"] = h5py.ExternalLink(other.name, "/shape")
        file["shape"] = h5py.SoftLink("/elsewhere")
    refused(path, "lies in another file")


def test_a_data_set_larger_than_memory_is_not_read(small_face, tmp_path):
    path = write(small_face, tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        del file["shape/model/pcaBasis"]
        file["shape/model"].create_dataset(
            "pcaBasis", shape=(10**9, 10**6), dtype="f4", chunks=(1000, 1000), compression="gzip"
        )
    refused(path, "decompresses to more than")


def test_data_sets_count_together_and_only_known_filters_run(small_face, tmp_path):
    path = write(small_face, tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        for name in ("shape", "expression"):  # 250 MB each as double precision, in few bytes
            del file[f"{name}/model/mean"]
            file[f"{name}/model"].create_dataset(
                "mean", shape=(3 * 10**7,), dtype="i1", chunks=(10**5,), compression="gzip"
            )
    refused(path, "decompresses to more than")
    path = write(small_face, tmp_path / "other.h5", scaleoffset=2)
    refused(path, "stored in a way that is not read")
    layout = h5py.VirtualLayout(shape=(9,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(path), "shape/model/mean", shape=(9,))
    path = write(small_face, tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        del file["shape/model/mean"]
        file.create_virtual_dataset("shape/model/mean", layout)
    refused(path, "lies in another file")
    path = write(small_face, tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        del file["shape/model/mean"]
        file["shape/model"].create_dataset(
            "mean", (9,), "f4", external=[(str(tmp_path / "raw"), 0, 36)]
        )
    refused(path, "lies in another file")


def test_malformed_arrays_are_refused(small_face, tmp_path):
    for name, value, message in (
        ("shape/model/pcaVariance", np.ones(3), "standard deviations"),
        ("shape/model/mean", np.full(len(small_face.mean) * 3, np.nan), "not finite"),
        ("shape/representer/cells", np.full((3, 5), 10**6), "must index"),
        ("metadata/landmarks/json", np.bytes_("{"), "damaged"),
    ):
        path = write(small_face, tmp_path / "model.h5")
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = value
        refused(path, message)


def test_without_h5py_the_extra_is_named(small_face, tmp_path, monkeypatch):
    path = write(small_face, tmp_path / "model.h5")
    original = builtins.__import__

    def without(name, *arguments, **options):
        if name == "h5py":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=re.escape(install_command("models"))):
        load_model(path)


def refused(path, message=""):
    with pytest.raises(AssetError, match=re.escape(str(path)) + ".*" + message) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
