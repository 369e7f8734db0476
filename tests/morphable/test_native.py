"""Our own format: what models may lack, and what travels with them."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from mlanet.assets import asset_records
from mlanet.errors import AssetError
from mlanet.morphable import Correspondence, Provenance, load_model, save_model


@pytest.fixture
def bare(model):
    """The embedded model without subdivision and without all that a model may lack."""
    count = model.num_base_vertices
    return replace(
        model,
        name="bare",
        albedo_mean=np.zeros((0, 3), np.float32),
        albedo_basis=np.zeros((0, 3, 0), np.float32),
        albedo_names=(),
        base_uv=np.zeros((0, 2), np.float32),
        base_uv_faces=None,
        part_names=(),
        vertex_parts=np.zeros(0, np.int32),
        eye_poles=np.zeros((0, 2), np.int32),
        midpoint_index=np.zeros((0, 8), np.int32),
        midpoint_weight=np.zeros((0, 8), np.float32),
        landmark_faces=np.full(68, -1, np.int32),
        landmark_barycentric=np.zeros((68, 3), np.float32),
        mirror=np.zeros(0, np.int32),
        identity_mirror=np.zeros(0, np.float32),
        expression_mirror=np.zeros(0, np.int32),
        regions={},
        expression_bounded=False,
        identity_sd=np.full(model.layout.identity, 2.0, np.float32),
        provenance=Provenance("flame", "a licence", "somewhere", "0" * 64),
        correspondence=Correspondence(
            "1" * 64,
            np.zeros(count, np.int32),
            np.full((count, 3), 1 / 3, np.float32),
            np.arange(count) % 2 == 0,
        ),
    )


def test_what_is_saved_is_read(bare, tmp_path):
    save_model(bare, tmp_path / "bare.npz")
    found = load_model(tmp_path / "bare.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["bare.npz"]
    assert found.name == "bare"
    assert found.provenance == bare.provenance
    assert not found.expression_bounded
    assert found.layout == bare.layout
    np.testing.assert_array_equal(found.shape.mean, bare.shape.mean)
    np.testing.assert_array_equal(found.shape.identity, bare.shape.identity)
    np.testing.assert_array_equal(found.identity_sd, bare.identity_sd)
    link = found.correspondence
    assert link is not None
    assert link.model_sha256 == "1" * 64
    np.testing.assert_array_equal(link.covered, bare.correspondence.covered)


def test_a_model_that_lacks_much_still_decodes(bare):
    layout = bare.layout
    zero = [np.zeros(size, np.float32) for size in (layout.identity, layout.expression, 0)]
    mesh = bare.mesh(*zero)
    assert mesh.colors is None
    assert mesh.uv is None
    np.testing.assert_array_equal(mesh.faces, bare.base_faces)
    np.testing.assert_array_equal(mesh.vertices, bare.shape.mean)
    assert np.isfinite(bare.normals(mesh.vertices)).all()


def test_what_is_missing_says_so(bare):
    with pytest.raises(AssetError, match="lacks 68 of the 68 landmarks: give them with"):
        _ = bare.landmarks
    with pytest.raises(ValueError, match="has no albedo"):
        bare.albedo(np.zeros(0))
    with pytest.raises(ValueError, match=r"no region \['face'\]; .*convert adds them"):
        bare.region("face")


def test_seams_of_the_texture_are_kept(bare, tmp_path):
    seams = replace(
        bare, base_uv=np.zeros((5, 2), np.float32), base_uv_faces=bare.base_faces * 0 + 4
    )
    save_model(seams, tmp_path / "seams.npz")
    found = load_model(tmp_path / "seams.npz")
    np.testing.assert_array_equal(found.uv_faces, 4)
    mesh = found.mesh_of(found.shape.mean)
    assert mesh.uv is not None
    assert len(mesh.uv) == 5


def test_provenance_of_the_embedded_model(model, tmp_path):
    record = asset_records()["open_face"]
    assert model.provenance == Provenance("mlanet", record.licence, record.source, record.sha256)
    assert model.expression_bounded
    path = tmp_path / "copy.npz"
    path.write_bytes(record.path.read_bytes())
    found = load_model(path).provenance
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == record.sha256
    assert found.licence == "not stated"


def test_modes_too_large_for_the_format(bare, tmp_path):
    huge = replace(bare, shape=replace(bare.shape, identity=bare.shape.identity * 1e6))
    with pytest.raises(AssetError, match="is its unit right"):
        save_model(huge, tmp_path / "huge.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identity_sd", np.ones(3)),
        ("landmark_faces", np.full(68, -2)),
        ("correspondence_faces", np.zeros(3, np.int32)),
        ("correspondence_covered", np.ones((2, 2), bool)),
        ("uv_faces", np.full((6176, 3), 10**6)),
        ("faces", np.zeros((0, 3), np.int32)),
    ],
)
def test_malformed_optional_arrays_are_refused(bare, tmp_path, name, value):
    path = tmp_path / "wrong.npz"
    save_model(bare, path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, name: value})
    with pytest.raises(AssetError, match=str(path)):
        load_model(path)
