"""Known coefficients → picture → a disturbed guess is optimised → the same coefficients.

The photometric term alone: no landmarks, no prior.
"""

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.geometry import (
    Camera,
    MeshTopology,
    angle_between,
    decode_lighting,
    decode_pose,
    matrix_from_euler,
    six_d_from_matrix,
)
from mlanet.morphable import LinearShape, load_model
from mlanet.render import Renderer, shade, viewer_normals

SIZE = 96


class Scene:
    """A head of a linear model before a smooth background, drawn from six vectors."""

    def __init__(self, shape, faces, albedo_mean, albedo_basis):
        self.shape = shape.convert(lambda array: torch.from_numpy(array.astype(np.float32)))
        self.albedo_mean = torch.from_numpy(albedo_mean.astype(np.float32))
        self.albedo_basis = torch.from_numpy(albedo_basis.astype(np.float32))
        self.renderer = Renderer(MeshTopology(faces, len(albedo_mean)), (SIZE, SIZE))
        ramp = torch.linspace(0.2, 0.7, SIZE)
        self.background = torch.stack(
            [
                ramp.expand(SIZE, SIZE),
                ramp[:, None].expand(SIZE, SIZE),
                0.6 - 0.3 * ramp.expand(SIZE, SIZE),
            ],
            dim=-1,
        )

    def draw(self, parts):
        identity, expression, albedo, rotation, translation, lighting = parts
        return self.renderer(
            self.shape(identity, expression),
            decode_pose(rotation, translation),
            Camera.of_crop(SIZE),
            decode_lighting(lighting),
            albedo=self.albedo_mean + torch.einsum("vck,k->vc", self.albedo_basis, albedo),
            background=self.background,
        ).image

    def lit_front(self, parts):
        """Lit colours of the vertices that face the camera in the model's frontal pose."""
        identity, expression, albedo, rotation, translation, lighting = parts
        points = decode_pose(rotation, translation).apply(self.shape(identity, expression))
        colors = self.albedo_mean + torch.einsum("vck,k->vc", self.albedo_basis, albedo)
        topology = self.renderer.topology
        lit = shade(colors, viewer_normals(points, topology), decode_lighting(lighting))
        return lit[viewer_normals(self.shape.mean, topology)[:, 2] < -0.5]


def recover(scene, truth, guess, rates, steps):
    """Adam on the photometric term; the found vectors and the error before and after."""
    with torch.no_grad():
        target = scene.draw(truth)
    found = [part.clone().requires_grad_() for part in guess]
    optimizer = torch.optim.Adam(
        [{"params": [part], "lr": rate} for part, rate in zip(found, rates, strict=True)],
        betas=(0.9, 0.99),
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=1e-5)
    errors = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (scene.draw(found) - target).square().mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        errors.append(float(loss.detach()))
    with torch.no_grad():
        last = float((scene.draw(found) - target).square().mean())
    return [part.detach() for part in found], errors[0], last


def degrees_apart(first, second):
    rotations = [decode_pose(r, torch.zeros(3)).rotation for r in (first, second)]
    return float(torch.rad2deg(angle_between(*rotations)))


def rotation(degrees):
    matrix = matrix_from_euler(np.radians(np.asarray(degrees, dtype=np.float64)))
    return six_d_from_matrix(torch.from_numpy(matrix)).float()


def random_truth(scene, expressions, rng):
    """Coefficients of a head that is turned, not neutral and lit from a side; and a wrong guess."""
    num_identity, num_expression = scene.shape.identity.shape[-1], scene.shape.expression.shape[-1]
    num_albedo = scene.albedo_basis.shape[-1]
    amounts = np.zeros(num_expression)
    amounts[rng.choice(num_expression, expressions, replace=False)] = rng.uniform(0.2, 0.6)
    light = np.zeros((9, 3))
    light[0], light[1:4] = -0.4, rng.normal(size=(3, 1)) * 0.6
    angles = rng.uniform(-20.0, 20.0, 3)
    truth = [
        torch.from_numpy(rng.normal(size=num_identity) * 0.7).float(),
        torch.from_numpy(amounts).float(),
        torch.from_numpy(rng.normal(size=num_albedo) * 0.5).float(),
        rotation(angles),
        torch.tensor([0.02, -0.01, 0.05]),
        torch.from_numpy(light.reshape(-1)).float(),
    ]
    guess = [torch.zeros_like(part) for part in truth]
    guess[3] = rotation(angles + rng.choice([-1.0, 1.0], 3) * [4.0, 5.0, 4.0])
    return truth, guess


RATES = (0.03, 0.01, 0.03, 0.01, 0.005, 0.03)


def check_recovery(scene, seed):
    truth, guess = random_truth(scene, 3, np.random.default_rng(seed))
    found, before, after = recover(scene, truth, guess, RATES, 600)
    assert degrees_apart(truth[3], guess[3]) > 6.0
    assert degrees_apart(truth[3], found[3]) < 0.5
    assert after < before / 20.0**2  # mean squares: the error itself falls 20 times

    def vertices(parts):
        return decode_pose(parts[3], parts[4]).apply(scene.shape(parts[0], parts[1]))

    across = [(vertices(parts) - vertices(truth))[..., :2].norm(dim=-1) for parts in (guess, found)]
    assert float(across[0].mean()) > 4.0  # mm
    assert float(across[1].mean()) < 0.7
    # Of albedo and light only the product is seen: a darker skin in a brighter light is the same.
    wrong, right, true = (scene.lit_front(parts) for parts in (guess, found, truth))
    assert float((right - true).abs().mean()) < 0.15 * float((wrong - true).abs().mean())


def test_the_embedded_model_comes_back():
    model = load_model()
    names = [
        "jawOpen",
        "mouthSmileLeft",
        "mouthSmileRight",
        "browInnerUp",
        "eyeBlinkLeft",
        "mouthPucker",
    ]
    chosen = [model.expression_names.index(name) for name in names]
    shape = LinearShape(
        model.shape.mean, model.shape.identity[..., :20], model.shape.expression[..., chosen]
    )
    check_recovery(Scene(shape, model.base_faces, model.albedo_mean, model.albedo_basis), seed=0)


@pytest.mark.data
@pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA names no folder of data")
def test_the_ict_model_comes_back():
    data = np.load(Path(os.environ["MLANET_DATA"]) / "ict_facekit" / "ict_face_light_9409.npz")
    names = data["exp_names"].tolist()
    chosen = [
        names.index(name) for name in ("jawOpen", "mouthSmile_L", "mouthSmile_R", "browInnerUp_L")
    ]
    centre = data["mean"].mean(axis=0)
    mm = 10.0
    shape = LinearShape(
        (data["mean"] - centre) * mm,
        np.moveaxis(data["id_basis"][:20], 0, -1) * mm,
        np.moveaxis(data["exp_basis"][chosen], 0, -1) * mm,
    )
    waves = np.random.default_rng(0).normal(size=(3, 6)) / 40.0
    albedo = 0.15 * np.sin(shape.mean @ waves)[:, None, :] * np.ones((1, 3, 1))
    mean = np.full_like(shape.mean, 0.5)
    check_recovery(Scene(shape, data["faces"].astype(np.int32), mean, albedo), seed=0)
