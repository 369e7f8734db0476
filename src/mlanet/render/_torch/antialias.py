"""Anti-aliasing tensors: the compiled loops with gradients, or tensor operations alone."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlanet.coefficients import Array
from mlanet.render._torch.tensors import (
    as_indices,
    as_loop_array,
    as_loop_indices,
    check_device,
    use_loops,
)
from mlanet.render.checks import GUARD_PX, NEAR_DEPTH_MM, as_batch
from mlanet.render.fragments import Fragments
from mlanet.render.parallel import for_each_image

_EDGE_BITS = 32
_NO_EDGE = (1 << 31) - 1


def antialias_tensors(
    image: Float[Tensor, "*b h w c"],
    fragments: Fragments,
    vertices: Float[Tensor, "*b v 3"],
    edges: Int[Array, "e 4"],
    *,
    loops: bool | None = None,
) -> Float[Tensor, "*b h w c"]:
    """`mlanet.render.antialias` for tensors; `loops` chooses the side, else the device does.

    Raises:
        RenderError: an argument is on another device.
    """
    check_device(vertices, image, "vertices")
    check_device(fragments.face_index, image, "fragments")
    picture, points = as_batch(image, 3), as_batch(vertices, 2)
    found, depth = as_batch(fragments.face_index, 2), as_batch(fragments.depth.detach(), 2)
    if use_loops(image) if loops is None else loops:
        table = as_loop_indices(edges)
        blended = _Antialias.apply(picture, points, table, found, depth, fragments.cull_backfaces)
    else:
        table = as_indices(edges, image, "edges")
        crossings = find_crossings(points.detach(), table, found, depth, fragments.cull_backfaces)
        blended = blend(picture, points, table, crossings)
    return blended.reshape(image.shape)


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        image: Tensor,
        vertices: Tensor,
        edges: Any,
        face_index: Tensor,
        depth: Tensor,
        cull_backfaces: bool,
    ) -> Tensor:
        from mlanet.render._numba import edges as loops

        points, picture = as_loop_array(vertices), image.detach().contiguous()
        blended = torch.empty_like(picture)
        found, depths = face_index.numpy(), depth.contiguous().numpy()
        before, after = picture.numpy(), blended.numpy()
        crossings: list[Any] = [None] * len(points)

        def draw(k: int) -> None:
            crossings[k] = loops.find_crossings(
                points[k], edges, cull_backfaces, NEAR_DEPTH_MM, GUARD_PX, found[k], depths[k]
            )
            loops.blend_crossings(points[k], edges, crossings[k], before[k], after[k])

        ctx.threads = torch.get_num_threads()
        for_each_image(draw, len(points), ctx.threads)
        ctx.save_for_backward(picture, blended)
        ctx.points, ctx.edges, ctx.crossings, ctx.dtype = points, edges, crossings, vertices.dtype
        return blended

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        from mlanet.render._numba import edges as loops

        before, after = (tensor.numpy() for tensor in ctx.saved_tensors)
        d_blended = gradients[0].detach().contiguous().numpy()
        d_image = torch.empty_like(ctx.saved_tensors[0])
        d_points = torch.zeros(ctx.points.shape, dtype=torch.float64)
        d_before, d_places = d_image.numpy(), d_points.numpy()

        def draw(k: int) -> None:
            loops.blend_backward(
                ctx.points[k], ctx.edges, ctx.crossings[k],
                before[k], after[k], d_blended[k], d_before[k], d_places[k],
            )  # fmt: skip

        for_each_image(draw, len(d_places), ctx.threads)
        return d_image, d_points.to(ctx.dtype), None, None, None, None


@dataclass(frozen=True, slots=True)
class Crossings:
    """Outlines between neighbouring pixels' centres, one row each.

    Attributes:
        inner: flat index of the pixel inside, over all pictures.
        outer: of the pixel outside.
        edge: which edge crosses.
        image: which picture it is.
        axis: coordinate along which the pixels are neighbours: 0 for x, 1 for y.
        line: the other coordinate of both centres.
        centre: coordinate of the inner pixel's centre along the axis.
        outward: 1 if the outer pixel lies farther along the axis, else -1.
    """

    inner: Int[Tensor, "n"]
    outer: Int[Tensor, "n"]
    edge: Int[Tensor, "n"]
    image: Int[Tensor, "n"]
    axis: Int[Tensor, "n"]
    line: Float[Tensor, "n"]
    centre: Float[Tensor, "n"]
    outward: Float[Tensor, "n"]


def find_crossings(
    vertices: Float[Tensor, "b v 3"],
    edges: Int[Tensor, "e 4"],
    face_index: Int[Tensor, "b h w"],
    depth: Float[Tensor, "b h w"],
    cull_backfaces: bool,
) -> Crossings:
    """The crossings that the compiled loops find, by tensor operations."""
    height, width = face_index.shape[1:]
    points = vertices.to(torch.float64)
    image, edge = _outlines(points, edges, cull_backfaces).nonzero(as_tuple=True)
    a, b, c = (points[image, edges[edge, k]] for k in range(3))
    step = b - a
    side = step[:, 0] * (c[:, 1] - a[:, 1]) - step[:, 1] * (c[:, 0] - a[:, 0])
    axis = (step[:, 0].abs() > step[:, 1].abs()).to(torch.int64)

    def along(vector: Tensor, coordinate: Tensor) -> Tensor:
        return vector.gather(1, coordinate[:, None])[:, 0]

    size = torch.tensor([width, height], device=vertices.device)
    low = torch.minimum(along(a, 1 - axis), along(b, 1 - axis))
    high = torch.maximum(along(a, 1 - axis), along(b, 1 - axis))
    limit = size[1 - axis]
    first = (low - 0.5).clamp(min=-1.0).ceil().to(torch.int64).clamp(min=0)
    last = torch.minimum((high - 0.5).ceil().clamp(-1.0, float(max(height, width))), limit)
    count = (last.to(torch.int64) - first).clamp(min=0)
    which = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    line = torch.arange(len(which), device=count.device) - (count.cumsum(0) - count)[which]
    line = line + first[which]
    a, b, axis, side, step = a[which], b[which], axis[which], side[which], step[which]
    image, edge = image[which], edge[which]
    start, slope = along(a, 1 - axis), along(step, 1 - axis)
    t = (line + 0.5 - start) / slope
    crossing = along(a, axis) + t * along(step, axis)
    before = (crossing - 0.5).floor().clamp(-1.0, float(max(height, width))).to(torch.int64)
    inside_last = (side > 0) == ((slope < 0) == (axis == 0))

    stride = torch.where(axis == 0, 1, width)
    left = torch.where(axis == 0, line * width + before, before * width + line)
    left = left + image * (height * width)
    shown = (before >= 0) & (before + 1 < size[axis])
    left = torch.where(shown, left, 0)
    right = torch.where(shown, left + stride, 0)
    inner, outer = torch.where(inside_last, right, left), torch.where(inside_last, left, right)
    face, far = face_index.reshape(-1), depth.reshape(-1)
    here = 1.0 / ((1.0 - t) / a[:, 2] + t / b[:, 2])
    nearer = (far[inner] < far[outer]) & (here < far[outer])
    shown &= (face[inner] >= 0) & (face[inner] != face[outer]) & (nearer | (face[outer] < 0))
    reach = torch.where(inside_last, before + 1.5 - crossing, crossing - (before + 0.5))

    kept = shown.nonzero(as_tuple=True)[0]
    bits = reach[kept].to(torch.float32).clamp(min=0.0).view(torch.int32).to(torch.int64)
    key = (bits << _EDGE_BITS) | (_NO_EDGE - edge[kept])
    slot = left[kept] + axis[kept] * face_index.numel()
    best = torch.full((2 * face_index.numel(),), -1, dtype=torch.int64, device=key.device)
    best.scatter_reduce_(0, slot, key, "amax")
    kept = kept[best[slot] == key]
    last = inside_last[kept].to(points.dtype)
    return Crossings(
        inner=inner[kept],
        outer=outer[kept],
        edge=edge[kept],
        image=image[kept],
        axis=axis[kept],
        line=line[kept] + 0.5,
        centre=before[kept] + 0.5 + last,
        outward=1.0 - 2.0 * last,
    )


def _outlines(points: Tensor, edges: Tensor, cull_backfaces: bool) -> Tensor:
    """Which edges (b, e) are outlines of triangles before the camera."""
    usable = (points[..., 2] > NEAR_DEPTH_MM) & (points[..., :2].abs() <= GUARD_PX).all(dim=-1)
    a, b = points[:, edges[:, 0], :2], points[:, edges[:, 1], :2]
    step = b - a

    def side(k: int) -> Tensor:
        way = points[:, edges[:, k], :2] - a
        return step[..., 0] * way[..., 1] - step[..., 1] * way[..., 0]

    first = side(2)
    border = (first < 0) if cull_backfaces else (first != 0)
    fold = first * side(3) > 0
    outline = torch.where(edges[:, 3] >= 0, fold, border)
    return outline & usable[:, edges[:, 0]] & usable[:, edges[:, 1]]


def blend(
    image: Float[Tensor, "b h w c"],
    vertices: Float[Tensor, "b v 3"],
    edges: Int[Tensor, "e 4"],
    crossings: Crossings,
) -> Float[Tensor, "b h w c"]:
    """The blended picture; differentiable in the picture and the vertices."""
    flat = image.reshape(-1, image.shape[-1])
    a = vertices[crossings.image, edges[crossings.edge, 0]].to(torch.float64)
    b = vertices[crossings.image, edges[crossings.edge, 1]].to(torch.float64)
    across, along = (1 - crossings.axis)[:, None], crossings.axis[:, None]
    start, end = a.gather(1, across)[:, 0], b.gather(1, across)[:, 0]
    t = (crossings.line - start) / (end - start)
    place = a.gather(1, along)[:, 0] + t * (b - a).gather(1, along)[:, 0]
    alpha = (place - crossings.centre) * crossings.outward - 0.5
    target = torch.where(alpha >= 0, crossings.outer, crossings.inner)
    source = torch.where(alpha >= 0, crossings.inner, crossings.outer)
    alpha = torch.where(alpha >= 0, alpha, -alpha).to(image.dtype)
    share = torch.zeros_like(flat[:, 0]).index_add(0, target, alpha)
    change = torch.zeros_like(flat).index_add(
        0, target, alpha[:, None] * (flat[source] - flat[target])
    )
    return (flat + change / share.clamp(min=1.0)[:, None]).reshape(image.shape)
