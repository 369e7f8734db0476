"""Does `refine_face` bring shapes nearer to the truth? On rendered heads that evaluate nothing.

    python benchmarks/refinement.py [--json F] [--config.color-noise 0.2 ...]

Random heads of the face model with photographic albedo, half of them with hair, photographed as in
the rendered-scan check from the front and from --yaws. Their skin is what the fit cannot explain:
most shapes are bent beyond the model's modes, colours have patches and dark hollows beyond the
albedo's, light is a lamp with gloss instead of harmonics, and the camera has a curve and noise.
Distances are that check's (point to plane, mm). `tone_..._deg` is the mean error of the skin's
individual typology angle, `refine_s` processor time. The heads that evaluate mlanet (scans, FLAME
Open) have no part in it, so that settings may be chosen here. --torch measures `refine` beside it
(the `train` extra).
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import Float, UInt8

from mlanet import Reconstructor
from mlanet.evaluation.aflw2000.groups import SkinTone, typology_angle_deg
from mlanet.evaluation.scans.known_heads import HAIR_SHARE, KnownHead
from mlanet.evaluation.scans.portraits import SIZE_PX, Portrait, portrait_camera
from mlanet.evaluation.scans.scoring import reconstruct_portrait
from mlanet.evaluation.surfaces.face_shape import START_POINTS, FaceComparison
from mlanet.fitting import PixelFitConfig, refine_face
from mlanet.geometry import (
    AMBIENT_WHITE,
    Mesh,
    MeshTopology,
    points_on_surface,
    vertex_normals,
)
from mlanet.metrics import Surface
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.reconstruction import Reconstruction
from mlanet.render import composite, render_mesh
from mlanet.synthesis.shapes import hair, hair_faces
from mlanet.synthesis.surroundings import procedural_background

SEED = 77

FACE_BOX = np.array([[-70.0, -90.0, 20.0], [70.0, 80.0, 95.0]])
"""Where bumps and patches have their middles (mm, model frame)."""

BENT_SHARE, BUMPS, BUMP_MM = 0.6, 14, 1.6
PATCHES, PATCH, TINT = 12, 0.05, 0.015
NOISE = 4.0
"""Of the camera, in steps of 255."""


def main(
    config: PixelFitConfig = PixelFitConfig(),  # noqa: B008 - frozen
    heads: int = 8,
    first: int = 50,
    yaws: tuple[float, ...] = (0.0, 35.0, 65.0),
    torch: bool = False,
    json: Path | None = None,
) -> None:
    """Mean distances of the mean face, the network's answer and the refined one, by yaw."""
    figures = refinement_figures(config, heads, first, yaws, with_torch=torch)
    for name, value in figures.items():
        print(f"{name:32} {value:.3f}")
    if json is not None:
        json.write_text(as_json(figures), encoding="utf-8")


def as_json(figures: dict[str, float]) -> str:
    return json.dumps(figures, indent=1) + "\n"


def refinement_figures(
    config: PixelFitConfig,
    heads: int,
    first: int,
    yaws: tuple[float, ...],
    *,
    with_torch: bool = False,
) -> dict[str, float]:
    """`refine_gain` (%) and `refine_s` over all, and distances by yaw."""
    reconstructor = Reconstructor.load()
    compare = FaceComparison(reconstructor.model)
    colored = AlbedoModel.load().on(reconstructor.model)
    tone = SkinTone(reconstructor.model)
    names = ["mean_face", "network", "refined", *(["torch"] if with_torch else [])]
    rows: dict[float, list[list[float]]] = {yaw: [] for yaw in yaws}
    tones: list[list[float]] = []
    seconds: list[float] = []
    for k in range(first, first + heads):
        head = random_head(colored, compare, np.random.default_rng([SEED, k]))
        true = true_tone_deg(reconstructor.model, head)
        for j, yaw in enumerate(yaws):
            portrait = Portrait(head, yaw, "front")
            image = photographed(portrait, np.random.default_rng([SEED, k, j]))
            start = reconstruct_portrait(reconstructor, image, portrait)
            if not seconds:
                refine_face(start, config)  # loops are compiled, tables are made
            began = time.process_time()
            faces = [start, refine_face(start, config)]
            seconds.append(time.process_time() - began)
            if with_torch:
                faces.append(refined_by_torch(start))
            rows[yaw].append([distance(compare, head, face) for face in (None, *faces)])
            tones.append([abs(tone(face.coefficients) - true) for face in faces])
    table = np.array([rows[yaw] for yaw in yaws])
    middle = table.mean(axis=(0, 1))
    figures = {"refine_s": float(np.median(seconds))}
    for column, name in enumerate(names[2:], 2):
        figures[f"{name}_gain_percent"] = 100.0 * float(1.0 - middle[column] / middle[1])
    figures |= dict(
        zip((f"tone_{n}_deg" for n in names[1:]), np.mean(tones, axis=0).tolist(), strict=True)
    )
    for yaw, values in zip(yaws, table, strict=True):
        means = values.mean(axis=0).tolist()
        figures |= {f"yaw_{yaw:.0f}_{n}_mm": v for n, v in zip(names, means, strict=True)}
        figures[f"yaw_{yaw:.0f}_worse_share"] = float((values[:, 2] > values[:, 1]).mean())
    return figures


def refined_by_torch(face: Reconstruction) -> Reconstruction:
    import torch

    from mlanet.fitting import refine

    torch.set_num_threads(1)
    return refine([face])[0]


def distance(compare: FaceComparison, head: KnownHead, face: Reconstruction | None) -> float:
    found = () if face is None else (face.coefficients.identity, face.coefficients.expression)
    return compare.face(*found).distance(head.surface, head.points).point_to_plane_mean_mm


def true_tone_deg(model: MorphableModel, head: KnownHead) -> float:
    weight = model.region("face")
    assert head.mesh.colors is not None
    return typology_angle_deg(weight @ head.mesh.colors[: len(weight)] / weight.sum())


def random_head(
    model: MorphableModel, compare: FaceComparison, rng: np.random.Generator
) -> KnownHead:
    identity = (rng.normal(size=model.layout.identity) * rng.uniform(0.8, 1.3)).astype(np.float32)
    rest = np.zeros(model.layout.expression, dtype=np.float32)
    vertices = model.vertices(identity, rest).astype(np.float64)
    if rng.random() < BENT_SHARE:
        vertices = vertices + _bumps(vertices, BUMPS, rng) @ rng.normal(0.0, BUMP_MM, (BUMPS, 3))
    landmarks = points_on_surface(
        vertices, model.base_faces, model.landmark_faces, model.landmark_barycentric
    )
    colors = model.albedo(rng.normal(size=model.layout.albedo).astype(np.float32))
    shade = rng.normal(0.0, PATCH, (PATCHES, 1)) + rng.normal(0.0, TINT, (PATCHES, 3))
    fine = rng.normal(size=(len(vertices), 1)) * rng.uniform(0.005, 0.03)
    colors = colors * (1.0 + _bumps(vertices, PATCHES, rng) @ shade + fine)
    colors = colors * (1.0 - rng.uniform(0.1, 0.7) * _hollow(vertices, model.topology))
    faces = model.topology.faces
    surface = Surface(vertices, compare.faces)
    if rng.random() < HAIR_SHARE:
        grown = hair(vertices, rng)
        faces = np.concatenate([faces, hair_faces() + np.int32(len(vertices))])
        vertices = np.concatenate([vertices, grown.vertices])
        colors = np.concatenate([colors, grown.colors])
    return KnownHead(
        name="own",
        kind="own",
        surface=surface,
        landmarks=landmarks,
        points=landmarks[list(START_POINTS)],
        mesh=Mesh(vertices, faces.astype(np.int32), colors=colors.clip(0.0, 1.0)),
    )


def _bumps(
    vertices: Float[np.ndarray, "v 3"], count: int, rng: np.random.Generator
) -> Float[np.ndarray, "v b"]:
    """Gaussians of random width about random places of the face."""
    middles = rng.uniform(FACE_BOX[0], FACE_BOX[1], (count, 3))
    width = rng.uniform(12.0, 35.0, count)
    squared = np.square(vertices[:, None] - middles).sum(axis=-1)
    return np.exp(-squared / (2.0 * width**2))


def _hollow(vertices: Float[np.ndarray, "v 3"], topology: MeshTopology) -> np.ndarray:
    """How far a vertex lies below its neighbours, 0 to 0.6 mm."""
    ends = topology.edges
    beside, count = np.zeros_like(vertices), np.zeros((len(vertices), 1))
    for own, other in (ends.T, ends.T[::-1]):
        np.add.at(beside, own, vertices[other] - vertices[own])
        np.add.at(count, own, 1.0)
    normals = vertex_normals(vertices, topology.faces, topology.faces_of_vertex)
    return (beside / np.maximum(count, 1.0) * normals).sum(axis=1, keepdims=True).clip(0.0, 0.6)


def photographed(portrait: Portrait, rng: np.random.Generator) -> UInt8[np.ndarray, "s s 3"]:
    """The head under a lamp, with gloss, by a camera with a curve and noise."""
    mesh, pose = portrait.head.mesh, portrait.pose
    topology = MeshTopology(mesh.faces, len(mesh.vertices))
    normals = vertex_normals(mesh.vertices, topology.faces, topology.faces_of_vertex)
    normals = normals @ pose.rotation.T * [1.0, -1.0, -1.0]
    lamp = np.array([rng.normal(), rng.normal(0.3, 0.6), abs(rng.normal()) + 0.2])
    lamp /= np.linalg.norm(lamp)
    half = lamp + np.array([0.0, 0.0, 1.0])
    ambient = rng.uniform(0.3, 0.8)
    shade = ambient + (1.0 - ambient) * (normals @ lamp).clip(0.0)
    gloss = (normals @ half / np.linalg.norm(half)).clip(0.0) ** rng.uniform(8.0, 40.0)
    tint = rng.uniform(0.8, 1.05) * (1.0 + rng.normal(0.0, 0.05, 3))
    assert mesh.colors is not None
    colors = mesh.colors * shade[:, None] * tint + rng.uniform(0.0, 0.25) * gloss[:, None]
    curve = rng.uniform(0.75, 1.25)
    flat = np.zeros((9, 3), dtype=np.float32)
    flat[0] = AMBIENT_WHITE
    drawn = render_mesh(
        replace(mesh, colors=colors.clip(0.0, 1.0) ** curve),
        pose,
        portrait_camera(),
        (SIZE_PX, SIZE_PX),
        flat,
    )
    behind = procedural_background(SIZE_PX, rng).astype(np.float32)
    picture = composite(drawn, behind) * 255.0 + rng.normal(0.0, NOISE, (SIZE_PX, SIZE_PX, 3))
    return np.rint(picture).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    tyro.cli(main)
