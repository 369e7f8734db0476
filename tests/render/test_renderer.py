import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.geometry import Camera, Mesh, MeshTopology, Pose
from mlanet.render import (
    Fragments,
    Renderer,
    ambient_light,
    antialias,
    interpolate,
    key_light,
    rasterize,
    render_mesh,
    shade,
    viewer_normals,
)


@pytest.fixture(scope="module")
def renderer(sphere):
    return Renderer(MeshTopology(sphere.faces, len(sphere.vertices)), (100, 100))


def test_a_batch_is_its_pictures(sphere, camera, renderer):
    turn = np.diag([1.0, -1.0, -1.0])
    places = np.array([[0.0, 0.0, 1000.0], [30.0, -20.0, 900.0]])
    lights = np.stack([key_light(), ambient_light()])
    heads = np.stack([sphere.vertices, sphere.vertices * 1.1])
    colors = np.stack([sphere.colors, 1.0 - sphere.colors])
    batch = renderer(heads, Pose(np.stack([turn] * 2), places), camera, lights, albedo=colors)
    for k in range(2):
        one = renderer(heads[k], Pose(turn, places[k]), camera, lights[k], albedo=colors[k])
        for name in ("image", "mask", "depth", "normals"):
            np.testing.assert_allclose(getattr(batch, name)[k], getattr(one, name), atol=1e-6)


def test_normals_and_depth_of_a_sphere(sphere, frontal, camera, renderer):
    found = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors)
    rows, columns = np.nonzero(found.depth > 0)
    depth = found.depth[rows, columns]
    x = (columns + 0.5 - 50.0) / 250.0 * depth
    y = (rows + 0.5 - 50.0) / 250.0 * depth
    expected = np.stack([x, -y, 1000.0 - depth], axis=1) / 100.0
    inner = np.hypot(x, y) < 90.0
    np.testing.assert_allclose(found.normals[rows, columns][inner], expected[inner], atol=0.03)
    assert not found.normals[~(found.depth > 0)].any()


def test_without_light_albedo_is_shown(sphere, frontal, camera, renderer):
    plain = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors)
    white = renderer(sphere.vertices, frontal, camera, ambient_light(), albedo=sphere.colors)
    np.testing.assert_allclose(plain.image, white.image, atol=1e-5)


def test_background_shows_where_the_mesh_is_not(sphere, frontal, camera, renderer):
    background = np.random.default_rng(0).uniform(size=(100, 100, 3)).astype(np.float32)
    found = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors, background=background)
    alone = renderer(sphere.vertices, frontal, camera, albedo=sphere.colors)
    np.testing.assert_array_equal(found.mask, alone.mask)
    np.testing.assert_array_equal(found.image[found.mask == 0], background[found.mask == 0])
    inner = found.mask > 1 - 1e-6
    np.testing.assert_array_equal(found.image[inner], alone.image[inner])
    partial = (found.mask > 0.3) & (found.mask < 0.7)
    mixed = alone.image + (1.0 - alone.mask[..., None]) * background
    assert np.abs(found.image - mixed)[partial].mean() < 0.12  # colours are those of neighbours


def test_shading_is_that_of_an_integrated_light():
    """A light given by its radiance in all directions, integrated over the hemisphere."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(200_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    from mlanet.geometry import harmonics_basis

    coefficients = rng.normal(size=(9, 3)) * 0.3
    coefficients[0] += 3.0
    radiance = harmonics_basis(directions) @ coefficients
    normals = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.0, -0.8, 0.6]])
    cosine = np.maximum(directions @ normals.T, 0.0)
    irradiance = 4.0 * np.pi * (cosine.T @ radiance) / len(directions) / np.pi
    albedo = np.full((3, 3), 0.4)
    np.testing.assert_allclose(shade(albedo, normals, coefficients), albedo * irradiance, rtol=0.02)


def test_what_is_drawn_is_given_once(sphere, frontal, camera, renderer):
    with pytest.raises(RenderError, match="albedo or texture must be given"):
        renderer(sphere.vertices, frontal, camera)
    both = {"albedo": sphere.colors, "texture": np.zeros((4, 4, 3))}
    with pytest.raises(RenderError, match="albedo or texture must be given"):
        renderer(sphere.vertices, frontal, camera, **both)
    with pytest.raises(RenderError, match="texture needs uv"):
        renderer(sphere.vertices, frontal, camera, texture=np.zeros((4, 4, 3)))
    bad = sphere.vertices.copy()
    bad[7, 1] = np.nan
    with pytest.raises(RenderError, match="vertices must be finite; vertex 7"):
        renderer(bad, frontal, camera, albedo=sphere.colors)


PLACES = np.array([[0, 0, 1.0], [9, 1, 2.0], [1, 9, 3.0]])
FACE = np.array([[0, 1, 2]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"albedo": np.zeros((642, 4))}, r"albedo must be \(642, 3\), got \(642, 4\)"),
        ({"albedo": np.zeros((2, 642, 3))}, "albedo must be"),
        ({"albedo": np.full((642, 3), np.nan)}, "albedo must be finite"),
        ({"albedo": np.zeros((642, 3), dtype=np.uint8)}, "albedo must be floats"),
        ({"lighting": np.zeros((9, 1))}, r"lighting must be \(9, 3\)"),
        ({"lighting": np.full((9, 3), np.inf)}, "lighting must be finite"),
        ({"background": np.zeros((100, 99, 3))}, r"background must be \(100, 100, 3\)"),
        ({"background": np.zeros((100, 100, 3), dtype=np.uint8)}, "background must be floats"),
        ({"vertices": np.zeros((641, 3))}, r"vertices must be \(642, 3\)"),
        ({"pose": Pose(np.stack([np.eye(3)] * 2), np.zeros((3, 3)))}, "pose must fit"),
    ],
)
def test_bad_arguments_are_named(sphere, frontal, camera, renderer, changes, message):
    given = {"vertices": sphere.vertices, "pose": frontal, "albedo": sphere.colors} | changes
    places = [given.pop("vertices"), given.pop("pose"), camera]
    with pytest.raises(RenderError, match=message):
        renderer(*places, **given)


def test_bad_textures_are_named(sphere, frontal, camera):
    topology = MeshTopology(sphere.faces, len(sphere.vertices))
    uv = np.zeros((642, 2))

    def draw(texture, **fields):
        renderer = Renderer(topology, (20, 20), **({"uv": uv} | fields))
        return renderer(sphere.vertices, frontal, camera, texture=texture)

    with pytest.raises(RenderError, match="texture must be floats"):
        draw(np.zeros((4, 4, 3), dtype=np.uint8))
    with pytest.raises(RenderError, match=r"texture must be \(t, s, 3\)"):
        draw(np.zeros((4, 4, 1)))
    with pytest.raises(RenderError, match="texture must be"):
        draw(np.zeros((0, 4, 3)))
    with pytest.raises(RenderError, match="uv must be"):
        draw(np.zeros((4, 4, 3)), uv=uv[:7])
    with pytest.raises(RenderError, match="uv must be"):
        draw(np.zeros((4, 4, 3)), uv=uv + np.nan)
    with pytest.raises(RenderError, match="uv_faces must be"):
        draw(np.zeros((4, 4, 3)), uv_faces=sphere.faces[:7])
    with pytest.raises(RenderError, match="uv_faces must index 642 texture coordinates"):
        draw(np.zeros((4, 4, 3)), uv_faces=sphere.faces + 7)


@pytest.mark.parametrize("lit", [False, True])
def test_one_albedo_serves_a_batch(sphere, frontal, camera, renderer, lit):
    heads = np.stack([sphere.vertices, 0.9 * sphere.vertices])
    pose = Pose(np.stack([frontal.rotation] * 2), np.stack([frontal.translation] * 2))
    light = key_light() if lit else None
    batch = renderer(heads, pose, camera, light, albedo=sphere.colors)
    alone = renderer(heads[1], frontal, camera, light, albedo=sphere.colors)
    np.testing.assert_allclose(batch.image[1], alone.image, atol=1e-6)


def test_nothing_is_drawn_with_a_texture():
    empty = Renderer(MeshTopology(np.zeros((0, 3), dtype=np.int32), 0), (6, 7), uv=np.zeros((0, 2)))
    pose, camera = Pose(np.eye(3), np.zeros(3)), Camera(10.0, (3.0, 3.0))
    drawn = empty(np.zeros((0, 3)), pose, camera, texture=np.ones((4, 4, 3)))
    assert not drawn.image.any()
    faces = np.array([[0, 1, 2]], dtype=np.int32)
    none = Renderer(MeshTopology(faces, 3), (6, 7), uv=np.zeros((3, 2)))
    poses = Pose(np.zeros((0, 3, 3)), np.zeros((0, 3)))
    drawn = none(np.zeros((0, 3, 3)), poses, camera, texture=np.ones((4, 4, 3)))
    assert drawn.image.shape == (0, 6, 7, 3)


def test_options_are_checked():
    with pytest.raises(RenderError, match="backend must be one of numba, torch, got 'cuda'"):
        rasterize(PLACES, FACE, (9, 9), backend="cuda")
    with pytest.raises(RenderError, match="threads must be positive"):
        rasterize(PLACES, FACE, (9, 9), threads=0)
    with pytest.raises(RenderError, match="image_size must be"):
        rasterize(PLACES, FACE, (3.7, 5))


def test_loops_read_nothing_that_was_not_checked(sphere):
    found = rasterize(PLACES, FACE, (9, 9))
    image = np.ones((9, 9, 1))
    for edges in ([[0, 2**30, 2, -1]], [[0, 1, -1, -1]], [[0, 1, 2, 3]]):
        with pytest.raises(RenderError, match="edges must index 3 vertices"):
            antialias(image, found, PLACES, np.array(edges))
    with pytest.raises(RenderError, match="edges must be integers"):
        antialias(image, found, PLACES, np.array([[0.0, 1.0, 2.0, -1.0]]))
    topology = MeshTopology(sphere.faces, len(sphere.vertices))
    with pytest.raises(RenderError, match=r"vertices must be \(…, 642, 3\)"):
        viewer_normals(np.zeros((5, 3)), topology)
    with pytest.raises(RenderError, match="must fit face_index"):
        Fragments(found.face_index, found.barycentric[:5], found.depth)
    with pytest.raises(RenderError, match="must fit face_index"):
        Fragments(found.face_index, found.barycentric, found.depth[:, :5])


def test_views_that_are_not_contiguous(sphere, frontal, camera):
    projected = camera.project(frontal.apply(sphere.vertices))
    expected = rasterize(projected, sphere.faces, (100, 100))
    wide = np.zeros((len(projected), 6))
    wide[:, ::2] = projected
    views = (wide[:, ::2], np.asfortranarray(projected))
    for view in views:
        found = rasterize(view, np.asfortranarray(sphere.faces), (100, 100))
        np.testing.assert_array_equal(found.face_index, expected.face_index)
    colors = np.random.default_rng(0).uniform(size=(3, len(projected))).T
    assert interpolate(found, sphere.faces, colors).shape == (100, 100, 3)


def test_normals_of_a_batch_of_arrays(sphere, frontal):
    topology = MeshTopology(sphere.faces, len(sphere.vertices))
    points = frontal.apply(sphere.vertices)
    both = viewer_normals(np.stack([points, points * 2.0]), topology)
    np.testing.assert_allclose(both[0], both[1])
    np.testing.assert_allclose(both[0], viewer_normals(points, topology))


def test_pictures_keep_to_their_range(sphere, frontal, camera):
    bright = render_mesh(
        Mesh(sphere.vertices, sphere.faces), frontal, camera, (100, 100), 3.0 * key_light()
    )
    assert bright.image.max() == 1.0
    assert bright.mask.max() <= 1.0
    assert bright.mask.min() >= 0.0
