"""Closest points of triangles as compiled loops. Importing this module imports numba."""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled


@compiled
def closest_of_candidates(
    points: Any, vertices: Any, faces: Any, candidates: Any, face_index: Any, weights: Any
) -> None:
    """Write the nearest candidate of each point and the weights of its corners.

    Args:
        points: (n, 3).
        vertices: (v, 3).
        faces: (f, 3).
        candidates: (n, k) triangles to look at; those that are no triangle are passed over.
        face_index: (n,) is written.
        weights: (n, 3) is written.
    """
    for i in range(len(points)):
        px, py, pz = points[i, 0], points[i, 1], points[i, 2]
        least = np.inf
        for k in range(candidates.shape[1]):
            face = candidates[i, k]
            if face >= len(faces):
                continue
            a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
            ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
            ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
            vx, vy, vz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
            wx, wy, wz = px - ax, py - ay, pz - az
            uu = ux * ux + uy * uy + uz * uz
            uv = ux * vx + uy * vy + uz * vz
            vv = vx * vx + vy * vy + vz * vz
            wu = wx * ux + wy * uy + wz * uz
            wv = wx * vx + wy * vy + wz * vz
            ww = wx * wx + wy * wy + wz * wz
            area = max(uu * vv - uv * uv, 1e-30)
            s = (vv * wu - uv * wv) / area
            t = (uu * wv - uv * wu) / area
            if s < 0.0 or t < 0.0 or s + t > 1.0:
                # The foot of the perpendicular is outside: the best point of the three edges.
                s = min(max(wu / max(uu, 1e-30), 0.0), 1.0)
                t = 0.0
                far = ww - 2.0 * s * wu + s * s * uu
                other = min(max(wv / max(vv, 1e-30), 0.0), 1.0)
                apart = ww - 2.0 * other * wv + other * other * vv
                if apart < far:
                    far, s, t = apart, 0.0, other
                ee = uu - 2.0 * uv + vv
                along = (wv - wu - uv + uu) / max(ee, 1e-30)
                other = min(max(along, 0.0), 1.0)
                first, second = 1.0 - other, other
                apart = (
                    ww
                    - 2.0 * (first * wu + second * wv)
                    + first * first * uu
                    + 2.0 * first * second * uv
                    + second * second * vv
                )
                if apart < far:
                    s, t = first, second
            dx, dy, dz = wx - s * ux - t * vx, wy - s * uy - t * vy, wz - s * uz - t * vz
            distance = dx * dx + dy * dy + dz * dz
            if distance < least:
                least = distance
                face_index[i] = face
                weights[i, 0], weights[i, 1], weights[i, 2] = 1.0 - s - t, s, t
