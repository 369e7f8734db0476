"""Scattered points of a plane: the triangles between them."""

import numpy as np
from jaxtyping import Float, Int

_FAR = 1e3
"""Of the triangle that surrounds all points: how much larger than they it is."""

_TINY = 1e-10
"""What is nothing, of heights and weights."""


def delaunay_weights(
    points: Float[np.ndarray, "n 2"], wanted: Float[np.ndarray, "k 2"]
) -> tuple[Int[np.ndarray, "k 3"], Float[np.ndarray, "k 3"]] | None:
    """The corners of the Delaunay triangles that hold some places, and the corners' weights.

    Lifted onto a paraboloid, the points of the triangle carry the place at the lowest height of
    all triangles around it. That is a linear program, which the simplex method solves: a point
    below the plane of the three comes in, the one that then leaves the place inside goes out.

    OpenCV's `Subdiv2D` keeps points in single precision: beside it, some places lie in another
    triangle, and places on edges and at corners in none.

    Returns:
        None if a place does not lie within the hull of the points.
    """
    centre = (points.min(axis=0) + points.max(axis=0)) / 2.0
    size = float(np.abs(points - centre).max()) or 1.0
    inner, places = (points - centre) / size, (wanted - centre) / size
    if np.abs(places).max(initial=0.0) > 1.0:
        return None
    around = _FAR * np.array([[-1.0, -1.0], [1.0, -1.0], [0.0, 1.0]])
    known = np.concatenate([inner, around])
    height = np.square(known).sum(axis=1)
    found = [_lowest(known, height, place) for place in places]
    corners = np.array([each[0] for each in found], dtype=np.int64).reshape(-1, 3)
    weights = np.array([each[1] for each in found]).reshape(-1, 3)
    return None if (corners >= len(points)).any() else (corners, weights)


def _lowest(
    points: Float[np.ndarray, "n 2"], height: Float[np.ndarray, "n"], place: Float[np.ndarray, "2"]
) -> tuple[Int[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """The three points and their weights; the last three points surround all others."""
    every = np.column_stack([points, np.ones(len(points))])
    target = np.append(place, 1.0)
    corners = np.arange(len(points) - 3, len(points))
    weights = np.ones(3)
    for _ in range(10 * len(points)):  # far more than it takes; equal heights might go round
        inverse = np.linalg.inv(every[corners].T)
        weights = inverse @ target
        below = height - every @ (height[corners] @ inverse)
        below[corners] = 0.0
        comes = int(below.argmin())
        if below[comes] > -_TINY:
            break
        share = inverse @ every[comes]
        falls = share > _TINY
        steps = np.where(falls, weights, np.inf) / np.where(falls, share, 1.0)
        corners = corners.copy()
        corners[steps.argmin()] = comes
    return corners, weights
