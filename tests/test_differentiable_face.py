from dataclasses import fields, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.coefficients import Coefficients
from mlanet.differentiable_face import COVERED, DifferentiableFace
from mlanet.geometry import (
    Camera,
    MeshTopology,
    decode_lighting,
    decode_pose,
    landmarks_in_pixels,
)
from mlanet.morphable import load_model
from mlanet.render import Renderer
from mlanet.synthesis import RenderedHeads

SIDE = 48


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def face(model):
    return DifferentiableFace(model)


@pytest.fixture(scope="module")
def known(model):
    """Coefficients of three random heads, as arrays."""
    heads = RenderedHeads(model, size=SIDE, count=3)
    rows = [heads.coefficients(np.random.default_rng(k)) for k in range(3)]
    return model.layout.split(np.stack(rows))


def tensors(known):
    return Coefficients(**{f.name: torch.from_numpy(getattr(known, f.name)) for f in fields(known)})


def close(found, wanted, atol):
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=atol)


def drawn_by_arrays(model, known, **arguments):
    """The same picture by the renderer's side for arrays."""
    topology = MeshTopology(model.base_faces, model.num_base_vertices)
    pose = decode_pose(known.rotation, known.translation)
    vertices = model.shape(known.identity, known.expression)
    return Renderer(topology, (SIDE, SIDE), normals=False)(
        vertices, pose, Camera.of_crop(SIDE), **arguments
    )


def test_points_and_colours_are_the_face_models(model, face, known):
    given = tensors(known)
    close(face.vertices(given), model.shape(known.identity, known.expression), 1e-3)
    still = model.shape(known.identity, np.zeros_like(known.expression))
    close(face.neutral_vertices(given), still, 1e-3)
    rows = torch.tensor([5, 700])
    torch.testing.assert_close(
        face.neutral_vertices(given, rows), face.neutral_vertices(given)[:, rows]
    )
    torch.testing.assert_close(face.albedo(given, rows), face.albedo(given)[:, rows])
    points = model.landmarks(known.identity, known.expression)
    pose = decode_pose(known.rotation, known.translation)
    wanted = landmarks_in_pixels(Camera.of_crop(SIDE), pose, points)
    close(face.landmarks_px(given, SIDE), wanted, 1e-3)
    close(face.landmarks_px(given, SIDE, model.landmarks.convert(torch.from_numpy)), wanted, 1e-3)


def test_pictures_are_those_of_arrays(model, face, known):
    flat = known.albedo @ model.albedo_basis.reshape(-1, known.albedo.shape[1]).T
    albedo = (model.albedo_mean + flat.reshape(3, -1, 3)).clip(0.0, 1.0).astype(np.float32)
    background = np.full((3, SIDE, SIDE, 3), 0.4, np.float32)
    wanted = drawn_by_arrays(
        model,
        known,
        lighting=decode_lighting(known.lighting),
        albedo=albedo,
        background=background,
    )
    drawn = face.draw(tensors(known), SIDE, torch.from_numpy(background))
    assert np.abs(drawn.numpy() - wanted.image).mean() < 1e-4


def test_skin_is_face_and_eyes_without_mouth_or_outline(model, face, known):
    region = np.maximum(model.regions["face"], model.regions["eyes"])
    skin = (region * (1.0 - model.regions["mouth"])).astype(np.float32)
    albedo = np.broadcast_to(skin[None, :, None], (3, len(skin), 3)).copy()
    wanted = drawn_by_arrays(model, known, albedo=albedo)
    given = replace(tensors(known), identity=tensors(known).identity.requires_grad_())
    found = face.visible_skin(given, SIDE)
    assert not found.requires_grad
    assert np.abs(found.numpy() - wanted.image[..., 0] * (wanted.mask > COVERED)).mean() < 1e-4
    assert 0.1 < found.mean() < 0.9


def test_gradients_of_landmarks(model, known):
    face = DifferentiableFace(model, "euler").double()
    angles = torch.tensor([[0.1, -0.3, 0.2]], dtype=torch.float64, requires_grad=True)
    first = tensors(known)
    first = Coefficients(**{f.name: getattr(first, f.name)[:1].double() for f in fields(first)})
    inputs = [angles, *(getattr(first, n).requires_grad_() for n in ("translation", "identity"))]

    def points(rotation, translation, identity):
        given = replace(first, rotation=rotation, translation=translation, identity=identity)
        return face.landmarks_px(given, SIDE)[:, ::9]

    assert torch.autograd.gradcheck(points, inputs)


def test_models_without_colours_are_grey(model, known):
    face = DifferentiableFace(replace(model, albedo_mean=model.albedo_mean[:0]))
    given = replace(tensors(known), albedo=torch.zeros(3, 0))
    albedo = face.albedo(given)
    assert albedo.shape[-2:] == (model.num_base_vertices, 3)
    assert len(albedo.unique()) == 1
