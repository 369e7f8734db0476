"""Where labelled faces have the 68 landmarks on the built model's mesh: writes `places`.

    python assets/face_model/places.py --data DATA

Fits the embedded model to labels of `DATA/aflw_train`, x and y only, and moves each landmark along
the surface by what stays of them, over and over. Run build.py afterwards. Half of the faces, those
of even position, are never looked at.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from face_model.basemesh import read_base_mesh
from face_model.landmarks import place_landmarks
from face_model.registration import JAW, LANDMARKS
from face_model.skin import Skin, cut_skin
from mlanet.fitting import FittingConfig, LandmarkFit, OrthographicView, fit_landmarks
from mlanet.morphable import MorphableModel, load_model

NUM_FACES, ROUNDS = 2000, 6
CONFIG = FittingConfig(noise=0.01)
HUBER = 0.01
"""Of a face's size: labels that are farther off count less."""

TIE = 0.02
"""Of a landmark to where it is, beside one face: along the line of sight labels say little."""

FARTHEST_MM = np.repeat([12.0, 6.0], [17, 51])
"""From where they began: the jaw's slide along its line, the others stay near."""


def main() -> None:
    """Alternate fits and places, write `landmarks68.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="instead of the embedded one")
    arguments = parser.parse_args()
    with np.load(arguments.data / "aflw_train" / "labels.npz") as labels:
        odd = np.arange(1, len(labels["pts68_px"]), 2)
        rows = np.random.default_rng(0).choice(odd, NUM_FACES, replace=False)
        points = labels["pts68_px"][rows, :, :2].astype(float)
    model, skin = load_model(arguments.model), cut_skin(read_base_mesh())
    begun = parted_landmarks(model)
    for number in range(ROUNDS):
        fit = fit_landmarks(model.landmarks, OrthographicView(), points, None, CONFIG)
        offsets = landmark_offsets(model, fit, points)
        away = parted_landmarks(model) + offsets - begun
        length = np.linalg.norm(away, axis=1, keepdims=True)
        away *= np.minimum(1.0, FARTHEST_MM[:, None] / np.maximum(length, 1e-9))
        model = moved(model, skin, begun + away)
        print(
            f"round {number}: offsets {np.linalg.norm(offsets, axis=1).mean():.2f} mm, largest "
            f"{np.linalg.norm(offsets, axis=1).max():.2f} mm",
            flush=True,
        )
    tables = json.loads(LANDMARKS.read_text())
    corners = skin.base_index[model.base_faces[model.landmark_faces]]
    if corners.min() < 0:
        raise SystemExit("a landmark lies within a nostril")
    weights = np.round(model.landmark_barycentric.astype(float), 5)
    tables["places"] = {"base_vertices": corners.tolist(), "barycentric": weights.tolist()}
    LANDMARKS.write_text(json.dumps(tables) + "\n")


def parted_shape(model: MorphableModel) -> np.ndarray:
    """The mean (v, 3) with parted lips."""
    opening = model.shape.expression[..., model.expression_names.index("jawOpen")]
    return model.shape.mean.astype(float) + JAW * opening


def parted_landmarks(model: MorphableModel) -> np.ndarray:
    """Landmarks (68, 3) of the mean with parted lips."""
    corners = parted_shape(model)[model.base_faces[model.landmark_faces]]
    return (corners * model.landmark_barycentric[..., None]).sum(axis=1)


def landmark_offsets(model: MorphableModel, fit: LandmarkFit, points: np.ndarray) -> np.ndarray:
    """Displacements (68, 3), mm of the model frame, that best explain what fits leave.

    Faces from all sides see all directions: least squares with Huber's weights.
    """
    shape = model.landmarks(fit.identity, fit.expression)
    by_point = OrthographicView().project(fit.rotation, fit.place, shape).by_point[:, :, :2]
    size = np.sqrt(np.ptp(points, axis=1).prod(axis=1))[:, None]
    left = (points - fit.landmarks_px[..., :2]) / size[..., None]
    rows = by_point / size[..., None, None]
    scale = np.square(rows).sum(axis=(2, 3)).mean()
    offsets = np.zeros((len(shape[0]), 3))
    for _ in range(8):
        apart = np.linalg.norm(left - np.einsum("bnij,nj->bni", rows, offsets), axis=-1)
        weight = np.minimum(1.0, HUBER / np.maximum(apart, 1e-9))
        normal = np.einsum("bn,bnij,bnik->njk", weight, rows, rows)
        right = np.einsum("bn,bnij,bni->nj", weight, rows, left)
        tie = TIE * scale * len(points) * np.eye(3)
        offsets = np.linalg.solve(normal + tie, right[..., None])[..., 0]
    return offsets


def moved(model: MorphableModel, skin: Skin, points: np.ndarray) -> MorphableModel:
    """The model with landmarks at the places nearest to points (68, 3), lips parted."""
    outside = np.flatnonzero(~(skin.bag | skin.rims)[skin.faces].any(axis=1))
    shape = parted_shape(model)[: len(skin.vertices)]
    faces, weights = place_landmarks(shape, skin.faces[outside], skin.mirror, points)
    return replace(
        model,
        landmark_faces=outside[faces].astype(np.int32),
        landmark_barycentric=weights.astype(np.float32),
    )


if __name__ == "__main__":
    main()
