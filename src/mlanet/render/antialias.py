"""Outlines at their place between pixels' centres: the renderer's gradients of visibility."""

import numpy as np
from array_api_compat import is_torch_array
from jaxtyping import Float, Int

from mlanet.coefficients import Array
from mlanet.errors import RenderError
from mlanet.render.checks import Backend, as_batch, as_points, check_backend, check_edges
from mlanet.render.fragments import Fragments
from mlanet.render.rules import GUARD_PX, NEAR_DEPTH_MM


def antialias(
    image: Float[Array, "*b h w c"],
    fragments: Fragments,
    vertices: Float[Array, "*b v 3"],
    edges: Int[Array, "e 4"],
    *,
    backend: Backend | None = None,
) -> Float[Array, "*b h w c"]:
    """The picture with outlines blended by where they lie between the centres of pixels.

    An outline is an edge of one triangle, or of two that lie on the same side of it. Where it
    crosses the line from a pixel's centre inside to its neighbour's outside at the share d of the
    way, the neighbour takes the share d - 1/2 of the inner colour, or the inner pixel 1/2 - d of
    the neighbour's: moving the outline moves the picture, and the sum over a row is that of the
    exact coverage. Neighbours are those in the row and those in the column; of the two
    directions a pixel takes the one that changes it more, which is the one nearer the outline's
    normal. Of several crossings on one line the farthest out counts. An outline is seen where
    the inner pixel is nearer than the outer one, and the edge itself too.

    After Laine et al., "Modular Primitives for High-Performance Differentiable Rendering", 2020,
    section 3.4; edges are walked, instead of those of the triangles at pixels' centres, since the
    triangles of a face are smaller than the pixels.

    Args:
        image: what is drawn, with colours of the background where nothing is hit; also other
            attributes, such as the mask.
        fragments: what `rasterize` found.
        vertices: x, y in pixels and depth, as given to `rasterize`.
        edges: `MeshTopology.edge_opposites`.
        backend: as in `rasterize`.

    Raises:
        RenderError: shapes do not fit each other, or an argument is on another device.
    """
    expected = (*fragments.face_index.shape, image.shape[-1] if image.ndim else 0)
    if tuple(image.shape) != expected:
        raise RenderError(f"image must be {expected}, got {tuple(image.shape)}")
    if vertices.shape[:-2] != fragments.face_index.shape[:-2] or vertices.shape[-1] != 3:
        raise RenderError(f"vertices do not fit the fragments: {tuple(vertices.shape)}")
    if is_torch_array(image):
        from mlanet.render._torch.antialias import antialias_tensors

        return antialias_tensors(image, fragments, vertices, edges, backend=backend)
    check_backend(backend)
    check_edges(edges, vertices.shape[-2])
    from mlanet.render._numba import edges as loops

    table = np.ascontiguousarray(edges, dtype=np.int32)
    points = as_batch(as_points(vertices), 2)
    picture = as_batch(np.ascontiguousarray(image), 3)
    found, depth = as_batch(fragments.face_index, 2), as_batch(fragments.depth, 2)
    blended = np.empty_like(picture)
    for k in range(len(picture)):
        crossings = loops.find_crossings(
            points[k], table, fragments.cull_backfaces, NEAR_DEPTH_MM, GUARD_PX, found[k], depth[k]
        )
        loops.blend_crossings(points[k], table, crossings, picture[k], blended[k])
    return blended.reshape(image.shape)
