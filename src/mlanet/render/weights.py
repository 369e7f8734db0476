"""Weights of a triangle's corners at pixels: the formula that the compiled loops repeat."""

from array_api_compat import device, is_torch_array
from jaxtyping import Float, Int

from mlanet.coefficients import Array, array_namespace
from mlanet.render.rules import SUBPIXELS, WORST_WEIGHT


def surface_weights(
    vertices: Float[Array, "b v 3"], faces: Int[Array, "f 3"], face_index: Int[Array, "b h w"]
) -> tuple[Float[Array, "b h w 3"], Float[Array, "b h w"]]:
    """Perspective-correct weights and depth of the triangles found at pixels' centres.

    From the corners as they are, not as they were rounded, so that gradients are exact. Slivers
    that only rounding has made visible take the rounded corners, and have no gradient.

    Args:
        vertices: x, y in pixels and depth.
        faces: corners.
        face_index: -1 where there is nothing.
    """
    xp = array_namespace(vertices)
    kind = {"dtype": vertices.dtype, "device": device(vertices)}
    barycentric = xp.zeros((*face_index.shape, 3), **kind)
    depth = xp.zeros(face_index.shape, **kind)
    picture, row, column = xp.nonzero(face_index >= 0)
    face = xp.astype(face_index[picture, row, column], xp.int64)
    flat = xp.reshape(vertices, (-1, 3))
    place = picture * vertices.shape[1]
    corner = [xp.take(flat, xp.take(faces[:, k], face) + place, axis=0) for k in range(3)]
    centre = [xp.astype(column, vertices.dtype) + 0.5, xp.astype(row, vertices.dtype) + 0.5]

    fixed = [without_gradient(point) for point in corner]
    weights, found = _weights(fixed, centre)
    good = xp.isfinite(found) & (found > 0) & (xp.min(weights, axis=-1) >= WORST_WEIGHT)
    if not bool(xp.all(good)):
        corner = [
            xp.where(good[:, None], point, xp.concat([_on_grid(own[:, :2]), own[:, 2:]], axis=-1))
            for point, own in zip(corner, fixed, strict=True)
        ]
    weights, found = _weights(corner, centre)
    barycentric[picture, row, column] = weights
    depth[picture, row, column] = found
    return barycentric, depth


def _on_grid(positions_px: Float[Array, "n 2"]) -> Float[Array, "n 2"]:
    xp = array_namespace(positions_px)
    return xp.floor(positions_px * SUBPIXELS + 0.5) / SUBPIXELS


def _weights(
    corner: list[Float[Array, "n 3"]], centre: list[Float[Array, "n"]]
) -> tuple[Float[Array, "n 3"], Float[Array, "n"]]:
    """Weights and depth at a centre; the depth of a triangle without area is not finite."""
    xp = array_namespace(*corner)
    px, py = centre
    x, y, z = ([point[:, axis] for point in corner] for axis in range(3))
    edges = [
        (x[end] - x[start]) * (py - y[start]) - (y[end] - y[start]) * (px - x[start])
        for start, end in ((1, 2), (2, 0), (0, 1))
    ]
    shares = [edge / depth for edge, depth in zip(edges, z, strict=True)]
    total = shares[0] + shares[1] + shares[2]
    empty = total == 0
    safe = xp.where(empty, xp.ones_like(total), total)
    area = xp.where(empty, xp.full_like(total, float("inf")), edges[0] + edges[1] + edges[2])
    return xp.stack([share / safe for share in shares], axis=-1), area / safe


def without_gradient(array: Array) -> Array:
    """The values without their gradient."""
    return array.detach() if is_torch_array(array) else array


def interpolated(
    face_index: Int[Array, "b h w"],
    barycentric: Float[Array, "b h w 3"],
    faces: Int[Array, "f 3"],
    attributes: Float[Array, "b v c"],
) -> Float[Array, "b h w c"]:
    """`interpolate` by array operations: the oracle of the loops, and what devices run."""
    xp = array_namespace(attributes)
    batch, count, channels = attributes.shape
    if faces.shape[0] == 0:
        shape = (*face_index.shape, channels)
        return xp.zeros(shape, dtype=attributes.dtype, device=device(attributes))
    face = xp.reshape(xp.where(face_index >= 0, face_index, 0), (-1,))
    picture = xp.arange(batch, device=device(attributes))[:, None, None] * count
    picture = xp.reshape(xp.broadcast_to(picture, face_index.shape), (-1, 1))
    corner = xp.take(faces, face, axis=0) + picture
    flat = xp.reshape(attributes, (-1, channels))
    values = xp.take(flat, xp.reshape(corner, (-1,)), axis=0)
    values = xp.reshape(values, (*face_index.shape, 3, channels))
    return xp.sum(values * barycentric[..., None], axis=-2)
