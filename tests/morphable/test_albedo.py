"""The photographic albedo and its file."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mlanet.assets import asset_records, verified_path
from mlanet.errors import AssetError
from mlanet.evaluation.groups import typology_angle_deg
from mlanet.morphable import AlbedoModel


@pytest.fixture(scope="module")
def albedo():
    return AlbedoModel.load()


def test_it_replaces_the_models_own(model, albedo):
    other = albedo.on(model)
    assert other.layout.albedo == len(albedo.names) >= 40
    assert other.layout.identity == model.layout.identity
    colors = other.albedo(np.zeros(other.layout.albedo, np.float32))
    assert colors.shape == (model.topology.num_vertices, 3)
    skin = (model.region("face") > 0.9) & (model.region("eyes", "mouth", "brows", "lips") < 0.1)
    red, green, blue = colors[skin].mean(axis=0)
    assert 0.9 > red > green > blue > 0.15


def test_features_show_in_the_mean(model, albedo):
    grey = albedo.mean.mean(axis=1)
    part = {name: mask > 0.8 for name, mask in model.regions.items()}
    cheeks = grey[part["cheeks"]].mean()
    assert grey[part["brows"]].mean() < 0.93 * cheeks
    assert grey[part["lips"]].mean() < 0.97 * cheeks
    redness = albedo.mean[:, 0] / albedo.mean[:, 1]
    assert redness[part["lips"]].mean() > redness[part["cheeks"]].mean()
    np.testing.assert_allclose(albedo.mean[model.mirror], albedo.mean, atol=0.05)


def test_it_is_carried_over_to_the_models_own(model, albedo):
    """Colours of the skin come back, by coefficients as faces have them."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(300, len(albedo.names))).astype(np.float32)
    mine = albedo.carried(z, model)
    assert mine.shape == (300, model.layout.albedo)
    assert np.sqrt(np.mean(mine**2)) < 1.6
    assert mine.std(axis=0).mean() > 0.3
    weight = model.regions["face"] / model.regions["face"].sum()
    true = np.einsum("v,nvc->nc", weight, albedo.mean + np.einsum("vca,na->nvc", albedo.basis, z))
    found = np.einsum("vca,na->nvc", model.albedo_basis, mine) + model.albedo_mean
    found = np.einsum("v,nvc->nc", weight, found)
    assert true.std(axis=0).min() > 0.05
    np.testing.assert_allclose(found, true, atol=0.03)
    assert np.abs(found - true).mean() < 0.005
    tones = [[typology_angle_deg(color) for color in colors] for colors in (true, found)]
    assert np.std(tones[0]) > 20.0
    assert np.abs(np.subtract(*tones)).mean() < 2.0  # docs/reference/datasets.md


def test_an_albedo_within_the_models_own_comes_back(model):
    modes = np.linalg.qr(np.random.default_rng(0).normal(size=(model.layout.albedo, 3)))[0]
    within = AlbedoModel(
        model.name,
        model.albedo_mean + model.albedo_basis @ modes[:, 0].astype(np.float32),
        (model.albedo_basis @ modes).astype(np.float32),
        ("a", "b", "c"),
    )
    z = np.array([[0.5, 0.0, 1.0], [1.0, -1.0, 0.0]], np.float32)
    true = modes[:, 0] + z @ modes.T
    mine = within.carried(z, model)
    colors = model.albedo_basis @ (mine - true).T.astype(np.float32)
    assert np.abs(colors[model.regions["face"] > 0.5]).mean() < 0.005


def test_other_modes_are_not_carried_over(model, albedo):
    with pytest.raises(ValueError, match="48 modes, got"):
        albedo.carried(np.zeros((2, 7), np.float32), model)
    with pytest.raises(ValueError, match="vertices of"):
        albedo.carried(np.zeros((2, 48), np.float32), replace(model, name="other"))


def test_skin_tones_are_many(model, albedo):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, len(albedo.names))).astype(np.float32)
    tones = np.stack([albedo.on(model).albedo(row) for row in z])
    tones = tones[:, model.region("cheeks") > 0.8].mean(axis=1)
    assert tones.mean(axis=1).max() - tones.mean(axis=1).min() > 0.25
    lab = cv2.cvtColor(np.clip(tones, 0, 1)[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0]
    distinct: list[np.ndarray] = []
    for tone in lab:  # a difference of 2.3 (CIE 1976) is just noticeable
        if all(np.linalg.norm(tone - other) > 2.3 for other in distinct):
            distinct.append(tone)
    assert len(distinct) >= 24


def test_skin_is_dark_and_light(model, albedo):
    """Of random faces some are dark, some light by the typology of Chardon et al. (1991)."""
    weight = model.regions["face"] / model.regions["face"].sum()
    modes = np.einsum("v,vca->ca", weight, albedo.basis)
    z = np.random.default_rng(0).normal(size=(1000, len(albedo.names)))
    tones = np.einsum("v,vc->c", weight, albedo.mean) + z @ modes.T
    angles = [typology_angle_deg(tone) for tone in tones]
    assert np.quantile(angles, 0.02) < -30.0
    assert np.quantile(angles, 0.98) > 41.0


def test_its_terms_are_stated():
    record = asset_records()["photo_albedo"]
    assert "CC-BY-4.0" in record.licence
    assert "10.6084/m9.figshare.5047666" in record.source
    assert "non-commercial" not in record.licence


def test_eyes_and_mouth_are_the_models_own(model, albedo):
    apart = model.vertex_parts != model.part_names.index("skin")
    np.testing.assert_allclose(albedo.mean[apart], model.albedo_mean[apart], atol=0.02)
    assert np.abs(albedo.basis[apart]).max() == 0.0


def test_skin_beyond_the_face_is_plain(model, albedo):
    """Ears, neck and scalp have one colour, which goes over into the face's without a step."""
    regions = np.maximum.reduce([model.regions[name] for name in ("ears", "neck", "scalp")])
    plain = (regions > 0.99) & (model.regions["beard"] < 0.01)
    assert np.ptp(albedo.mean[plain], axis=0).max() < 0.02
    skin = np.isin(model.base_faces, np.flatnonzero(model.regions["face"] < 0.5)).all(axis=1)
    skin &= np.isin(model.base_faces, np.flatnonzero(regions > 0.5)).any(axis=1)
    steps = np.ptp(albedo.mean[model.base_faces[skin]], axis=1)
    assert steps.max() < 0.06


def test_of_another_face_model(model, albedo):
    with pytest.raises(ValueError, match="vertices of 'another'"):
        replace(albedo, face_model="another").on(model)


def altered(tmp_path, **changes):
    with np.load(verified_path("photo_albedo")) as file:
        data = {key: file[key] for key in file.files}
    data |= changes
    path = tmp_path / "albedo.npz"
    np.savez(path, **{key: value for key, value in data.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.array("x")}, "not an albedo"),
        ({"mean": None}, "lacks 'mean'"),
        ({"basis": np.zeros((3, 3, 2))}, "basis must be"),
        ({"mean": np.full((4955, 3), np.nan)}, "not finite"),
    ],
)
def test_malformed(tmp_path, changes, message):
    with pytest.raises(AssetError, match=message):
        AlbedoModel.load(altered(tmp_path, **changes))


def test_missing_and_truncated(tmp_path):
    with pytest.raises(AssetError, match="no such albedo"):
        AlbedoModel.load(tmp_path / "none.npz")
    path = tmp_path / "cut.npz"
    path.write_bytes(verified_path("photo_albedo").read_bytes()[:1000])
    with pytest.raises(AssetError, match="not an albedo"):
        AlbedoModel.load(path)
