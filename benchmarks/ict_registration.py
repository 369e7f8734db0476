"""How far a model that carries ICT-FaceKit's modes lies from ICT-FaceKit's own surface.

Both surfaces get the same coefficients. The model's mean is brought to ICT's by one rigid motion,
without scale, which then holds for every head.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from contacts import skin_faces
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from mlanet.evaluation.scans.known_heads import visible_surface
from mlanet.evaluation.surfaces.face_shape import FaceComparison
from mlanet.geometry import MeshTopology, Similarity, SurfaceIndex, face_normals, fit_similarity
from mlanet.morphable import MorphableModel

HEAD_FILE = Path("ict_facekit") / "ict_head.npz"
MM_PER_CM = 10.0
NUM_NARROW_FACE, NUM_SKIN = 6706, 11248
"""ICT-FaceKit's first vertices are its narrow face area, then face, skull, ears and neck; what
follows are sacs, gums, teeth and eyes."""

MODE_PREFIX = "ict"
RIGID_STEPS = 20
INNER = slice(17, 68)
"""Landmarks by which that motion begins."""
ZONES = {"ict_registration_mm": "face", "ears_mm": "ears", "skull_mm": "scalp"}
"""Figures and the region of the model that each looks at."""


@dataclass(frozen=True)
class IctHead:
    """ICT-FaceKit's skin in mm: mean (n, 3), identity modes (k, n, 3), triangles, landmarks."""

    mean: np.ndarray
    identity: np.ndarray
    faces: np.ndarray
    landmarks: np.ndarray

    @classmethod
    def read(cls, path: Path) -> "IctHead":
        with np.load(path) as data:
            quads = data["quads"][data["quads"].max(axis=1) < NUM_SKIN]
            whole = quads[:, 3] >= 0
            faces = np.concatenate([quads[:, :3], quads[whole][:, [0, 2, 3]]]).astype(np.int32)
            mean = MM_PER_CM * data["mean"][:NUM_SKIN].astype(np.float64)
            identity = MM_PER_CM * data["identity"][:, :NUM_SKIN].astype(np.float64)
            marks = json.loads(str(data["indices_json"]))["idx_to_landmark_verts"]
            return cls(mean, identity, faces, np.array(marks))


def ict_modes(model: MorphableModel) -> np.ndarray:
    """Positions of the model's identity modes that are ICT-FaceKit's, in their order."""
    named = [name.lower().startswith(MODE_PREFIX) for name in model.identity_names]
    return np.flatnonzero(named)


def ict_figures(model: MorphableModel, data: Path, count: int) -> dict[str, float | None]:
    """Mean distances of vertices from the other surface, both ways, over mean and random heads."""
    modes = ict_modes(model)
    ict = IctHead.read(data / HEAD_FILE)
    if len(modes) != len(ict.identity):
        return dict.fromkeys(ZONES)
    rest = np.zeros(model.layout.expression, np.float32)
    faces = skin_faces(model)
    topology = MeshTopology(faces, model.topology.num_vertices)
    ict_topology = MeshTopology(ict.faces, len(ict.mean))
    mean = model.vertices(np.zeros(model.layout.identity, np.float32), rest).astype(np.float64)
    start = fit_similarity(
        model.landmarks.mean[INNER], ict.mean[ict.landmarks[INNER]], with_scale=False
    )
    motion = rigid_motion(mean, zone(model, "face"), ict, start)
    nearest = cKDTree(motion.apply(mean)).query(ict.mean)[1]
    seen, ict_seen = seen_from_outside(mean, faces), seen_from_outside(ict.mean, ict.faces)
    used = np.isin(np.arange(len(mean)), faces)
    areas = {}
    for name, region in ZONES.items():
        ours = zone(model, region) & used
        theirs = ours[nearest]
        if region == "face":
            theirs &= np.arange(len(theirs)) < NUM_NARROW_FACE
        if region != "scalp":  # nobody looks from behind
            ours, theirs = ours & seen, theirs & ict_seen
        areas[name] = ours, theirs
    rng = np.random.default_rng(0)
    found = {name: [] for name in ZONES}
    for number in range(count + 1):
        identity = np.zeros(model.layout.identity, np.float32)
        if number:
            identity[modes] = rng.normal(size=len(modes))
        head = ict.mean + np.tensordot(identity[modes].astype(np.float64), ict.identity, axes=1)
        vertices = motion.apply(model.vertices(identity, rest).astype(np.float64))
        there, back = SurfaceIndex(head, ict_topology), SurfaceIndex(vertices, topology)
        for name, (ours, theirs) in areas.items():
            ways = (there.query(vertices[ours]).distance, back.query(head[theirs]).distance)
            found[name].append(np.mean([way.mean() for way in ways]))
    return {name: float(np.mean(values)) for name, values in found.items()}


def zone(model: MorphableModel, region: str) -> np.ndarray:
    """Decoded vertices (w,) bool of the face as scans are compared with it, or of a region."""
    if region != "face":
        return model.region(region) > 0.5
    mask = np.zeros(model.topology.num_vertices, bool)
    mask[np.unique(FaceComparison(model).faces)] = True
    return mask


def rigid_motion(
    vertices: np.ndarray, used: np.ndarray, goal: IctHead, start: Similarity
) -> Similarity:
    """Rotation and translation by iterated closest points, distances to the planes minimised."""
    index = SurfaceIndex(goal.mean, MeshTopology(goal.faces, len(goal.mean)))
    planes = face_normals(goal.mean, goal.faces)
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    motion = start
    for _ in range(RIGID_STEPS):
        moved = motion.apply(vertices[used])
        found = index.query(moved)
        normal = planes[found.face_index]
        rows = np.column_stack([np.cross(moved, normal), normal])
        apart = ((found.points - moved) * normal).sum(axis=1)
        turn, shift = np.split(np.linalg.lstsq(rows, apart, rcond=None)[0], 2)
        rotation = Rotation.from_rotvec(turn).as_matrix()
        motion = Similarity(1.0, rotation @ motion.rotation, rotation @ motion.translation + shift)
    return motion


def seen_from_outside(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices (n,) bool that `visible_surface` keeps."""
    return cKDTree(visible_surface(vertices, faces).vertices).query(vertices)[0] == 0.0
