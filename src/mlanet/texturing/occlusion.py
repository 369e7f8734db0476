"""How much of the light from all around reaches a head's surface."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import MeshTopology, vertex_normals
from mlanet.morphable import MorphableModel
from mlanet.render.rasterize import rasterize

DIRECTIONS = 40
"""Directions from which the head is lit, evenly spread."""

MAP_SIDE = 128
"""Pixels across of the depth maps that tell what lies in the shade."""

BIAS_MM = 4.0
"""Surface this far behind the nearest is still lit: a map's pixel is 2 to 3 mm."""

ABOVE = 0.45
"""How much brighter than at the horizon the light is above, and darker below."""

SMOOTHING_STEPS = 4
"""Averaging over neighbours that evens out the few directions."""


def ambient_light_reaching(model: MorphableModel) -> Float[np.ndarray, "w"]:
    """Share, 0 to 1, of ambient light that reaches the vertices of the mean head.

    The light is brighter above than below; the share is that of an upright surface with nothing
    before it. (Ambient occlusion by depth maps, in the manner of Landis, "Production-Ready Global
    Illumination", 2002.) Known at the base mesh's vertices, carried to the decoded ones.
    """
    mean = np.asarray(model.shape.mean, dtype=np.float64)
    topology = MeshTopology(model.base_faces, len(mean))
    normals = np.asarray(vertex_normals(mean, topology.faces, topology.faces_of_vertex))
    centre = (mean.max(axis=0) + mean.min(axis=0)) / 2.0
    size = float(np.ptp(mean, axis=0).max())
    received = np.zeros(len(mean))
    for direction in _even_directions(DIRECTIONS):
        cosine = np.maximum(normals @ direction, 0.0) * (1.0 + ABOVE * direction[1])
        received += cosine * _lit(mean - centre, direction, size, topology)
    shares = received / (DIRECTIONS / 4.0)  # the mean of a cosine over all directions is a quarter
    start, end = topology.edges.T
    count = np.maximum(np.bincount(topology.edges.reshape(-1), minlength=len(mean)), 1)
    for _ in range(SMOOTHING_STEPS):
        total = np.bincount(start, shares[end], len(mean)) + np.bincount(
            end, shares[start], len(mean)
        )
        shares = 0.5 * (shares + total / count)
    return np.clip(model.subdivide(shares[:, None])[:, 0], 0.0, 1.0).astype(np.float32)


def _even_directions(count: int) -> Float[np.ndarray, "n 3"]:
    """Points of a Fibonacci sphere."""
    height = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    turn = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    across = np.sqrt(1.0 - height**2)
    return np.stack([across * np.cos(turn), height, across * np.sin(turn)], axis=1)


def _lit(
    points: Float[np.ndarray, "v 3"],
    direction: Float[np.ndarray, "3"],
    size: float,
    topology: MeshTopology,
) -> Float[np.ndarray, "v"]:
    """1 where nothing lies between a vertex and far away in a direction, else 0."""
    aside = np.cross(direction, [0.0, 0.0, 1.0] if abs(direction[2]) < 0.9 else [1.0, 0.0, 0.0])
    aside /= np.linalg.norm(aside)
    axes = np.stack([aside, np.cross(aside, direction), -direction])
    scale = MAP_SIDE / (1.5 * size)
    seen = points @ axes.T * [scale, scale, 1.0] + [MAP_SIDE / 2.0, MAP_SIDE / 2.0, 2.0 * size]
    depth = rasterize(seen, topology.faces, (MAP_SIDE, MAP_SIDE)).depth
    column, row = np.clip(seen[:, :2].astype(int), 0, MAP_SIDE - 1).T
    nearest = depth[row, column]
    return ((nearest == 0.0) | (seen[:, 2] <= nearest + BIAS_MM)).astype(np.float64)
