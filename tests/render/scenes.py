"""Random scenes that several tests draw."""

import numpy as np
import trimesh

from mlanet.geometry import MeshTopology


def triangle_soup(seed):
    """Triangles of every kind: tiny, large, off-screen, on pixel centres, behind, repeated."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-8.0, 38.0, (40, 3, 2))
    corners[8:16] = corners[8:16, :1] + rng.uniform(-1.5, 1.5, (8, 3, 2))
    corners[16:24] = np.round(corners[16:24] * 2.0) / 2.0
    corners[24:28] *= 1000.0
    corners[28:30, 2] = corners[28:30, 1]
    depth = rng.uniform(1.0, 3.0, (40, 3, 1))
    depth[30:32, 1] = -1.0
    vertices = np.concatenate([corners, depth], axis=2).reshape(-1, 3)
    faces = np.arange(120).reshape(-1, 3)
    shared = rng.integers(0, 72, (15, 3))
    again = faces[[3, 9, 17]][:, [1, 2, 0]]
    return vertices, np.concatenate([faces, shared, again, faces[:4]]).astype(np.int32)


def bumpy_balls(seed, count=1, size=40):
    """Projected vertices of `count` bumpy balls, the second before the first, and their mesh.

    Each has one colour. Returns vertices (v, 3), topology, colours (v, 3), and for each vertex
    which ball it belongs to.
    """
    rng = np.random.default_rng(seed)
    ball = trimesh.creation.icosphere(subdivisions=int(rng.integers(3, 5)))
    around = np.asarray(ball.vertices)
    points, faces, colors = [], [], []
    for number in range(count):
        waves = around @ rng.normal(size=(3, 3)) * 2.0
        bumps = 1.0 + 0.25 * np.sin(waves).mean(axis=1, keepdims=True)
        radius = rng.uniform(0.15, 0.25) * size
        middle = [*rng.uniform(0.35, 0.65, 2) * size, 100.0 - 15.0 * number]
        points.append(around * bumps * [radius, -radius, -radius] + middle)
        faces.append(np.asarray(ball.faces) + number * len(around))
        colors.append(np.broadcast_to(rng.uniform(0.0, 1.0, 3), around.shape))
    vertices = np.concatenate(points)
    topology = MeshTopology(np.concatenate(faces).astype(np.int32), len(vertices))
    return vertices, topology, np.concatenate(colors), np.repeat(np.arange(count), len(around))
