"""Files with random damage are read or refused, never anything else."""

import pickle

import numpy as np
import pytest
from scipy.io import savemat

from mlanet.errors import AssetError
from mlanet.morphable import load_model, save_model

ROUNDS = 40


def deep3d(face, path):
    values = {
        "meanshape": face.flat(face.mean)[None] / 100.0,
        "idBase": face.flat(face.identity) / 100.0,
        "exBase": face.flat(face.expression) / 100.0,
        "meantex": face.flat(face.albedo_mean)[None] * 255.0,
        "texBase": face.flat(face.albedo) * 255.0,
        "tri": face.faces + 1.0,
        "keypoints": face.keypoints[None] + 1.0,
    }
    savemat(path, values, appendmat=False, do_compression=True)


def flame(face, path):
    modes = np.zeros((len(face.mean), 3, 301), np.float32)
    content = {"v_template": face.mean / 1000.0, "f": face.faces, "shapedirs": modes}
    path.write_bytes(pickle.dumps(content, 2))


def basel_h5(face, path):
    h5py = pytest.importorskip("h5py", reason="needs the extra models")
    with h5py.File(path, "w") as file:
        for name, mean, modes in (
            ("shape", face.mean, face.identity),
            ("expression", 0 * face.mean, face.expression),
        ):
            file[f"{name}/model/mean"] = face.flat(mean)
            file[f"{name}/model/pcaBasis"] = face.flat(modes)
            file[f"{name}/model/pcaVariance"] = np.ones(modes.shape[-1])
        file["shape/representer/cells"] = face.faces.T


def ict(face, path):
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            mean=face.mean / 10.0,
            id_basis=np.moveaxis(face.identity, -1, 0),
            exp_basis=np.moveaxis(face.expression, -1, 0),
            exp_names=np.array(["a", "b", "c"]),
            faces=face.faces,
            lm68=face.keypoints,
            unit=np.array("cm"),
        )


def gnm(face, path):
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            version=np.array("3.0"),
            variant=np.array("head"),
            template_vertex_positions=face.mean / 1000.0,
            vertex_identity_basis=np.moveaxis(face.identity, -1, 0) / 1000.0,
            expression_basis=np.moveaxis(face.expression, -1, 0) / 1000.0,
            identity_names=np.array(["a", "b", "c", "d"]),
            expression_names=np.array(["a", "b", "c"]),
            triangles=face.faces,
            triangle_uvs=np.zeros((len(face.faces), 3, 2), np.float32),
            vertex_groups=np.ones((1, len(face.mean)), np.float32),
            vertex_group_names=np.array(["skin"]),
        )


def native(face, path):
    source = path.with_suffix(".source")
    ict(face, source)
    save_model(load_model(source), path)


@pytest.mark.parametrize("write", [deep3d, flame, basel_h5, ict, gnm, native])
def test_random_damage(small_face, tmp_path, write):
    path = tmp_path / "model"
    write(small_face, path)
    whole = path.read_bytes()
    assert load_model(path).num_base_vertices == len(small_face.mean)
    rng = np.random.default_rng(0)
    messages = []
    for _ in range(ROUNDS):
        content = bytearray(whole)
        # Most of a file is numbers; its structure is at the beginning and the end.
        near = rng.choice(["start", "end", "anywhere"])
        reach = len(whole) if near == "anywhere" else min(len(whole), 2000)
        place = rng.integers(0, reach, size=3)
        if near == "end":
            place = len(whole) - 1 - place
        for k in place.tolist():
            content[k] = int(rng.integers(256))
        path.write_bytes(content)
        try:
            found = load_model(path)
        except AssetError as error:
            messages.append(str(error))
        else:
            assert np.isfinite(found.shape.mean).all()
    assert len(messages) > ROUNDS // 8
    assert all(text.startswith(str(path)) and "\n" not in text for text in messages)
