"""What labelled photos show of the face model's base vertices: colours, normals, visibility."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mlanet.datasets import FaceCrops
from mlanet.fitting import FittingConfig, OrthographicView, fit_landmarks
from mlanet.geometry import harmonics_basis, vertex_normals, viewer_from_camera
from mlanet.geometry.harmonics import COSINE_LOBE
from mlanet.morphable import MorphableModel
from mlanet.render import rasterize
from mlanet.render.sampling import sample_image

FITTING = FittingConfig(noise=0.003)
SUPERSAMPLED = 4
"""Visibility is decided on a grid this much finer than the photo."""

LEAST_FACING = 0.25
"""A vertex counts if its normal's component towards the viewer is larger."""

JAW_WEIGHT_2D = 0.05


@dataclass(frozen=True)
class Observations:
    """`n` photos at `v` base vertices.

    `colors` (n, v, 3) sRGB in [0, 1]; `harmonics` (n, v, 9) of the normals, with the cosine
    lobe's factors; `weight` (n, v), 0 where nothing is seen.
    """

    colors: np.ndarray
    harmonics: np.ndarray
    weight: np.ndarray


def sharpness(image: np.ndarray, landmarks: np.ndarray) -> float:
    """Standard deviation of the Laplacian over the face, relative to that of its grey."""
    low, high = landmarks[17:, :2].min(axis=0), landmarks[17:, :2].max(axis=0)
    left, top, right, bottom = (*np.maximum(low, 0), *high)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[int(top) : int(bottom), int(left) : int(right)]
    if min(grey.shape) < 24:
        return 0.0
    return float(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F).std() / (grey.std() + 4.0))


def observe(model: MorphableModel, folder: Path, rows: np.ndarray) -> Observations:
    """Fit the labelled faces of a folder and read their colours."""
    faces = FaceCrops(folder)
    labels = faces.landmarks_px[rows].astype(np.float64)
    weight = np.ones(labels.shape[:2])
    if labels.shape[2] == 2:
        weight[:, :17] = JAW_WEIGHT_2D
    fit = fit_landmarks(model.landmarks, OrthographicView(), labels[..., :2], weight, FITTING)
    topology, count = model.topology, model.num_base_vertices
    found: list[tuple[np.ndarray, ...]] = []
    for k, row in enumerate(rows.tolist()):
        vertices = model.vertices(
            fit.identity[k].astype(np.float32), fit.expression[k].astype(np.float32)
        )
        camera = vertices @ fit.rotation[k].T
        normals = viewer_from_camera(
            vertex_normals(camera, topology.faces, topology.faces_of_vertex)[:count].T
        ).T
        scale = np.exp(fit.place[k, 2])
        image = faces.decode(row)
        position = scale * camera[:, :2] + fit.place[k, :2]
        facing = visible(position, camera[:, 2], topology.faces, image.shape[:2])[:count]
        trust = np.clip((normals[:, 2] - LEAST_FACING) / 0.35, 0, 1) * facing
        inside = (position[:count] > 1).all(axis=1)
        inside &= (position[:count] < np.array(image.shape[1::-1]) - 1).all(axis=1)
        colors = sample_image(image, position[None, :count])[0] / 255.0
        trust = trust * inside * ((colors > 0.01) & (colors < 0.99)).all(axis=1)
        basis = harmonics_basis(normals.astype(np.float64)) * np.array(COSINE_LOBE)
        found.append((colors, basis, trust))
    colors, basis, trust = (np.stack(part).astype(np.float32) for part in zip(*found, strict=True))
    return Observations(colors, basis, trust)


def visible(
    position_px: np.ndarray, depth_mm: np.ndarray, faces: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """(w,) bool: vertices of triangles that some sample sees."""
    points = np.column_stack([position_px * SUPERSAMPLED, depth_mm + 1000.0])
    grid = size[0] * SUPERSAMPLED, size[1] * SUPERSAMPLED
    index = rasterize(points, faces, grid, cull_backfaces=True).face_index
    seen = np.zeros(len(points), bool)
    seen[faces[np.unique(index[index >= 0])]] = True
    return seen
