"""How well faces go between the embedded model and ICT-FaceKit's face region, in mm.

python benchmarks/transfer.py --data DATA --json transfer.json --picture transfer.png

DATA holds ict_facekit/ict_face_light_9409.npz. Registration knows ICT's landmarks 17-67 and the
chin, or, as for a Basel Face Model of 2017 or 2019, twelve of them.
"""

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import tyro

from mlanet.geometry import Camera, Mesh, Pose, SurfaceIndex, face_normals, matrix_from_euler
from mlanet.image import write_image
from mlanet.morphable import MorphableModel, Transfer, connect, load_model
from mlanet.morphable.readers.basel_h5 import IBUG_NUMBER
from mlanet.morphable.registration import landmarks_of
from mlanet.render import composite, render_mesh

GROUPS = {
    "jaw": range(17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "lips": range(48, 68),
    "inner": range(17, 68),
}
NARROW_FACE = 6706
"""ICT's vertices of the narrow face come first: without ears and neck, about Basel's crop."""

TILE_PX = 300


@dataclass(frozen=True)
class Options:
    """What to measure."""

    data: Path
    json: Path | None = None
    picture: Path | None = None
    """PNG: for three faces the embedded model, ICT's topology, ICT's coefficients; two views."""
    heads: int = 20


def narrow(model: MorphableModel) -> MorphableModel:
    """The narrow face alone, with the landmarks that Basel's files name."""
    faces = model.base_faces
    kept = (faces < NARROW_FACE).all(axis=1)
    number = np.cumsum(kept) - 1
    named = np.isin(np.arange(68), list(IBUG_NUMBER.values()))
    known = named & kept[model.landmark_faces]
    assert model.base_uv_faces is not None
    return replace(
        model,
        shape=model.shape.only(np.arange(NARROW_FACE)),
        base_faces=faces[kept],
        base_uv_faces=model.base_uv_faces[kept],
        landmark_faces=np.where(known, number[model.landmark_faces], -1).astype(np.int32),
    )


def registration_figures(
    embedded: MorphableModel, other: MorphableModel, truth: np.ndarray
) -> dict:
    """Of the mean: coverage, distance, landmarks, folded triangles, seconds."""
    start = time.perf_counter()
    connected, found = connect(embedded, other)
    seconds = time.perf_counter() - start
    covered = found.correspondence.covered
    apart = np.linalg.norm(landmarks_of(embedded, found.surface, other).points - truth, axis=1)
    carried = Transfer(embedded, connected).vertices(embedded.subdivide(embedded.shape.mean))
    turned = face_normals(carried, other.base_faces)
    rest = face_normals(other.shape.mean.astype(np.float64), other.base_faces)
    whole = covered[other.base_faces].all(axis=1)
    # The other way round: every vertex of our face region must find the other surface.
    face = embedded.region("face") > 0.9
    for name in ("eyes", "mouth"):
        face &= embedded.region(name) < 0.1
    back = SurfaceIndex(other.shape.mean, other.topology).query(found.surface[face]).distance
    return {
        "vertices": len(covered),
        "known_landmarks": int(other.known_landmarks.sum()),
        "covered_percent": 100.0 * covered.mean(),
        "distance_mm": found.distance_mm[covered].mean(),
        "distance_mm_p95": np.quantile(found.distance_mm[covered], 0.95),
        "distance_back_mm": back.mean(),
        "distance_back_mm_p95": np.quantile(back, 0.95),
        **{f"landmarks_mm_{name}": apart[list(group)].mean() for name, group in GROUPS.items()},
        "folded_percent": 100.0 * ((turned * rest).sum(axis=1)[whole] <= 0).mean(),
        "seconds": seconds,
    }


def head_figures(embedded: MorphableModel, other: MorphableModel, heads: int) -> dict:
    """Of random heads, both ways: root mean square distance of corresponding points."""
    rng = np.random.default_rng(0)
    transfer = Transfer(embedded, other)
    still = np.zeros(embedded.layout.expression, np.float32)
    there, back, surface, sizes = [], [], [], []
    for _ in range(heads):
        ours = rng.normal(size=embedded.layout.identity).astype(np.float32)
        fitted = transfer.coefficients(ours, still)
        there.append(fitted.error_mm)
        sizes.append(np.sqrt((fitted.identity**2).mean()))
        theirs = rng.normal(size=other.layout.identity).astype(np.float32)
        shape = other.shape(theirs, np.zeros(other.layout.expression, np.float32))
        fitted = transfer.fit_embedded(shape)
        back.append(fitted.error_mm)
        mesh = fitted.motion.apply(embedded.vertices(fitted.identity, fitted.expression))
        found = SurfaceIndex(mesh, embedded.topology).query(shape[transfer.covered])
        surface.append(found.distance.mean())
    return {
        "heads": heads,
        "embedded_to_ict_rms_mm": np.mean(there),
        "embedded_to_ict_coefficient_rms": np.mean(sizes),
        "ict_to_embedded_rms_mm": np.mean(back),
        "ict_to_embedded_surface_mm": np.mean(surface),
    }


def draw(mesh: Mesh, yaw_deg: float) -> np.ndarray:
    """A square picture of a mesh as clay."""
    rotation = matrix_from_euler(np.radians([0.0, yaw_deg, 0.0]))
    pose = Pose(rotation, np.array([0.0, 0.0, 1500.0]) - rotation @ [0.0, -20.0, 20.0])
    camera = Camera(TILE_PX * 1500.0 / 270.0, (TILE_PX / 2, TILE_PX / 2))
    drawn = render_mesh(mesh, pose, camera, (TILE_PX, TILE_PX))
    return composite(drawn, np.full((TILE_PX, TILE_PX, 3), 244, np.uint8))


def picture(embedded: MorphableModel, other: MorphableModel) -> np.ndarray:
    """Rows: the mean, a random head, another one that smiles with an open mouth."""
    rng, transfer = np.random.default_rng(0), Transfer(embedded, other)
    rows = []
    for k in range(3):
        identity = (k > 0) * rng.normal(size=embedded.layout.identity).astype(np.float32)
        expression = np.zeros(embedded.layout.expression, np.float32)
        if k == 2:
            for name, weight in (("jawOpen", 0.5), ("mouthSmileLeft", 0.8), ("eyeBlinkRight", 0.6)):
                expression[embedded.expression_names.index(name)] = weight
        vertices = embedded.vertices(identity, expression)
        fitted = transfer.coefficients(identity, expression)
        meshes = (
            Mesh(vertices, embedded.topology.faces),
            Mesh(transfer.vertices(vertices), other.base_faces),
            Mesh(
                fitted.motion.apply(other.shape(fitted.identity, fitted.expression)),
                other.base_faces,
            ),
        )
        rows.append(np.hstack([draw(mesh, yaw) for mesh in meshes for yaw in (0.0, 60.0)]))
    return np.vstack(rows)


def main(options: Options) -> None:
    """Measure, print, write."""
    embedded = load_model()
    ict = load_model(options.data / "ict_facekit" / "ict_face_light_9409.npz")
    truth = ict.landmarks.mean
    connected, _ = connect(embedded, ict)
    figures = {
        "face_and_ears": registration_figures(embedded, ict, truth),
        "narrow_face_12_landmarks": registration_figures(embedded, narrow(ict), truth),
        "heads": head_figures(embedded, connected, options.heads),
    }
    for part, values in figures.items():
        print(part)
        for name, value in values.items():
            print(f"  {name:<34}{value if isinstance(value, int) else round(float(value), 2)}")
    if options.json is not None:
        text = json.dumps(figures, indent=1, default=float)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.picture is not None:
        write_image(options.picture, picture(embedded, connected))


if __name__ == "__main__":
    main(tyro.cli(Options))
