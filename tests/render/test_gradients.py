"""Gradients of whole pictures, against finite differences and against another renderer."""

import numpy as np
import pytest
import trimesh

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.geometry import AMBIENT_WHITE, Camera, MeshTopology, Pose, matrix_from_6d
from mlanet.render import Renderer, antialias, interpolate, rasterize

from .scenes import bumpy_balls

SIZE = 14
COARSE = {"eps": 1e-7, "atol": 1e-4, "rtol": 1e-4}


def leaf(array):
    return torch.from_numpy(np.array(array, dtype=np.float64)).requires_grad_()


@pytest.fixture(scope="module", params=["numba", "torch"])
def draw(request):
    """A picture of a coloured, lit, textured ball as a function of everything it depends on."""
    ball = trimesh.creation.icosphere(subdivisions=1, radius=50.0)
    faces = np.asarray(ball.faces, dtype=np.int32)
    rng = np.random.default_rng(0)
    uv = np.asarray(ball.vertices)[:, :2] / 110.0 + 0.5
    topology = MeshTopology(faces, len(ball.vertices))
    renderer = Renderer(topology, (SIZE, SIZE), uv=uv, backend=request.param)
    light = np.zeros((9, 3))
    light[0] = AMBIENT_WHITE
    light[1:] = rng.normal(size=(8, 3)) * 0.5
    inputs = {
        "vertices": leaf(np.asarray(ball.vertices) + rng.normal(size=(42, 3))),
        "rotation": leaf([1.0, 0.1, 0.0, 0.1, -1.0, 0.2]),
        "translation": leaf([1.3, -2.1, 1000.0]),
        "focal": leaf(110.0),
        "center": leaf([7.2, 6.9]),
        "lighting": leaf(light),
        "albedo": leaf(rng.uniform(0.2, 0.8, (42, 3))),
        "texture": leaf(rng.uniform(0.2, 0.8, (4, 4, 3))),
        "background": leaf(rng.uniform(0.2, 0.8, (SIZE, SIZE, 3))),
    }

    def picture(kind, **changed):
        given = inputs | changed
        camera = Camera(given["focal"], (given["center"][0], given["center"][1]))
        pose = Pose(matrix_from_6d(given["rotation"]), given["translation"])
        found = renderer(
            given["vertices"],
            pose,
            camera,
            given["lighting"],
            background=given["background"],
            **{kind: given[kind]},
        )
        return torch.cat(
            [found.image, found.mask[..., None], found.depth[..., None] / 1e3, found.normals], -1
        )

    return inputs, picture


@pytest.mark.parametrize("name", ["vertices", "rotation", "translation", "focal", "center"])
def test_gradcheck_of_geometry_and_camera(draw, name):
    inputs, picture = draw
    assert torch.autograd.gradcheck(
        lambda value: picture("albedo", **{name: value}),
        inputs[name],
        **COARSE,
    )


@pytest.mark.parametrize("name", ["albedo", "lighting", "texture", "background"])
def test_gradcheck_of_colours(draw, name):
    inputs, picture = draw
    kind = "texture" if name == "texture" else "albedo"
    assert torch.autograd.gradcheck(
        lambda value: picture(kind, **{name: value}), inputs[name], eps=1e-6, atol=1e-6
    )


def test_gradcheck_of_vertices_through_the_texture(draw):
    inputs, picture = draw
    assert torch.autograd.gradcheck(
        lambda value: picture("texture", vertices=value),
        inputs["vertices"],
        **COARSE,
    )


def test_single_precision_has_the_same_gradients(draw):
    inputs, picture = draw
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn((SIZE, SIZE, 8), dtype=torch.float64, generator=generator)
    names = ("vertices", "albedo", "lighting")
    gradients = []
    for dtype in (torch.float64, torch.float32):
        given = {k: v.detach().to(dtype).requires_grad_() for k, v in inputs.items()}
        total = (picture("albedo", **given) * weights.to(dtype)).sum()
        gradients.append(torch.autograd.grad(total, [given[name] for name in names]))
    for exact, single in zip(*gradients, strict=True):
        error = float((exact - single).norm() / exact.norm())
        assert error < 1e-3


def test_no_second_derivatives_in_silence():
    places = leaf([[0, 0, 1.0], [9, 1, 2.0], [1, 9, 3.0]])
    found = rasterize(places, np.array([[0, 1, 2]]), (10, 10))
    (first,) = torch.autograd.grad(found.depth.sum(), places, create_graph=True)
    with pytest.raises(RuntimeError, match=r"does not require grad|once_differentiable"):
        first.sum().backward()


def overdraw(vertices, topology, colors, background, d_image):
    """Picture and gradients in positions and colours by discontinuity-edge overdraw (deodr)."""
    from deodr import ColoredTriMesh
    from deodr.differentiable_renderer import Scene2D

    faces = topology.faces.astype(np.uint32)
    size = d_image.shape[0]
    mesh = ColoredTriMesh(faces, vertices=vertices, clockwise=False, colors=np.array(colors))
    nothing = np.zeros(len(faces), dtype=bool)
    scene = Scene2D(
        faces=faces,
        faces_uv=faces,
        ij=vertices[:, :2].copy(),
        depths=vertices[:, 2].copy(),
        textured=nothing,
        uv=np.zeros((len(vertices), 2)),
        shade=np.zeros(len(vertices)),
        colors=np.array(colors),
        shaded=nothing,
        edgeflags=mesh.edge_on_silhouette(vertices[:, :2]),
        height=size,
        width=size,
        nb_colors=3,
        texture=np.zeros((0, 0)),
        background_image=np.array(np.broadcast_to(background, d_image.shape)),
        clockwise=False,
        backface_culling=True,
        integer_pixel_centers=False,
    )
    image, _ = scene.render(sigma=1.0)
    scene.render_backward(d_image.copy())  # it overwrites what it is given
    return image, scene.ij_b, scene.colors_b


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_discontinuity_edge_overdraw(seed):
    """Another way to make outlines differentiable finds nearly the same picture and gradients.

    It draws a ramp of one pixel outside of an outline, half a pixel of which is too much: it is
    given a ball that is half a pixel smaller.
    """
    size = 40
    vertices, topology, colors, _ = bumpy_balls(seed, 1, size)
    rng = np.random.default_rng(seed)
    background = rng.uniform(size=3)
    rows, columns = np.mgrid[:size, :size] / size
    d_image = np.stack([np.sin(3.0 * columns + k + 2.0 * rows) for k in range(3)], axis=-1)
    hard = rasterize(vertices, topology.faces, (size, size), cull_backfaces=True)
    radius = np.sqrt(hard.mask.sum() / np.pi)
    away = (vertices - vertices.mean(axis=0)) * [1.0, 1.0, 0.0]
    smaller = vertices - away * 0.5 / radius
    expected, d_places, d_colors = overdraw(smaller, topology, colors, background, d_image)
    places, shown = leaf(vertices), leaf(colors)
    found = rasterize(places, topology.faces, (size, size), cull_backfaces=True)
    image = interpolate(found, topology.faces, shown)
    image = torch.where(found.mask[..., None], image, torch.from_numpy(background))
    image = antialias(image, found, places, topology.edge_opposites)
    (image * torch.from_numpy(d_image)).sum().backward()
    assert float((image.detach() - torch.from_numpy(expected)).abs().mean()) < 0.01
    shift, turn = np.eye(2), away[:, [1, 0]] * [-0.1, 0.1]
    motions = [*shift[:, None], away[:, :2] / 10.0, turn]
    mine = np.array([(places.grad[:, :2].numpy() * motion).sum() for motion in motions])
    theirs = np.array([(d_places * motion).sum() for motion in motions])
    assert np.linalg.norm(mine - theirs) < 0.22 * np.linalg.norm(theirs)
    total = np.abs(d_colors.sum(axis=0)).max()
    np.testing.assert_allclose(shown.grad.sum(0), d_colors.sum(0), atol=0.03 * total)
