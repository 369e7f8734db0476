"""What photos show of the face model's base vertices: colours, normals, visibility."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from mlanet.fitting import LandmarkFit
from mlanet.geometry import harmonics_basis, vertex_normals, viewer_from_camera
from mlanet.geometry.harmonics import COSINE_LOBE
from mlanet.morphable import MorphableModel
from mlanet.render import Fragments, rasterize

LEAST_FACING, FULL_FACING = 0.25, 0.6
"""A pixel counts if its normal's component towards the viewer is larger; fully from the second."""

RANGE = (0.01, 0.99)
"""Colours between black and white."""

SMOOTHNESS = 0.05
"""Pixels' worth of the wish that a vertex has its neighbours' mean colour."""

LEAST_PIXELS = 0.5
"""A vertex counts fully if its triangles' pixels, weighted by their nearness to it, are so many."""


@dataclass(frozen=True)
class Observations:
    """`n` photos at `v` base vertices.

    `colors` (n, v, 3) sRGB in [0, 1]; `harmonics` (n, v, 9) of the normals, with the cosine
    lobe's factors; `weight` (n, v), 0 where nothing is seen.
    """

    colors: np.ndarray
    harmonics: np.ndarray
    weight: np.ndarray


def observe(model: MorphableModel, images: Iterable[np.ndarray], fit: LandmarkFit) -> Observations:
    """Colours of photos (RGB, uint8) in which the model was placed by a scaled orthographic fit.

    The albedo is linear on base triangles. Its colours are those that come nearest to all
    pixels of the skin in which the photo sees the face, by least squares.
    """
    corner_weights, smooth = base_corner_weights(model), smoothness(model)
    parts: list[tuple[np.ndarray, ...]] = []
    for k, image in enumerate(images):
        vertices = model.vertices(
            fit.identity[k].astype(np.float32), fit.expression[k].astype(np.float32)
        )
        camera = vertices @ fit.rotation[k].T
        topology = model.topology
        normals = vertex_normals(camera, topology.faces, topology.faces_of_vertex)
        normals = viewer_from_camera(normals.T).T[: model.num_base_vertices].astype(np.float64)
        position = np.exp(fit.place[k, 2]) * camera[:, :2] + fit.place[k, :2]
        points = np.column_stack([position, camera[:, 2] + 1000.0])
        seen = rasterize(points, topology.faces, image.shape[:2], cull_backfaces=True)
        colors, weight = vertex_colors(model, image, seen, normals[:, 2], corner_weights, smooth)
        parts.append((colors, harmonics_basis(normals) * np.array(COSINE_LOBE), weight))
    return Observations(*(np.stack(p).astype(np.float32) for p in zip(*parts, strict=True)))


def base_corner_weights(model: MorphableModel) -> np.ndarray:
    """(g, 3, 3) weights of the base triangle's corners at the corners of decoded triangles."""
    count = model.num_base_vertices
    ends = np.concatenate([np.repeat(np.arange(count)[:, None], 2, 1), model.midpoint_index[:, :2]])
    base = np.repeat(model.base_faces, 4, axis=0)
    return (ends[model.topology.faces][..., None] == base[:, None, None]).mean(axis=2)


def smoothness(model: MorphableModel) -> sparse.csc_matrix:
    """Quadratic form (v, v): squared differences from the neighbours' mean."""
    faces, count = model.base_faces, model.num_base_vertices
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    near = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count)).tocsr()
    difference = sparse.identity(count) - sparse.diags(1 / near.sum(axis=1).A1) @ near
    return (difference.T @ difference).tocsc()


def vertex_colors(
    model: MorphableModel,
    image: np.ndarray,
    seen: Fragments,
    facing: np.ndarray,
    corner_weights: np.ndarray,
    smooth: sparse.csc_matrix,
) -> tuple[np.ndarray, np.ndarray]:
    """Colours (v, 3) and weights (v,) of base vertices."""
    skin = model.faces_of("skin")
    rows, columns = np.nonzero((seen.face_index >= 0) & skin[seen.face_index])
    face = seen.face_index[rows, columns]
    share = np.einsum("pk,pkb->pb", seen.barycentric[rows, columns], corner_weights[face])
    corners = model.base_faces[face // 4]
    color = image[rows, columns] / 255.0
    slope = (facing[corners] * share).sum(axis=1)
    trust = np.clip((slope - LEAST_FACING) / (FULL_FACING - LEAST_FACING), 0, 1)
    trust *= ((color > RANGE[0]) & (color < RANGE[1])).all(axis=1)
    count = model.num_base_vertices

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(corners.ravel(), values.ravel(), minlength=count)

    blocks = trust[:, None, None] * share[:, :, None] * share[:, None]
    index = np.broadcast_to(corners[:, :, None], blocks.shape)
    normal = sparse.coo_matrix(
        (blocks.ravel(), (index.ravel(), index.transpose(0, 2, 1).ravel())), shape=(count, count)
    )
    right = np.stack([total(trust[:, None] * share * c[:, None]) for c in color.T], axis=1)
    system = normal.tocsc() + SMOOTHNESS * smooth + 1e-6 * sparse.identity(count)
    colors = splu(system.tocsc()).solve(right)
    pixels, trusted = total(share), total(trust[:, None] * share)
    weight = trusted / np.maximum(pixels, LEAST_PIXELS)
    return np.clip(colors, 0, 1), weight
