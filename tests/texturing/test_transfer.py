"""Textures of the embedded model on another model's mesh."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import ConfigurationError
from mlanet.morphable import LinearShape, Transfer, load_model
from mlanet.morphable.correspondence import Correspondence
from mlanet.texturing import transfer_texture

SIZE = 256


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def texture():
    """Its colours say where they lie: red grows with u, green with v."""
    places = (np.arange(SIZE) + 0.5) / SIZE * 255
    red, green = np.meshgrid(places, places[::-1])
    return np.stack([red, green, 0 * red], axis=2).astype(np.uint8)


def other_model(model, uv, uv_faces):
    """The decoded mesh as a model of its own, each vertex a corner of one of its triangles."""
    faces, count = model.topology.faces, model.topology.num_vertices
    face = np.empty(count, np.int32)
    corner = np.empty(count, int)
    for k in range(3):
        face[faces[:, k]], corner[faces[:, k]] = np.arange(len(faces)), k
    vertices = model.subdivide(model.shape.mean)
    return replace(
        model,
        name="other",
        shape=LinearShape(vertices, vertices[..., None] * 0, vertices[..., None] * 0),
        base_faces=faces,
        base_uv=uv,
        base_uv_faces=uv_faces,
        midpoint_index=np.zeros((0, 8), np.int32),
        midpoint_weight=np.zeros((0, 8), np.float32),
        correspondence=Correspondence(
            model.provenance.sha256,
            face,
            np.eye(3, dtype=np.float32)[corner],
            np.ones(count, bool),
        ),
    )


def test_a_mesh_without_coordinates_gets_those_of_the_embedded_model(model, texture):
    bare = other_model(model, np.zeros((0, 2), np.float32), None)
    vertices = model.subdivide(model.shape.mean)
    found = transfer_texture(Transfer(model, bare), vertices, texture)
    assert found.texture is texture
    here = found.mesh.uv[found.mesh.uv_faces]
    differs = np.abs(here - model.uv[model.uv_faces]).max(axis=(1, 2)) > 1e-5
    seam = model.topology.faces[differs & model.faces_of("skin")]
    assert 0 < len(seam) < 0.01 * model.faces_of("skin").sum()
    assert vertices[seam][..., 2].max() < 40  # at the back of the head
    assert np.abs(vertices[seam].mean(axis=1)[:, 0]).max() < 10
    assert np.ptp(here, axis=1).max() < 0.2


def test_a_mesh_with_coordinates_gets_the_texture_resampled(model, texture):
    turned = other_model(model, 1.0 - model.uv, model.uv_faces)
    vertices = model.subdivide(model.shape.mean)
    found = transfer_texture(Transfer(model, turned), vertices, texture)
    front = (model.region("face")[model.topology.faces] > 0.5).all(axis=1)
    centres = model.uv[model.uv_faces[front]].mean(axis=1)
    column, row = ((1.0 - centres) * [SIZE, -SIZE] + [0, SIZE]).astype(int).T
    np.testing.assert_allclose(found.texture[row, column, :2] / 255.0, centres, atol=0.02)


def test_without_scipy_one_line_says_what_to_install(model, monkeypatch):
    whole = other_model(model, model.uv, model.uv_faces)
    covered = np.arange(whole.num_base_vertices) > 0
    link = replace(whole.correspondence, covered=covered)
    monkeypatch.setattr("mlanet.morphable.transfer.find_spec", lambda _: None)
    Transfer(model, whole)
    with pytest.raises(ConfigurationError, match=r"other face models .* pip install .*\[models\]"):
        Transfer(model, replace(whole, correspondence=link))
