import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.geometry import Camera, MeshTopology, Pose
from mlanet.render import Renderer, rasterize, sample_image, sample_texture, texel_distance


def test_reads_between_texels():
    rows, columns = np.mgrid[:8, :16]
    texture = np.stack([(columns + 0.5) / 16.0, 1.0 - (rows + 0.5) / 8.0], axis=-1)
    uv = np.random.default_rng(0).uniform(0.07, 0.93, (5, 6, 2))
    np.testing.assert_allclose(sample_texture(texture, uv), uv, atol=1e-12)
    outside = np.array([[[-3.0, 0.5], [4.0, 0.5], [0.5, -1.0], [0.5, 9.0]]])
    expected = [[1 / 32, 0.5], [31 / 32, 0.5], [0.5, 1 / 16], [0.5, 15 / 16]]
    np.testing.assert_allclose(sample_texture(texture, outside)[0], expected, atol=1e-12)


def test_agrees_with_the_sampling_of_photos():
    rng = np.random.default_rng(0)
    texture = rng.uniform(size=(9, 12, 3)).astype(np.float32)
    uv = rng.uniform(-0.1, 1.1, (7, 5, 2))
    positions = np.stack([uv[..., 0] * 12.0, (1.0 - uv[..., 1]) * 9.0], axis=-1)
    # OpenCV's positions have a grid of 1/32 pixel.
    np.testing.assert_allclose(
        sample_texture(texture, uv), sample_image(texture, positions), atol=0.05
    )


def test_one_texture_for_all_or_one_for_each(torch):
    rng = np.random.default_rng(0)
    textures, uv = rng.uniform(size=(2, 4, 4, 3)), rng.uniform(size=(2, 5, 6, 2))
    both = sample_texture(textures, uv)
    for k in range(2):
        np.testing.assert_allclose(both[k], sample_texture(textures[k], uv[k]))
        np.testing.assert_allclose(
            sample_texture(textures[0], uv)[k], sample_texture(textures[0], uv[k])
        )
    tensors = sample_texture(torch.from_numpy(textures), torch.from_numpy(uv))
    np.testing.assert_allclose(tensors, both)


def test_far_textures_are_averaged():
    checker = (np.indices((64, 64)).sum(0) % 2).astype(np.float64)[..., None]
    uv = np.random.default_rng(0).uniform(size=(9, 9, 2))
    for distance in (2.0, 4.0, 1000.0):
        far = sample_texture(checker, uv, np.full((9, 9), distance))
        np.testing.assert_allclose(far, 0.5, atol=1e-12)
    near, plain = sample_texture(checker, uv, np.full((9, 9), 0.3)), sample_texture(checker, uv)
    np.testing.assert_array_equal(near, plain)
    half = sample_texture(checker, uv, np.full((9, 9), np.sqrt(2.0)))
    np.testing.assert_allclose(half, (plain + 0.5) / 2.0, atol=1e-12)


@pytest.mark.parametrize("size", [(33, 20), (1, 5), (6, 1), (1, 1)])
def test_the_loop_reads_what_tensors_do(size, torch):
    rng = np.random.default_rng(2)
    texture, uv = rng.uniform(size=(*size, 3)), rng.uniform(-0.1, 1.1, (7, 9, 2))
    for distance in (None, rng.uniform(0.2, 70.0, (7, 9))):
        tensors = [None if x is None else torch.from_numpy(x) for x in (texture, uv, distance)]
        found = sample_texture(texture, uv, distance)
        np.testing.assert_allclose(found, sample_texture(*tensors), atol=1e-12)


@pytest.mark.parametrize("size", [(255, 64), (33, 7), (1, 5), (6, 1)])
def test_odd_sides_are_averaged_too(size):
    texture = np.random.default_rng(0).uniform(size=(*size, 1))
    far = sample_texture(
        texture, np.random.default_rng(1).uniform(size=(9, 9, 2)), np.full((9, 9), 1e4)
    )
    assert np.ptp(far) < 1e-9
    assert abs(far.mean() - texture.mean()) < 1e-9


def test_distance_is_that_of_the_triangles_seen():
    corners = np.array([[2.0, 2.0, 1.0], [22.0, 2.0, 1.0], [22.0, 22.0, 1.0], [2.0, 22.0, 1.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    texels = np.array([[0.0, 0.0], [60.0, 0.0], [60.0, 60.0], [0.0, 60.0]])
    found = rasterize(corners, faces, (24, 24))
    distance = texel_distance(found, corners[:, :2], faces, texels, faces)
    np.testing.assert_allclose(distance[found.mask], 3.0)
    np.testing.assert_array_equal(distance[~found.mask], 1.0)


@pytest.mark.parametrize("level", [None, 1.0, 2.7])
def test_gradcheck(level, torch):
    rng = np.random.default_rng(1)
    texture = torch.from_numpy(rng.uniform(size=(8, 8, 2))).requires_grad_()
    uv = torch.from_numpy(rng.uniform(0.05, 0.95, (3, 4, 2))).requires_grad_()
    distance = None if level is None else torch.full((3, 4), level, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda t, u: sample_texture(t, u, distance), (texture, uv))


def test_a_drawn_texture_is_the_texture():
    """A square before the camera, one texel a pixel: the picture is the texture."""
    vertices = np.array([[-8.0, -8.0, 0.0], [8.0, -8.0, 0.0], [8.0, 8.0, 0.0], [-8.0, 8.0, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    uv = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    renderer = Renderer(MeshTopology(faces, 4), (16, 16), uv=uv)
    texture = np.random.default_rng(0).uniform(size=(16, 16, 3))
    pose = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 100.0]))
    found = renderer(vertices, pose, Camera(100.0, (8.0, 8.0)), texture=texture)
    np.testing.assert_allclose(found.image, texture, atol=1e-5)


def test_bad_input_is_named():
    with pytest.raises(RenderError, match=r"texture must be \(t, s, c\)"):
        sample_texture(np.zeros((4, 4)), np.zeros((3, 3, 2)))
    with pytest.raises(RenderError, match="one for each picture"):
        sample_texture(np.zeros((3, 4, 4, 3)), np.zeros((2, 3, 3, 2)))
