"""Registration and transfer, on a model whose correspondence is known."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlanet.errors import AssetError
from mlanet.geometry import MeshTopology, face_normals, matrix_from_euler
from mlanet.morphable import LinearShape, Transfer, connect, load_model, save_model
from mlanet.morphable.registration import landmarks_of, register

EXTRA_MM = [0.0, 0.0, -60.0]


@pytest.fixture(scope="module")
def other(model):
    """A different head in another pose and size, its vertices renumbered, with a ball behind it.

    Its modes are the embedded model's first ones in that frame.
    """
    rng = np.random.default_rng(5)
    identity = 0.8 * rng.normal(size=model.layout.identity)
    mean = model.shape.mean + model.shape.identity @ identity
    rotation = matrix_from_euler(np.radians([3.0, -2.0, 1.0])).astype(np.float64)
    turn = rotation @ np.diag([1.0, -1.0, -1.0])  # near the identity: still a face in our frame
    mean = 1.04 * mean @ turn.T + [1.0, 2.0, 3.0]
    count = len(mean)
    order = rng.permutation(count)  # new vertex k is the old vertex order[k]
    number = np.argsort(order)
    ball = np.array([[1.0, 0, 0], [0, 1, 0], [-1, -1, 0], [0, 0, 1]]) * 5.0 + EXTRA_MM
    faces = np.concatenate(
        [number[model.base_faces], count + np.array([[0, 1, 2], [0, 1, 3], [1, 2, 3], [2, 0, 3]])]
    )

    def carried(modes):
        moved = np.einsum("ij,vjk->vik", 1.04 * turn, modes)[order]
        return np.concatenate([moved, np.zeros((4, 3, modes.shape[-1]))]).astype(np.float32)

    found = replace(
        model,
        name="other",
        shape=LinearShape(
            np.concatenate([mean[order], ball]).astype(np.float32),
            carried(model.shape.identity[..., :30]),
            carried(model.shape.expression),
        ),
        identity_names=model.identity_names[:30],
        base_faces=faces.astype(np.int32),
        albedo_mean=np.zeros((0, 3), np.float32),
        albedo_basis=np.zeros((0, 3, 0), np.float32),
        albedo_names=(),
        base_uv=np.zeros((0, 2), np.float32),
        midpoint_index=np.zeros((0, 8), np.int32),
        midpoint_weight=np.zeros((0, 8), np.float32),
        mirror=np.zeros(0, np.int32),
        identity_mirror=np.zeros(0, np.float32),
        expression_mirror=np.zeros(0, np.int32),
        regions={},
        base_uv_faces=None,
        part_names=(),
        vertex_parts=np.zeros(0, np.int32),
        eye_poles=np.zeros((0, 2), np.int32),
    )
    return found, order


@pytest.fixture(scope="module")
def connected(model, other, with_scipy):
    return connect(model, other[0])


def face_vertices(model, order):
    """The other model's vertices that lie on the face, and which of ours they are."""
    face = model.regions["face"] > 0.9
    for name in ("eyes", "mouth"):
        face &= model.regions[name] < 0.1
    return np.flatnonzero(face[order]), order


def test_registration_finds_the_known_correspondence(model, other, connected):
    found, registration = connected
    link = found.correspondence
    chosen, order = face_vertices(model, other[1])
    assert link.covered[chosen].mean() > 0.98
    assert not link.covered[-4:].any()
    chosen = chosen[link.covered[chosen]]
    rest = model.subdivide(model.shape.mean)
    corners = model.topology.faces[link.face_index[chosen]]
    points = (rest[corners] * link.barycentric[chosen, :, None]).sum(axis=1)
    apart = np.linalg.norm(points - model.shape.mean[order[chosen]], axis=1)
    assert np.median(apart) < 0.7
    assert np.quantile(apart, 0.95) < 4.5  # smooth cheeks tell no place
    assert np.median(registration.distance_mm[chosen]) < 0.15


def test_missing_landmarks_and_regions_are_found(model, other, connected):
    whole = other[0]
    few = np.array([8, 30, 36, 39, 42, 45, 48, 51, 54, 57])
    faces = np.full(68, -1, np.int32)
    faces[few] = whole.landmark_faces[few]
    found, _ = connect(model, replace(whole, landmark_faces=faces))
    assert found.known_landmarks.all()
    np.testing.assert_array_equal(found.landmark_faces[few], whole.landmark_faces[few])
    apart = np.linalg.norm(found.landmarks.mean - whole.landmarks.mean, axis=1)
    assert apart.mean() < 1.3
    assert set(found.regions) == set(model.regions)
    chosen, _ = face_vertices(model, other[1])
    assert found.region("face")[chosen].mean() > 0.95
    assert found.region("face")[-4:].max() == 0.0


def test_a_shape_is_carried_onto_its_surface(model, other, connected):
    rng = np.random.default_rng(6)
    transfer = Transfer(model, connected[0])
    identity = rng.normal(size=model.layout.identity).astype(np.float32)
    expression = np.zeros(model.layout.expression, np.float32)
    expression[model.expression_names.index("jawOpen")] = 0.5
    vertices = model.vertices(identity, expression)
    carried = transfer.vertices(vertices)
    assert carried.shape == (other[0].num_base_vertices, 3)
    assert np.isfinite(carried).all()
    chosen, order = face_vertices(model, other[1])
    apart = np.linalg.norm(carried[chosen] - vertices[order[chosen]], axis=1)
    assert np.median(apart) < 1.0
    # What hangs on nothing goes along: the ball stays about as far behind the face.
    tip = vertices[:, 2].max()
    assert abs((tip - carried[-4:, 2].mean()) - (125.0 + 60.0)) < 25.0
    edges = MeshTopology(other[0].base_faces, len(carried)).edges
    edges = edges[(edges < len(order)).all(axis=1)]
    edges = edges[(model.vertex_parts[order[edges]] == 0).all(axis=1)]
    found, own = (
        np.linalg.norm(shape[edges[:, 0]] - shape[edges[:, 1]], axis=1)
        for shape in (carried, vertices[np.append(order, np.zeros(4, int))])
    )
    assert (found - own).max() < 12.0  # nothing is torn: inside the mouth edges stretch most


def test_values_are_carried(model, connected):
    transfer = Transfer(model, connected[0])
    rest = model.subdivide(model.shape.mean)
    np.testing.assert_allclose(
        transfer.values(rest)[transfer.covered],
        transfer.vertices(rest)[transfer.covered],
        atol=1e-4,
    )


def test_coefficients_there_and_back(model, connected):
    rng = np.random.default_rng(7)
    other = connected[0]
    transfer = Transfer(model, other)
    identity = rng.normal(size=other.layout.identity).astype(np.float32)
    expression = np.zeros(other.layout.expression, np.float32)
    shape = other.shape(identity, expression)
    ours = transfer.fit_embedded(shape)
    assert ours.error_mm < 1.0
    assert ours.expression.min() >= 0.0
    assert ours.expression.max() <= 1.0
    theirs = transfer.fit(model.vertices(ours.identity, ours.expression))
    back = theirs.motion.undo(transfer.vertices(model.vertices(ours.identity, ours.expression)))
    apart = np.linalg.norm(back - other.shape(theirs.identity, theirs.expression), axis=1)
    assert np.median(apart[transfer.covered]) < 1.0


def test_expressions_of_the_same_names_keep_their_weights(model, connected):
    transfer = Transfer(model, connected[0])
    identity = np.zeros(model.layout.identity, np.float32)
    expression = np.linspace(0, 1, model.layout.expression).astype(np.float32)
    found = transfer.coefficients(identity, expression)
    np.testing.assert_array_equal(found.expression, expression)
    unnamed = replace(connected[0], expression_names=tuple("abc" * 17 + "d"))
    other = Transfer(model, unnamed).coefficients(identity, 0 * expression)
    assert other.expression.min() >= 0.0
    assert other.expression.max() <= 1.0
    assert other.error_mm < 1.5


def test_a_file_keeps_the_correspondence(model, connected, tmp_path):
    save_model(connected[0], tmp_path / "other.npz")
    read = load_model(tmp_path / "other.npz")
    vertices = model.subdivide(model.shape.mean)
    np.testing.assert_allclose(
        Transfer(model, read).vertices(vertices),
        Transfer(model, connected[0]).vertices(vertices),
        atol=1e-3,
    )


def test_what_cannot_be_transferred(model, other, connected):
    with pytest.raises(AssetError, match="no correspondence to the embedded one: mlanet models"):
        Transfer(model, other[0])
    link = connected[0].correspondence
    for wrong in (
        replace(link, model_sha256="0" * 64),
        replace(link, face_index=link.face_index + len(model.topology.faces)),
    ):
        with pytest.raises(AssetError, match="another version of the embedded model"):
            Transfer(model, replace(connected[0], correspondence=wrong))
    nothing = replace(other[0], landmark_faces=np.full(68, -1, np.int32))
    with pytest.raises(AssetError, match="0 known landmarks beside the jaw, registration needs 6"):
        register(model, nothing)


@pytest.mark.data
@pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA is not set")
def test_ict_facekit_s_mean(model):
    """Bounds leave room for other embedded models (docs/reference/face-models.md)."""
    path = Path(os.environ["MLANET_DATA"]) / "ict_facekit" / "ict_face_light_9409.npz"
    ict = load_model(path)
    bare = replace(ict, landmark_faces=np.where(np.arange(68) < 17, -1, ict.landmark_faces))
    found, registration = connect(model, bare)
    covered = found.correspondence.covered
    assert covered.mean() > 0.75
    assert registration.distance_mm[covered].mean() < 0.35
    inner = landmarks_of(model, registration.surface, ict)
    apart = np.linalg.norm(inner.points - ict.landmarks.mean, axis=1)
    assert apart[17:].mean() < 1.6
    carried = Transfer(model, found).vertices(model.subdivide(model.shape.mean))
    turned = face_normals(carried, ict.base_faces)
    rest = face_normals(ict.shape.mean.astype(float), ict.base_faces)
    whole = covered[ict.base_faces].all(axis=1)
    assert ((turned * rest).sum(axis=1)[whole] > 0).mean() > 0.99
