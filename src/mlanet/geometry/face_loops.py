"""Triangles of compiled loops. Importing this module imports numba."""

from typing import Any

from mlanet.geometry.compiling import compiled


@compiled
def face_sides(vertices: Any, a: Any, b: Any, c: Any) -> Any:
    """The sides of a triangle from its corner `a` to `b` and `c`, as six numbers.

    Their cross product is the triangle's normal, twice its area long.
    """
    return (
        vertices[b, 0] - vertices[a, 0],
        vertices[b, 1] - vertices[a, 1],
        vertices[b, 2] - vertices[a, 2],
        vertices[c, 0] - vertices[a, 0],
        vertices[c, 1] - vertices[a, 1],
        vertices[c, 2] - vertices[a, 2],
    )
