"""Does `refine` bring shapes nearer to the truth? On rendered heads of the face model itself.

    python benchmarks/refinement.py [--out F] [--config.identity-prior 0.3 ...]

Random heads at rest with photographic albedo, half of them with hair, photographed as in the
rendered-scan check from the front and from --yaws; distances are that check's (point to plane,
mm). `tone_..._deg` is the mean error of the skin's individual typology angle. The heads that
evaluate mlanet (scans, ICT-FaceKit) have no part in it, so that settings may be chosen here.
"""

import json
from pathlib import Path

import numpy as np
import torch
import tyro

from mlanet import Reconstructor
from mlanet.evaluation.aflw2000.groups import SkinTone, typology_angle_deg
from mlanet.evaluation.scans.known_heads import HAIR_SHARE, KnownHead
from mlanet.evaluation.scans.portraits import LIGHTS, Portrait
from mlanet.evaluation.scans.scoring import reconstruct_portrait
from mlanet.evaluation.surfaces.face_shape import START_POINTS, FaceComparison
from mlanet.fitting import RefinementConfig, refine
from mlanet.geometry import Mesh
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.reconstruction import Reconstruction
from mlanet.synthesis.shapes import hair, hair_faces

SEED = 77


def main(
    config: RefinementConfig = RefinementConfig(),  # noqa: B008 - frozen
    heads: int = 8,
    first: int = 50,
    identity_sd: float = 1.4,
    yaws: tuple[float, ...] = (0.0, 60.0),
    out: Path | None = None,
) -> None:
    """Mean distances of the mean face, the network's answer and the refined one, by yaw."""
    torch.set_num_threads(1)
    figures = refinement_figures(config, heads, first, identity_sd, yaws)
    for name, value in figures.items():
        print(f"{name:32} {value:.3f}")
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def refinement_figures(
    config: RefinementConfig, heads: int, first: int, identity_sd: float, yaws: tuple[float, ...]
) -> dict[str, float]:
    reconstructor = Reconstructor.load()
    compare = FaceComparison(reconstructor.model)
    colored = AlbedoModel.load().on(reconstructor.model)
    lights = list(LIGHTS)
    rows: dict[float, list[list[float]]] = {yaw: [] for yaw in yaws}
    tone = SkinTone(reconstructor.model)
    tones: list[list[float]] = []
    for k in range(heads):
        head = random_head(colored, compare, first + k, identity_sd)
        true = true_tone_deg(reconstructor.model, head)
        for j, yaw in enumerate(yaws):
            portrait = Portrait(head, yaw, lights[(k + j) % len(lights)])
            image = portrait.draw()
            start = reconstruct_portrait(reconstructor, image, portrait)
            faces = start, refine([start], config=config)[0]
            rows[yaw].append([distance(compare, head, face) for face in (None, *faces)])
            tones.append([abs(tone(face.coefficients) - true) for face in faces])
    network, refined = np.mean(tones, axis=0).tolist()
    figures: dict[str, float] = {"tone_network_deg": network, "tone_refined_deg": refined}
    for yaw, values in rows.items():
        table = np.array(values)
        names = ("mean_face_mm", "network_mm", "refined_mm")
        figures |= {
            f"yaw_{yaw:.0f}_{n}": float(v) for n, v in zip(names, table.mean(axis=0), strict=True)
        }
        figures[f"yaw_{yaw:.0f}_worse_share"] = float((table[:, 2] > table[:, 1]).mean())
    return figures


def distance(compare: FaceComparison, head: KnownHead, face: Reconstruction | None) -> float:
    found = () if face is None else (face.coefficients.identity, face.coefficients.expression)
    return compare.face(*found).distance(head.surface, head.points).point_to_plane_mean_mm


def true_tone_deg(model: MorphableModel, head: KnownHead) -> float:
    weight = model.region("face")
    assert head.mesh.colors is not None
    return typology_angle_deg(weight @ head.mesh.colors[: len(weight)] / weight.sum())


def random_head(
    model: MorphableModel, compare: FaceComparison, number: int, identity_sd: float
) -> KnownHead:
    rng = np.random.default_rng([SEED, number])
    identity = (rng.normal(size=model.layout.identity) * identity_sd).astype(np.float32)
    rest = np.zeros(model.layout.expression, dtype=np.float32)
    vertices = model.vertices(identity, rest)
    albedo = model.albedo(rng.normal(size=model.layout.albedo).astype(np.float32))
    landmarks = model.landmarks(identity, rest).astype(np.float64)
    colors, faces = albedo.clip(0.0, 1.0), model.topology.faces
    if rng.random() < HAIR_SHARE:
        grown = hair(vertices, rng)
        faces = np.concatenate([faces, hair_faces() + np.int32(len(vertices))])
        vertices = np.concatenate([vertices, grown.vertices])
        colors = np.concatenate([colors, grown.colors])
    return KnownHead(
        name=f"own-{number}",
        kind="own",
        surface=compare.face(identity).surface,
        landmarks=landmarks,
        points=landmarks[list(START_POINTS)],
        mesh=Mesh(vertices.astype(np.float64), faces.astype(np.int32), colors=colors),
    )


if __name__ == "__main__":
    tyro.cli(main)
