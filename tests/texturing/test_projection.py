from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.geometry import AMBIENT_WHITE, Camera, Mesh, shading
from mlanet.render import UvAtlas, render_mesh, sample_image, vertex_attributes_to_uv
from mlanet.texturing import TextureGuide, project_texture
from mlanet.texturing.light_fit import fit_lighting

SIZE = 64


@pytest.fixture(scope="module")
def atlas(plane):
    return UvAtlas.of_mesh(plane, SIZE)


@pytest.fixture(scope="module")
def photo():
    """A smooth picture of 100 x 100 pixels."""
    rows, columns = np.indices((100, 100)) / 100.0
    channels = [0.2 + 0.6 * columns, 0.2 + 0.6 * rows, 0.5 + 0.2 * np.sin(6 * columns)]
    return np.rint(np.stack(channels, axis=-1) * 255.0).astype(np.uint8)


@pytest.fixture(scope="module")
def ball(sphere):
    """The sphere with each half (front, back) on its own half of the texture."""
    vertices, faces = sphere.vertices, sphere.faces
    front = vertices[faces][..., 2].mean(axis=1) >= 0
    place = vertices[:, :2] / 100.0 * [0.2, 0.4] + np.array([0.25, 0.5])
    uv = np.concatenate([place, place * [-1.0, 1.0] + np.array([1.0, 0.0])])
    uv_faces = np.where(front[:, None], faces, faces + len(vertices)).astype(np.int32)
    return Mesh(vertices, faces, uv=uv, uv_faces=uv_faces)


def _only(chosen):
    """A guide that allows the photo at some vertices only."""
    return replace(TextureGuide.plain(len(chosen)), allowed=chosen.astype(np.float32))


def test_attributes_land_where_uv_says(plane, atlas):
    baked = vertex_attributes_to_uv(atlas, plane.faces, plane.uv)
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    inside = atlas.fragments.mask
    assert inside.sum() == (SIZE // 2) ** 2
    np.testing.assert_allclose(baked[..., 0][inside], columns[inside] / SIZE, atol=1e-4)
    np.testing.assert_allclose(baked[..., 1][inside], 1.0 - rows[inside] / SIZE, atol=1e-4)


def test_empty_texels_copy_their_nearest_neighbour(atlas):
    index = np.arange(SIZE**2).reshape(SIZE, SIZE)
    found = atlas.dilate(index)
    np.testing.assert_array_equal(found[atlas.fragments.mask], index[atlas.fragments.mask])
    clipped = np.clip(np.arange(SIZE), 16, 47)
    rows, columns = np.divmod(found, SIZE)
    np.testing.assert_allclose(rows, np.repeat(clipped[:, None], SIZE, 1), atol=1)
    np.testing.assert_allclose(columns, np.repeat(clipped[None], SIZE, 0), atol=1)


def test_flat_surface_shows_the_photo(plane, frontal, camera, atlas, photo):
    texture = project_texture(
        photo, frontal.apply(plane.vertices), plane, camera, atlas, fill=np.full((81, 3), 0.5)
    )
    inner = slice(20, 44)
    assert (texture.visibility[inner, inner] > 0.99).all()
    assert not texture.visibility[~atlas.fragments.mask].any()
    # 200 mm are 50 px in the photo, from 25 to 75, and 32 texels, from 16 to 48.
    at = 25.0 + (np.arange(20, 44) + 0.5 - 16.0) / 32.0 * 50.0
    expected = sample_image(photo, np.stack(np.meshgrid(at, at), axis=-1))
    difference = texture.image[inner, inner].astype(float) - expected
    assert np.abs(difference).max() <= 1.5


@pytest.mark.parametrize("size", [100, 2 * SIZE])
def test_an_enlarged_texture_is_one_of_an_atlas_of_its_size(
    plane, frontal, camera, atlas, photo, size
):
    placed = photo, frontal.apply(plane.vertices), plane, camera
    fill = np.full((81, 3), 0.5)
    exact = project_texture(*placed, UvAtlas.of_mesh(plane, size), fill=fill)
    enlarged = project_texture(*placed, atlas, fill=fill, size=size)
    assert enlarged.image.shape == exact.image.shape
    inner = slice(size * 5 // 16, size * 11 // 16)
    difference = enlarged.image[inner, inner].astype(float) - exact.image[inner, inner]
    assert np.abs(difference).max() <= 2.0
    differs = (enlarged.visibility > 0.5) != (exact.visibility > 0.5)
    assert differs.mean() < 0.03
    edge = size * 9 // 32  # the chart's last texels, and those between charts that copy them
    assert (np.ptp(enlarged.image[inner, : size // 4 - 1].astype(int), axis=1) <= 1).all()
    assert (enlarged.visibility[inner, edge:-edge] > 0.0).all()


def test_fine_detail_of_a_large_photo_is_averaged(plane, frontal, atlas):
    checker = np.indices((1000, 1000)).sum(axis=0)[..., None] % 2 * np.full(3, 255)
    camera = Camera(2500.0, (500.0, 500.0))
    texture = project_texture(
        checker.astype(np.uint8), frontal.apply(plane.vertices), plane, camera, atlas
    )
    np.testing.assert_allclose(texture.image[20:44, 20:44], 127.5, atol=4.0)


def test_hidden_surface_takes_the_fill(plane, frontal, camera, photo):
    """A small square 100 mm before the plane hides the middle of it."""
    vertices = np.concatenate([plane.vertices, plane.vertices * 0.3 + [0.0, 0.0, 100.0]])
    faces = np.concatenate([plane.faces, plane.faces + len(plane.vertices)])
    uv = np.concatenate([plane.uv, plane.uv * 0.2 + 0.8])
    mesh = Mesh(vertices, faces, uv=uv, uv_faces=faces)
    atlas = UvAtlas.of_mesh(mesh, 128)
    green = np.tile(np.array([0.0, 1.0, 0.0]), (len(vertices), 1))
    texture = project_texture(photo, frontal.apply(vertices), mesh, camera, atlas, fill=green)
    assert texture.visibility[64, 64] == 0.0
    assert texture.visibility[40, 64] > 0.99
    hidden = texture.image[64, 64].astype(int)
    blank = project_texture(
        photo, frontal.apply(vertices), mesh, camera, atlas, blank=(255, 0, 255)
    ).image
    np.testing.assert_array_equal(blank[64, 64], (255, 0, 255))
    np.testing.assert_array_equal(blank[40, 64], texture.image[40, 64])
    assert np.abs(hidden - photo[50, 50]).max() < 30  # green, but moved to the photo's colours


def test_back_of_a_ball_matches_its_front(ball, frontal, camera):
    """A photo of a lit ball of one albedo: the unseen back gets that albedo in that light."""
    color = np.array([0.7, 0.5, 0.4])
    lighting = np.zeros((9, 3), dtype=np.float32)
    lighting[0], lighting[3] = 0.8 * AMBIENT_WHITE, 0.6
    painted = Mesh(ball.vertices, ball.faces, colors=np.tile(color, (len(ball.vertices), 1)))
    photo = np.rint(render_mesh(painted, frontal, camera, (100, 100), lighting).image * 255)
    atlas = UvAtlas.of_mesh(ball, 128)
    white = np.ones((len(ball.vertices), 3))
    vertices = frontal.apply(ball.vertices)
    texture = project_texture(photo.astype(np.uint8), vertices, ball, camera, atlas, fill=white)
    assert texture.visibility[64, 32] > 0.99
    assert not texture.visibility[:, 64:].any()
    for column, side in ((96, 0.0), (80, 0.64), (112, -0.64)):
        normal = np.array([[side, 0.0, -np.sqrt(1.0 - side**2)]])
        expected = color * shading(normal, lighting)[0] * 255.0
        np.testing.assert_allclose(texture.image[64, column], expected, rtol=0.1, atol=6.0)


def test_what_is_not_skin_takes_no_colour_from_it(ball, frontal, camera):
    """A green photo of a ball whose front is skin and whose back is not."""
    photo = np.broadcast_to(np.array([90, 160, 90], np.uint8), (100, 100, 3))
    atlas = UvAtlas.of_mesh(ball, 128)
    count = len(ball.vertices)
    grey, plain = np.full((count, 3), 0.5), TextureGuide.plain(count)
    skin = (ball.vertices[:, 2] > -1e-6).astype(np.float32)
    vertices = frontal.apply(ball.vertices)
    parted, everywhere = (
        project_texture(photo, vertices, ball, camera, atlas, fill=grey, guide=guide).image
        for guide in (replace(plain, skin=skin), plain)
    )
    assert np.ptp(parted[64, 96].astype(int)) <= 6
    assert np.ptp(everywhere[64, 96].astype(int)) > 30
    assert np.ptp(parted[64, 32].astype(int)) > 30


def test_photo_only_where_allowed(plane, frontal, camera, atlas, photo):
    guide = _only(plane.vertices[:, 0] > 0)
    vertices = frontal.apply(plane.vertices)
    texture = project_texture(photo, vertices, plane, camera, atlas, guide=guide)
    assert texture.visibility[32, 40] > 0.9
    assert not texture.visibility[:, :30].any()
    nothing = project_texture(
        photo, vertices, plane, camera, atlas, guide=_only(plane.vertices[:, 0] > 1e6)
    )
    assert not nothing.visibility.any()
    assert np.ptp(nothing.image) == 0


def test_face_outside_the_photo_is_all_fill(plane, frontal, atlas, photo):
    away = Camera(250.0, (900.0, 50.0))
    fill = np.full((81, 3), 0.4)
    texture = project_texture(photo, frontal.apply(plane.vertices), plane, away, atlas, fill=fill)
    assert not texture.visibility.any()
    np.testing.assert_allclose(texture.image, 102, atol=1)


def test_lighting_survives_outliers():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(40, 40, 3))
    normals[..., 2] = np.abs(normals[..., 2])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    lighting = np.zeros((9, 3))
    lighting[:4] = [[2.5, 2.8, 3.0], [0.4, 0.3, 0.2], [0.5, 0.5, 0.5], [-0.6, -0.5, -0.4]]
    albedo = rng.uniform(0.3, 0.8, (40, 40, 3))
    photo = albedo * shading(normals, lighting)
    photo[rng.uniform(size=(40, 40)) < 0.15] = 0.02
    found = fit_lighting(albedo, photo, normals, np.ones((40, 40)))
    error = shading(normals, found) / shading(normals, lighting) - 1.0
    assert np.sqrt((error**2).mean()) < 0.05


def test_bad_input_is_named(plane, frontal, camera, atlas, photo):
    vertices = frontal.apply(plane.vertices)
    with pytest.raises(RenderError, match="image must be"):
        project_texture(photo[..., 0], vertices, plane, camera, atlas)
    with pytest.raises(RenderError, match="fill must be"):
        project_texture(photo, vertices, plane, camera, atlas, fill=np.zeros((8, 8, 3)))
    with pytest.raises(RenderError, match="guide must be of 81"):
        project_texture(photo, vertices, plane, camera, atlas, guide=TextureGuide.plain(3))
    with pytest.raises(RenderError, match="mesh needs uv"):
        UvAtlas.of_mesh(Mesh(plane.vertices, plane.faces))
    with pytest.raises(RenderError, match="uv covers no texel"):
        UvAtlas.of_mesh(Mesh(plane.vertices, plane.faces, uv=plane.uv + 5, uv_faces=plane.faces))


def test_the_hidden_side_is_completed_from_the_visible_one(plane, atlas):
    """A photo that shows the left half only: with symmetry the right half becomes its mirror."""
    flat = np.full((100, 100, 3), 128, np.uint8)
    flat[40:60, 30:40] = (200, 60, 60)
    vertices = plane.vertices * [1.0, -1.0, -1.0] + np.array([0.0, 0.0, 1000.0])
    camera = Camera(40.0 * 1000.0 / 100.0, (50.0, 50.0))
    left_only = _only(plane.vertices[:, 0] < 1e-6)
    textures = [
        project_texture(
            flat, vertices, plane, camera, atlas, guide=left_only, symmetric=symmetric
        ).image.astype(float)
        for symmetric in (False, True)
    ]
    weight = project_texture(flat, vertices, plane, camera, atlas, guide=left_only).visibility
    seen = weight > 0.99
    assert seen.any()
    hidden = seen[:, ::-1]
    apart = [
        np.abs(texture[:, ::-1][hidden[:, ::-1]] - texture[hidden[:, ::-1]]).mean()
        for texture in textures
    ]
    assert apart[1] < 0.5 * apart[0]


def test_a_face_in_the_dark_leaves_no_black_fill(plane, frontal, camera, atlas):
    """Bright only where normals lean one way: the fit must not take all ambient light away."""
    size = atlas.size
    albedo = np.full((size, size, 3), 0.6, np.float32)
    normals = np.zeros((size, size, 3), np.float32)
    slope = np.linspace(0.0, 1.2, size)[None, :]
    normals[..., 0], normals[..., 2] = np.sin(slope), np.cos(slope)
    photo = np.repeat((0.02 + 0.9 * (slope > 0.9))[..., None], 3, axis=-1)
    photo = np.broadcast_to(photo, albedo.shape).astype(np.float32)
    lighting = fit_lighting(albedo, photo, normals, np.ones((size, size), np.float32))
    median = np.median(photo) / 0.6 * AMBIENT_WHITE
    assert (lighting[0] >= 0.499 * median).all()
