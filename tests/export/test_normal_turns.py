"""Turns of normals are summed only where an expression moves triangles."""

import numpy as np

from mlanet.export.avatar import LEAST_TURN, _bends, _seen
from mlanet.export.normal_turns import turns_of_normals
from mlanet.geometry import vertex_normals
from mlanet.morphable import load_model


def test_they_are_those_of_whole_meshes():
    model = load_model()
    _, bends = _bends(model)
    seen, topology = _seen(model), model.topology
    inside = topology.faces[seen[topology.faces].any(axis=1)]
    whole = np.setdiff1d(np.flatnonzero(seen), np.setdiff1d(topology.faces, inside))
    bends = bends[:5]
    found = turns_of_normals(topology.faces, seen, bends)
    normals = vertex_normals(bends, topology.faces, topology.faces_of_vertex)
    expected = normals[1:] - normals[0]
    assert len(whole) > 5000
    np.testing.assert_allclose(found[:, whole], expected[:, whole], atol=0.02)
    assert np.abs(found[:, whole] - expected[:, whole]).mean() < 1e-5
    turned = np.linalg.norm(found, axis=-1) > LEAST_TURN
    assert turned.any(axis=1).all()
    assert not found[:, ~seen].any()
