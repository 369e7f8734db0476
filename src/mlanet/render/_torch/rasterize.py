"""Rasterising tensors: the compiled loops with gradients, or tensor operations alone."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlanet.coefficients import Array
from mlanet.render._torch.tensors import (
    as_indices,
    as_loop_indices,
    check_device,
    check_floats,
    use_loops,
)
from mlanet.render.checks import (
    Backend,
    as_batch,
    as_points,
    check_faces,
    check_vertices,
    checked_threads,
)
from mlanet.render.coverage import coverage
from mlanet.render.fragments import Fragments
from mlanet.render.parallel import for_each_image
from mlanet.render.rules import GUARD_PX, HALF, NEAR_DEPTH_MM, SUBPIXEL_BITS, SUBPIXELS
from mlanet.render.weights import surface_weights

CANDIDATES = 1 << 22
"""Pairs of triangle and pixel that are looked at in one go: bounds the memory."""

_FACE_BITS = 32
_NO_FACE = (1 << 31) - 1


def rasterize_tensors(
    vertices: Float[Tensor, "*b v 3"],
    faces: Int[Array, "f 3"],
    image_size: tuple[int, int],
    *,
    cull_backfaces: bool,
    backend: Backend | None,
    threads: int | None,
) -> Fragments:
    """`mlanet.render.rasterize` for tensors.

    Raises:
        RenderError: an argument is wrong; see there.
    """
    check_floats(vertices, "vertices")
    if isinstance(faces, Tensor):
        check_device(faces, vertices, "faces")
    values = vertices.detach()
    # NumPy's threads do not spin: torch's would still hold the cores when the loops begin.
    loops = use_loops(values, backend)
    check_vertices(values.numpy() if loops else values)
    check_faces(faces, vertices.shape[-2])
    batch = as_batch(vertices, 2)
    if loops:
        corners = as_loop_indices(faces)
        workers = checked_threads(threads, torch.get_num_threads())
        found = coverage(
            batch.detach().numpy(), corners, image_size,
            cull_backfaces=cull_backfaces, threads=workers,
        )  # fmt: skip
        face_index = torch.from_numpy(found)
        barycentric, depth = _SurfaceWeights.apply(batch, corners, face_index, workers)
    else:
        corners = as_indices(faces, vertices, "faces")
        face_index = nearest_faces(batch.detach(), corners, image_size, cull_backfaces)
        barycentric, depth = surface_weights(batch, corners, face_index)
    if vertices.ndim == 2:
        return Fragments(face_index[0], barycentric[0], depth[0], cull_backfaces)
    return Fragments(face_index, barycentric, depth, cull_backfaces)


class _SurfaceWeights(torch.autograd.Function):
    """`mlanet.render.weights.surface_weights` by the compiled loops."""

    @staticmethod
    def forward(
        ctx: Any, vertices: Tensor, faces: Any, face_index: Tensor, threads: int
    ) -> tuple[Tensor, Tensor]:
        from mlanet.render._numba import coverage as loops

        points, found = vertices.detach().numpy(), face_index.numpy()
        barycentric = vertices.new_empty((*face_index.shape, 3))
        depth = vertices.new_empty(face_index.shape)
        weights, depths = barycentric.numpy(), depth.numpy()

        def weigh(k: int) -> None:
            loops.weights_of_faces(as_points(points[k]), faces, found[k], weights[k], depths[k])

        for_each_image(weigh, len(points), threads)
        ctx.save_for_backward(vertices, face_index)
        ctx.faces, ctx.threads = faces, threads
        return barycentric, depth

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None, None, None]:
        from mlanet.render._numba import coverage as loops

        d_weights, d_depths = (g.detach().contiguous().numpy() for g in gradients)
        vertices, face_index = ctx.saved_tensors
        points, found = vertices.detach().numpy(), face_index.numpy()
        result = torch.empty_like(vertices, memory_format=torch.contiguous_format)
        d_points = result.numpy()

        def weigh(k: int) -> None:
            total = np.zeros(points.shape[1:])
            loops.weights_backward(
                as_points(points[k]), ctx.faces, found[k], d_weights[k], d_depths[k], total
            )
            d_points[k] = total

        for_each_image(weigh, len(d_points), ctx.threads)
        return result, None, None, None


def nearest_faces(
    vertices: Float[Tensor, "b v 3"],
    faces: Int[Tensor, "f 3"],
    image_size: tuple[int, int],
    cull_backfaces: bool,
) -> Int[Tensor, "b h w"]:
    """Indices of the nearest triangles by tensor operations, to the bit those of the loops.

    Each pair of a triangle and a pixel's centre in its bounding box is a row. The rows of all
    triangles are worked on together; the nearest at each pixel is a maximum over integers made
    of nearness and index, so that their order does not matter.
    """
    height, width = image_size
    batch = len(vertices)
    best = torch.zeros(batch * height * width, dtype=torch.int64, device=vertices.device)
    if len(faces) and vertices.shape[1]:
        triangles = _set_up(vertices, faces, image_size, cull_backfaces)
        ends = triangles.count.cumsum(0)
        start = 0
        while start < len(ends):
            base = ends[start] - triangles.count[start]
            stop = int(torch.searchsorted(ends, base + CANDIDATES, right=True))
            stop = max(stop, start + 1)
            place, key = _candidates(triangles.part(start, stop), image_size)
            best.scatter_reduce_(0, place, key, "amax")
            start = stop
    found = torch.where(best > 0, _NO_FACE - (best & _NO_FACE), -1)
    return found.to(torch.int32).reshape(batch, height, width)


@dataclass(frozen=True, slots=True)
class _Triangles:
    """Triangles that may own a pixel, one row each; edges are opposite the corners a, b, c.

    `first` is the flat index of the first pixel of the bounding box, `value` each edge function
    there less the least that counts as inside, `limit` that least, `right` and `down` its changes
    (1/256 px squared), `scale` the inverse of the area, `inverse` the corners' inverse depths.
    """

    face: Tensor
    first: Tensor
    columns: Tensor
    count: Tensor
    value: tuple[Tensor, Tensor, Tensor]
    right: tuple[Tensor, Tensor, Tensor]
    down: tuple[Tensor, Tensor, Tensor]
    limit: tuple[Tensor, Tensor, Tensor]
    inverse: tuple[Tensor, Tensor, Tensor]
    scale: Tensor

    def part(self, start: int, stop: int) -> "_Triangles":
        def cut(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value[start:stop]
            return tuple(tensor[start:stop] for tensor in value)

        return _Triangles(*(cut(getattr(self, field.name)) for field in fields(self)))


def _set_up(
    vertices: Tensor, faces: Tensor, image_size: tuple[int, int], cull_backfaces: bool
) -> _Triangles:
    height, width = image_size
    batch, count = vertices.shape[:2]
    x, y, z = vertices.to(torch.float64).reshape(-1, 3).unbind(1)
    usable = (z > NEAR_DEPTH_MM) & (x.abs() <= GUARD_PX) & (y.abs() <= GUARD_PX)
    x = (torch.where(usable, x, 0.0) * SUBPIXELS + 0.5).floor().to(torch.int64)
    y = (torch.where(usable, y, 0.0) * SUBPIXELS + 0.5).floor().to(torch.int64)
    picture = torch.arange(batch, device=x.device)[:, None]
    corner = [(faces[:, k] + picture * count).reshape(-1) for k in range(3)]
    xs, ys = [_rows(x, c) for c in corner], [_rows(y, c) for c in corner]
    left = ((_least(xs) + (HALF - 1)) >> SUBPIXEL_BITS).clamp(min=0)
    right = ((_most(xs) - HALF) >> SUBPIXEL_BITS).clamp(max=width - 1)
    top = ((_least(ys) + (HALF - 1)) >> SUBPIXEL_BITS).clamp(min=0)
    bottom = ((_most(ys) - HALF) >> SUBPIXEL_BITS).clamp(max=height - 1)
    area = (xs[1] - xs[0]) * (ys[2] - ys[0]) - (ys[1] - ys[0]) * (xs[2] - xs[0])
    drawn = (area < 0) if cull_backfaces else (area != 0)
    drawn &= (left <= right) & (top <= bottom)
    for c in corner:
        drawn &= _rows(usable, c)
    kept = drawn.nonzero()[:, 0]
    xs, ys = [_rows(a, kept) for a in xs], [_rows(a, kept) for a in ys]
    area = _rows(area, kept)
    left, right, top, bottom = (_rows(side, kept) for side in (left, right, top, bottom))
    sign = area.sign()
    px, py = left * SUBPIXELS + HALF, top * SUBPIXELS + HALF
    value: list[Tensor] = []
    rights: list[Tensor] = []
    downs: list[Tensor] = []
    limits: list[Tensor] = []
    for start, end in ((1, 2), (2, 0), (0, 1)):
        u, v = sign * (xs[end] - xs[start]), sign * (ys[end] - ys[start])
        limit = torch.where((v < 0) | ((v == 0) & (u > 0)), 0, 1)
        value.append(u * (py - ys[start]) - v * (px - xs[start]) - limit)
        rights.append(v * -SUBPIXELS)
        downs.append(u * SUBPIXELS)
        limits.append(limit)
    columns = right - left + 1
    inverses = [1.0 / _rows(z, _rows(c, kept)) for c in corner]
    image = kept // len(faces)
    return _Triangles(
        face=kept % len(faces),
        first=(image * height + top) * width + left,
        columns=columns,
        count=columns * (bottom - top + 1),
        value=(value[0], value[1], value[2]),
        right=(rights[0], rights[1], rights[2]),
        down=(downs[0], downs[1], downs[2]),
        limit=(limits[0], limits[1], limits[2]),
        inverse=(inverses[0], inverses[1], inverses[2]),
        scale=1.0 / (sign * area).to(torch.float64),
    )


def _candidates(triangles: _Triangles, image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Flat indices of the pixels that triangles own, and nearness and triangle as one number."""
    count = triangles.count
    which = torch.repeat_interleave(count)
    offset = torch.arange(len(which), device=count.device)
    offset -= _rows(count.cumsum(0) - count, which)
    columns = _rows(triangles.columns, which)
    row = torch.div(offset, columns, rounding_mode="floor")
    column = offset.addcmul_(row, columns, value=-1)
    edges = [
        _rows(triangles.value[k], which)
        .addcmul_(_rows(triangles.right[k], which), column)
        .addcmul_(_rows(triangles.down[k], which), row)
        for k in range(3)
    ]
    inside = (edges[0] | edges[1] | edges[2]) >= 0  # no sign bit is set
    kept = inside.nonzero()[:, 0]
    which = _rows(which, kept)
    terms = [
        (_rows(edges[k], kept) + _rows(triangles.limit[k], which)).to(torch.float64)
        * _rows(triangles.inverse[k], which)
        for k in range(3)
    ]
    scale = _rows(triangles.scale, which)
    nearness = ((terms[0] + terms[1] + terms[2]) * scale).to(torch.float32)
    place = _rows(triangles.first, which) + _rows(row, kept) * image_size[1] + _rows(column, kept)
    depth_bits = nearness.view(torch.int32).to(torch.int64) << _FACE_BITS
    key = torch.where(nearness > 0, depth_bits | (_NO_FACE - _rows(triangles.face, which)), 0)
    return place, key


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """`values[index]`, which is slow for single columns on a CPU."""
    return values.index_select(0, index)


def _least(three: list[Tensor]) -> Tensor:
    return torch.minimum(torch.minimum(three[0], three[1]), three[2])


def _most(three: list[Tensor]) -> Tensor:
    return torch.maximum(torch.maximum(three[0], three[1]), three[2])
