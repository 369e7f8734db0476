"""Anti-aliasing tensors: the compiled loops with gradients, or tensor operations alone."""

from dataclasses import dataclass
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
    use_loops,
)
from mlanet.render.checks import Backend, as_batch, as_points, check_edges
from mlanet.render.fragments import Fragments
from mlanet.render.parallel import for_each_image
from mlanet.render.rules import (
    GUARD_PX,
    HALF,
    MOST_BEYOND,
    NEAR_DEPTH_MM,
    ROUNDING_PX,
    SUBPIXEL_BITS,
    SUBPIXELS,
)

_EDGE_BITS = 32
_NO_EDGE = (1 << 31) - 1


def antialias_tensors(
    image: Float[Tensor, "*b h w c"],
    fragments: Fragments,
    vertices: Float[Tensor, "*b v 3"],
    edges: Int[Array, "e 4"],
    *,
    backend: Backend | None = None,
) -> Float[Tensor, "*b h w c"]:
    """`mlanet.render.antialias` for tensors.

    Raises:
        RenderError: an argument is on another device.
    """
    check_device(vertices, image, "vertices")
    check_device(fragments.face_index, image, "fragments")
    if isinstance(edges, Tensor):
        check_device(edges, image, "edges")
    check_edges(edges, vertices.shape[-2])
    picture, points = as_batch(image, 3), as_batch(vertices, 2)
    found, depth = as_batch(fragments.face_index, 2), as_batch(fragments.depth.detach(), 2)
    if use_loops(image, backend):
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

        points, picture = vertices.detach().numpy(), image.detach().contiguous()
        blended = torch.empty_like(picture)
        found, depths = face_index.numpy(), depth.contiguous().numpy()
        before, after = picture.numpy(), blended.numpy()
        crossings: list[Any] = [None] * len(points)

        def draw(k: int) -> None:
            own = as_points(points[k])
            crossings[k] = loops.find_crossings(
                own, edges, cull_backfaces, NEAR_DEPTH_MM, GUARD_PX, found[k], depths[k]
            )
            loops.blend_crossings(own, edges, crossings[k], before[k], after[k])

        ctx.threads = torch.get_num_threads()
        for_each_image(draw, len(points), ctx.threads)
        ctx.save_for_backward(picture, vertices)
        ctx.edges, ctx.crossings = edges, crossings
        return blended

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        from mlanet.render._numba import edges as loops

        picture, vertices = ctx.saved_tensors
        before, points = picture.numpy(), vertices.detach().numpy()
        d_blended = gradients[0].detach().contiguous().numpy()
        d_image = torch.empty_like(picture)
        d_points = torch.empty_like(vertices, memory_format=torch.contiguous_format)
        d_before, d_places = d_image.numpy(), d_points.numpy()

        def draw(k: int) -> None:
            total = np.zeros(points.shape[1:])
            loops.blend_backward(
                as_points(points[k]), ctx.edges, ctx.crossings[k],
                before[k], d_blended[k], d_before[k], total,
            )  # fmt: skip
            d_places[k] = total

        for_each_image(draw, len(d_places), ctx.threads)
        return d_image, d_points, None, None, None, None


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
    place = vertices.device
    points = vertices.to(torch.float64)
    usable = (points[..., 2] > NEAR_DEPTH_MM) & (points[..., :2].abs() <= GUARD_PX).all(dim=-1)
    fixed = torch.where(usable[..., None], points[..., :2], 0.0) * SUBPIXELS + 0.5
    fixed = fixed.floor().to(torch.int64)
    sides = _inner_sides(fixed, usable, edges, cull_backfaces)
    image, edge = (sides != 0).nonzero(as_tuple=True)
    side = sides[image, edge].repeat(2)
    axis = torch.arange(2, device=place).repeat_interleave(len(image))
    image, edge = image.repeat(2), edge.repeat(2)
    a, b = fixed[image, edges[edge, 0]], fixed[image, edges[edge, 1]]

    def along(vector: Tensor, coordinate: Tensor) -> Tensor:
        return vector.gather(1, coordinate[:, None])[:, 0]

    # `p` runs along the pixels' line, `q` across the lines.
    limit = torch.tensor([width, height], device=place)
    qa, qb = along(a, 1 - axis), along(b, 1 - axis)
    first = ((torch.minimum(qa, qb) + HALF - 1) >> SUBPIXEL_BITS).clamp(min=0)
    last = torch.minimum((torch.maximum(qa, qb) + HALF - 1) >> SUBPIXEL_BITS, limit[1 - axis])
    count = (last - first).clamp(min=0)
    which = torch.repeat_interleave(count)
    q = torch.arange(len(which), device=place) - (count.cumsum(0) - count - first)[which]
    a, b, axis, side = a[which], b[which], axis[which], side[which]
    image, edge = image[which], edge[which]
    dx, dy = (b - a).unbind(1)
    qa, dq = along(a, 1 - axis), along(b - a, 1 - axis)
    t = (q * SUBPIXELS + HALF - qa).to(torch.float64) / dq
    crossing = (along(a, axis) + t * along(b - a, axis)) / SUBPIXELS
    near = (crossing >= -1.0) & (crossing <= limit[axis] + 1.0)
    p = torch.where(near, crossing - 0.5, -1.0).round().to(torch.int64)
    cp, cq = p * SUBPIXELS + HALF, q * SUBPIXELS + HALF
    px, py = torch.where(axis == 0, cp, cq), torch.where(axis == 0, cq, cp)
    value = dx * (py - a[:, 1]) - dy * (px - a[:, 0])
    turn = side.sign()
    owned = torch.where(dy == 0, dx * turn > 0, dy * turn < 0)
    inside = torch.where(value == 0, owned, (value > 0) == (side > 0))
    inside_last = (side > 0) == ((dq < 0) == (axis == 0))
    p = p - (inside == inside_last).to(torch.int64)

    shown = near & (p >= 0) & (p + 1 < limit[axis])
    left = torch.where(axis == 0, q * width + p, p * width + q) + image * (height * width)
    left = torch.where(shown, left, 0)
    right = torch.where(shown, left + torch.where(axis == 0, 1, width), 0)
    inner, outer = torch.where(inside_last, right, left), torch.where(inside_last, left, right)
    face, far = face_index.reshape(-1), depth.reshape(-1)
    za, zb = points[image, edges[edge, 0], 2], points[image, edges[edge, 1], 2]
    here = 1.0 / ((1.0 - t) / za + t / zb)
    nearer = (far[inner] < far[outer]) & (here < far[outer])
    shown &= (face[inner] >= 0) & (face[inner] != face[outer]) & (nearer | (face[outer] < 0))
    reach = torch.where(inside_last, p + 1.5 - crossing, crossing - (p + 0.5))

    kept = shown.nonzero()[:, 0]
    bits = reach[kept].to(torch.float32).clamp(min=0.0).view(torch.int32).to(torch.int64)
    key = (bits << _EDGE_BITS) | (_NO_EDGE - edge[kept])
    slot = left[kept] + axis[kept] * face_index.numel()
    best = torch.full((2 * face_index.numel(),), -1, dtype=torch.int64, device=place)
    best.scatter_reduce_(0, slot, key, "amax")
    kept = kept[best[slot] == key]
    final = inside_last[kept].to(points.dtype)
    return Crossings(
        inner=inner[kept],
        outer=outer[kept],
        edge=edge[kept],
        image=image[kept],
        axis=axis[kept],
        line=q[kept] + 0.5,
        centre=p[kept] + 0.5 + final,
        outward=1.0 - 2.0 * final,
    )


def _inner_sides(fixed: Tensor, usable: Tensor, edges: Tensor, cull_backfaces: bool) -> Tensor:
    """Of each edge (b, e), on which side the surface lies whose outline it is; 0 if of none."""
    a, b = fixed[:, edges[:, 0]], fixed[:, edges[:, 1]]
    step = b - a

    def side(k: int) -> Tensor:
        way = fixed[:, edges[:, k]] - a
        return step[..., 0] * way[..., 1] - step[..., 1] * way[..., 0]

    first, second = side(2), side(3)
    border = first.clamp(max=0) if cull_backfaces else first
    fold = torch.where((first < 0) == (second > 0), 0, torch.where(first < 0, first, second))
    found = torch.where(edges[:, 3] >= 0, fold, border)
    return torch.where(usable[:, edges[:, 0]] & usable[:, edges[:, 1]], found, 0)


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
    length = torch.where(end == start, torch.ones_like(start), end - start)
    t = torch.where(end == start, 0.5, (crossings.line - start) / length)
    t = t.clamp(-MOST_BEYOND, 1.0 + MOST_BEYOND)
    place = a.gather(1, along)[:, 0] + t * (b - a).gather(1, along)[:, 0]
    reach = (place - crossings.centre) * crossings.outward
    far = reach >= 0.5
    target = torch.where(far, crossings.outer, crossings.inner)
    source = torch.where(far, crossings.inner, crossings.outer)
    share = (reach.detach() - 0.5).abs()
    share = torch.minimum(share, 1.0 - share).to(torch.float32)
    reach = reach.clamp(-ROUNDING_PX, 1.0 + ROUNDING_PX)
    alpha = reach + (reach.clamp(0.0, 1.0) - reach).detach() - 0.5
    alpha = torch.where(far, alpha, -alpha)
    shares = share.new_zeros(2 * len(flat)).scatter_reduce(
        0, crossings.axis * len(flat) + target, share, "amax"
    )
    shares = shares.reshape(2, -1)
    along_row = (shares[0] >= shares[1])[target]
    used = (along_row == (crossings.axis == 0)).nonzero()[:, 0]
    target, source, alpha = target[used], source[used], alpha[used]
    change = alpha.to(image.dtype)[:, None] * (flat[source] - flat[target])
    return flat.index_add(0, target, change).reshape(image.shape)
