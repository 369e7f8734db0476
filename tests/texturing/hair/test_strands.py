import numpy as np

from mlanet.morphable import load_model
from mlanet.render import UvAtlas, vertex_attributes_to_uv
from mlanet.texturing.hair.strands import CENTRE_MM, CROWN, strand_plane


def test_hair_varies_more_across_strands_than_along_them():
    model = load_model()
    mean = model.subdivide(model.shape.mean)
    atlas = UvAtlas.of_mesh(model.mesh_of(mean), 256)
    plane = strand_plane(model, atlas).astype(float)
    assert abs(plane.mean()) < 10.0
    assert 25.0 < plane.std() < 60.0
    places = vertex_attributes_to_uv(atlas, model.topology.faces, mean - np.array(CENTRE_MM))
    crown = np.array(CROWN) / np.linalg.norm(CROWN)
    down = np.degrees(np.arccos(places @ crown / np.linalg.norm(places, axis=-1)))
    scalp = (down > 30.0) & (down < 80.0) & atlas.fragments.mask & (places[..., 1] > 0.0)
    rows, columns = np.gradient(down)
    steps = np.hypot(rows, columns)
    change = np.stack(np.gradient(plane))
    along = np.abs(change[0] * rows + change[1] * columns) / np.maximum(steps, 1e-6)
    crossing = np.abs(change[0] * columns - change[1] * rows) / np.maximum(steps, 1e-6)
    assert np.median(crossing[scalp]) > 1.5 * np.median(along[scalp])


def test_strands_are_always_the_same():
    model = load_model()
    atlas = UvAtlas.of_mesh(model.mesh_of(model.subdivide(model.shape.mean)), 128)
    np.testing.assert_array_equal(strand_plane(model, atlas), strand_plane(model, atlas))
