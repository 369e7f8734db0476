"""Attributes at pixels and normals of vertices, for tensors."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlanet.coefficients import Array
from mlanet.errors import RenderError
from mlanet.geometry import MeshTopology, vertex_normals, viewer_from_camera
from mlanet.render._torch.tensors import (
    as_indices,
    as_loop_indices,
    check_device,
    check_floats,
    use_loops,
)
from mlanet.render.checks import Backend, as_batch, check_faces
from mlanet.render.fragments import Fragments
from mlanet.render.parallel import for_each_image
from mlanet.render.weights import interpolated


def interpolate_tensors(
    fragments: Fragments,
    faces: Int[Array, "f 3"],
    attributes: Float[Tensor, "*b v c"],
    *,
    backend: Backend | None,
) -> Float[Tensor, "*b h w c"]:
    """`mlanet.render.interpolate` for tensors.

    Raises:
        RenderError: an argument lies on another device or does not fit the fragments.
    """
    check_device(fragments.face_index, attributes, "fragments")
    if isinstance(faces, Tensor):
        check_device(faces, attributes, "faces")
    check_floats(attributes, "attributes")
    check_faces(faces, attributes.shape[-2], "attributes")
    found, weights = as_batch(fragments.face_index, 2), as_batch(fragments.barycentric, 3)
    if found.numel() and int(found.max()) >= len(faces):
        raise RenderError(f"the fragments see more triangles than the {len(faces)} of faces")
    values = as_batch(attributes, 2).expand(len(found), -1, -1)
    if use_loops(attributes, backend):
        pixels = _Interpolate.apply(weights, values, as_loop_indices(faces), found)
    else:
        pixels = interpolated(found, weights, as_indices(faces, attributes, "faces"), values)
    return pixels[0] if fragments.face_index.ndim == 2 else pixels


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, values: Tensor, faces: Any, face_index: Tensor
    ) -> Tensor:
        from mlanet.render._numba.attributes import interpolate_corners

        weights, values = weights.detach().to(values.dtype).contiguous(), values.detach()
        values = values.contiguous()
        pixels = values.new_empty((*face_index.shape, values.shape[-1]))
        found, shares = face_index.numpy(), weights.numpy()
        sources, targets = values.numpy(), pixels.numpy()
        ctx.threads = torch.get_num_threads()

        def draw(k: int) -> None:
            interpolate_corners(found[k], shares[k], faces, sources[k], targets[k])

        for_each_image(draw, len(found), ctx.threads)
        ctx.save_for_backward(weights, values, face_index)
        ctx.faces = faces
        return pixels

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        from mlanet.render._numba.attributes import interpolate_backward

        weights, values, face_index = ctx.saved_tensors
        found = face_index.numpy()
        d_weights, d_values = torch.empty_like(weights), torch.zeros_like(values)
        shares, sources = weights.numpy(), values.numpy()
        d_pixels = gradients[0].detach().contiguous().numpy()
        d_shares, d_sources = d_weights.numpy(), d_values.numpy()

        def draw(k: int) -> None:
            interpolate_backward(
                found[k], shares[k], ctx.faces, sources[k],
                d_pixels[k], d_shares[k], d_sources[k],
            )  # fmt: skip

        for_each_image(draw, len(found), ctx.threads)
        return d_weights, d_values, None, None


def normals_of_tensors(
    vertices: Float[Tensor, "*b v 3"], topology: MeshTopology, backend: Backend | None
) -> Float[Tensor, "*b v 3"]:
    """`mlanet.render.viewer_normals` for tensors."""
    check_floats(vertices, "vertices")
    batch = as_batch(vertices, 2)
    if use_loops(vertices, backend):
        normals = _ViewerNormals.apply(batch, topology.faces)
    else:
        place = vertices.device
        faces = torch.from_numpy(topology.faces.astype(np.int64)).to(place)
        around = torch.from_numpy(topology.faces_of_vertex.astype(np.int64)).to(place)
        camera = vertex_normals(batch, faces, around)
        normals = viewer_from_camera(camera.transpose(1, 2)).transpose(1, 2)
    return normals[0] if vertices.ndim == 2 else normals


class _ViewerNormals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vertices: Tensor, faces: Any) -> Tensor:
        from mlanet.render._numba.attributes import sum_face_normals, unit_in_viewer

        points = vertices.detach().contiguous()
        total, normals = torch.empty_like(points), torch.empty_like(points)
        sources, sums, targets = points.numpy(), total.numpy(), normals.numpy()
        ctx.threads = torch.get_num_threads()

        def sum_up(k: int) -> None:
            sums[k] = 0.0
            sum_face_normals(sources[k], faces, sums[k])
            unit_in_viewer(sums[k], targets[k])

        for_each_image(sum_up, len(points), ctx.threads)
        ctx.save_for_backward(points, total)
        ctx.faces = faces
        return normals

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, None]:
        from mlanet.render._numba.attributes import (
            sum_face_normals_backward,
            unit_in_viewer_backward,
        )

        points, total = ctx.saved_tensors
        result = torch.empty_like(points)
        d_normals = gradients[0].detach().contiguous().numpy()
        sources, sums, targets = points.numpy(), total.numpy(), result.numpy()

        def sum_up(k: int) -> None:
            d_total = np.empty_like(sums[k])
            unit_in_viewer_backward(sums[k], d_normals[k], d_total)
            targets[k] = 0.0
            sum_face_normals_backward(sources[k], ctx.faces, d_total, targets[k])

        for_each_image(sum_up, len(points), ctx.threads)
        return result, None
