"""Which triangle each pixel sees."""

import numpy as np
from array_api_compat import is_torch_array
from jaxtyping import Float, Int

from mlanet.coefficients import Array
from mlanet.errors import RenderError
from mlanet.render.checks import (
    Backend,
    as_batch,
    check_backend,
    checked_mesh,
    checked_size,
    checked_threads,
)
from mlanet.render.coverage import coverage
from mlanet.render.fragments import Fragments
from mlanet.render.parallel import for_each_image


def rasterize(
    vertices: Float[Array, "*b v 3"],
    faces: Int[Array, "f 3"],
    image_size: tuple[int, int],
    *,
    cull_backfaces: bool = False,
    backend: Backend | None = None,
    threads: int | None = None,
) -> Fragments:
    """The nearest triangle at each pixel's centre.

    A pixel belongs to a triangle if its centre lies inside, or on a top or left edge, of the
    triangle with its corners rounded to 1/256 px: of two triangles that share an edge exactly
    one owns a centre on it. Of several triangles the nearest is seen; at equal depth (in
    float32) the one of the lowest index. Degenerate triangles are never seen. The result is the
    same on every run, with every backend and number of threads.

    Args:
        vertices: x, y in pixels and depth in mm, as `Camera.project` returns them; of one
            picture, or of a batch. Tensors give tensors on their device, in their precision and
            with gradients; NumPy gives float32.
        faces: corners, counter-clockwise seen from outside; shared by the batch.
        image_size: height and width in pixels.
        cull_backfaces: leave out triangles seen from inside.
        backend: `numba`, the compiled loops (CPU), or `torch`, plain tensor operations (any
            device, tensors only). Without it, the compiled loops wherever they can run.
        threads: for the images of a batch on the CPU. Without it, torch's number of threads for
            tensors and one for NumPy.

    Raises:
        RenderError: a shape or index is wrong, a vertex is not finite, an argument is on another
            device, or the backend cannot run there.
    """
    size = checked_size(image_size)
    if is_torch_array(vertices):
        from mlanet.render._torch.rasterize import rasterize_tensors

        return rasterize_tensors(
            vertices, faces, size, cull_backfaces=cull_backfaces, backend=backend, threads=threads
        )
    check_backend(backend)
    if backend == "torch":
        raise RenderError("backend torch needs vertices that are tensors")
    workers = checked_threads(threads, 1)
    points, corners = checked_mesh(vertices, faces)
    batch = as_batch(points, 2)
    found = coverage(batch, corners, size, cull_backfaces=cull_backfaces, threads=workers)
    barycentric = np.empty((*found.shape, 3), dtype=np.float32)
    depth = np.empty(found.shape, dtype=np.float32)
    from mlanet.render._numba.coverage import weights_of_faces

    def weigh(k: int) -> None:
        weights_of_faces(batch[k], corners, found[k], barycentric[k], depth[k])

    for_each_image(weigh, len(batch), workers)
    if points.ndim == 2:
        return Fragments(found[0], barycentric[0], depth[0], cull_backfaces)
    return Fragments(found, barycentric, depth, cull_backfaces)
