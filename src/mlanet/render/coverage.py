"""Which triangle owns each pixel, by the compiled loops."""

import numpy as np
from jaxtyping import Float, Int

from mlanet.render.checks import as_points
from mlanet.render.parallel import for_each_part
from mlanet.render.rules import GUARD_PX, NEAR_DEPTH_MM


def nearest_depth(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], image_size: tuple[int, int]
) -> Float[np.ndarray, "h w"]:
    """Depths of the nearest triangles, of arguments that were checked.

    Those of `rasterize` but for the corners' rounding, for less; huge where there is none.
    """
    from mlanet.render._numba.coverage import nearest_faces

    nearness = np.empty(image_size, dtype=np.float32)
    found = np.empty(image_size, dtype=np.int32)
    nearest_faces(as_points(vertices), faces, False, NEAR_DEPTH_MM, GUARD_PX, nearness, found)
    return np.float32(1.0) / np.maximum(nearness, np.float32(1e-30))


def coverage(
    vertices: Float[np.ndarray, "b v 3"],
    faces: Int[np.ndarray, "f 3"],
    image_size: tuple[int, int],
    *,
    cull_backfaces: bool,
    threads: int,
) -> Int[np.ndarray, "b h w"]:
    """Indices of the nearest triangles by the compiled loops, of arguments that were checked."""
    from mlanet.render._numba.coverage import nearest_faces

    found = np.empty((len(vertices), *image_size), dtype=np.int32)

    def find(indices: range) -> None:
        nearness = np.empty(image_size, dtype=np.float32)
        for k in indices:
            points = as_points(vertices[k])
            nearest_faces(
                points, faces, cull_backfaces, NEAR_DEPTH_MM, GUARD_PX, nearness, found[k]
            )

    for_each_part(find, len(vertices), threads)
    return found
