"""How well light and skin tone of rendered heads show in their pictures at all.

    python benchmarks/recovery_bound.py

Takes heads of `benchmarks/recovery.py`'s distribution without hair, glasses and occluders, and
their true geometry, and finds the most likely albedo and light from the colours at the visible
vertices of the face (Gauss-Newton), with the heads' own distribution as the prior.
What is left is what a network cannot be asked for.
"""

import numpy as np
from jaxtyping import Float
from recovery import SEED, between_deg, light_direction

from mlanet.coefficients import Coefficients
from mlanet.datasets import Sample
from mlanet.evaluation.groups import SkinTone
from mlanet.geometry import (
    Camera,
    decode_lighting,
    decode_pose,
    harmonics_basis,
    shading,
    vertex_normals,
    viewer_from_camera,
)
from mlanet.geometry.harmonics import COSINE_LOBE
from mlanet.morphable import MorphableModel
from mlanet.synthesis import HeadsConfig, RenderedHeads, random_lighting

HEADS, ROUNDS, NOISE = 200, 15, 0.02
FACING = 0.2


def main() -> None:
    model = MorphableModel.load()
    bare = HeadsConfig(hair=0.0, glasses=0.0, occluder=0.0)
    heads = RenderedHeads(model, count=HEADS, seed=SEED, config=bare)
    rng = np.random.default_rng(0)
    lights = np.stack([random_lighting(rng) for _ in range(4000)])
    prior = lights.mean(axis=0), np.linalg.inv(np.cov(lights.T))
    tone, tones, angles = SkinTone(model), [], []
    for index in range(HEADS):
        sample = heads[index]
        truth = model.layout.split(np.asarray(sample.coefficients, np.float64))
        albedo, lighting = explain(model, sample, truth, prior)
        found = model.layout.split(np.asarray(sample.coefficients, np.float64).copy())
        found.albedo[:] = albedo
        tones.append(abs(tone(found) - tone(truth)))
        pair = (light_direction(part[None]) for part in (lighting, truth.lighting))
        angles.append(float(between_deg(*pair)[0]))
    print(f"skin_tone_mae_deg {np.mean(tones):6.2f}, median {np.median(tones):.2f}")
    print(f"light_deg         {np.median(angles):6.2f}, mean {np.mean(angles):.2f}")


def explain(
    model: MorphableModel,
    sample: Sample,
    truth: Coefficients,
    prior: tuple[Float[np.ndarray, "27"], Float[np.ndarray, "27 27"]],
) -> tuple[Float[np.ndarray, "a"], Float[np.ndarray, "27"]]:
    """Albedo coefficients and lighting offsets that explain the visible vertices' colours."""
    pose = decode_pose(truth.rotation, truth.translation)
    vertices = pose.apply(model.vertices(truth.identity, truth.expression).astype(np.float64))
    normals = vertex_normals(vertices, model.topology.faces, model.topology.faces_of_vertex)
    base = slice(model.num_base_vertices)  # albedo modes are those of the base mesh
    vertices, normals = vertices[base], normals[base]
    view = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    size = sample.image.shape[0]
    xy = Camera.of_crop(size).project(vertices)[:, :2]
    seen = (normals * view).sum(axis=1) > FACING
    seen &= ((xy > 0) & (xy < size)).all(axis=1) & (model.regions["face"] > 0.5)
    place = np.clip(xy[seen].astype(int), 0, size - 1)
    observed = sample.image[place[:, 1], place[:, 0]] / 255.0
    outward = viewer_from_camera(normals[seen].T).T
    basis = harmonics_basis(outward) * np.asarray(COSINE_LOBE)
    mean, modes = model.albedo_mean[seen], model.albedo_basis[seen]
    albedo, lighting = np.zeros(model.layout.albedo), prior[0].copy()
    valid = (observed > 0.01) & (observed < 0.99)
    count = len(albedo)
    precision = np.zeros((count + 27, count + 27))
    precision[:count, :count], precision[count:, count:] = np.eye(count), prior[1]
    for _ in range(ROUNDS):
        light, skin = shading(outward, decode_lighting(lighting)), mean + modes @ albedo
        by_light = skin[:, :, None, None] * basis[:, None, :, None] * np.eye(3)[None, :, None, :]
        by_albedo = light[..., None] * modes
        slope = np.concatenate([by_albedo, by_light.reshape(*skin.shape, 27)], axis=2)[valid]
        rest = (observed - skin * light)[valid]
        weight = 1.0 / (NOISE**2 + rest**2)  # Cauchy: the nose before the cheek is no skin there
        off = np.concatenate([albedo, lighting - prior[0]])
        step = np.linalg.solve(
            slope.T @ (weight[:, None] * slope) + precision,
            slope.T @ (weight * rest) - precision @ off,
        )
        albedo, lighting = albedo + step[:count], lighting + step[count:]
    return albedo, lighting


if __name__ == "__main__":
    main()
