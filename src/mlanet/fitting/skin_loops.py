"""Normals of a moving skin as compiled loops. Importing this module imports numba."""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled
from mlanet.geometry.face_loops import face_sides


@compiled
def area_vectors(
    vertices: Any, faces: Any, places: Any, basis: Any, total: Any, change: Any
) -> None:
    """Add up twice the area vectors of the triangles around vertices, and their derivatives.

    Twice the area vector of a triangle is a×b + b×c + c×a: it changes by (c - b)×da + ...

    Args:
        vertices: (v, 3).
        faces: (f, 3).
        places: (f, 3) rows of `total` for the corners; below 0 where there is none.
        basis: (v, 3, k) what each coefficient moves the vertices by.
        total: (s, 3) is added to.
        change: (s, 3, k) is added to, in the basis' precision.
    """
    modes = basis.shape[2]
    turned = np.zeros((3, modes), basis.dtype)
    for f in range(len(faces)):
        turned[:] = 0.0
        for corner in range(3):
            own = faces[f, corner]
            start, end = faces[f, (corner + 1) % 3], faces[f, (corner + 2) % 3]
            x = basis.dtype.type(vertices[end, 0] - vertices[start, 0])
            y = basis.dtype.type(vertices[end, 1] - vertices[start, 1])
            z = basis.dtype.type(vertices[end, 2] - vertices[start, 2])
            for k in range(modes):
                turned[0, k] += y * basis[own, 2, k] - z * basis[own, 1, k]
                turned[1, k] += z * basis[own, 0, k] - x * basis[own, 2, k]
                turned[2, k] += x * basis[own, 1, k] - y * basis[own, 0, k]
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz, vx, vy, vz = face_sides(vertices, a, b, c)
        for corner in range(3):
            place = places[f, corner]
            if place < 0:
                continue
            total[place, 0] += uy * vz - uz * vy
            total[place, 1] += uz * vx - ux * vz
            total[place, 2] += ux * vy - uy * vx
            for axis in range(3):
                for k in range(modes):
                    change[place, axis, k] += turned[axis, k]
