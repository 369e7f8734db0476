"""Attributes of vertices at pixels, and normals of vertices."""

import numpy as np
from array_api_compat import is_torch_array
from jaxtyping import Float, Int

from mlanet.coefficients import Array
from mlanet.errors import RenderError
from mlanet.geometry import MeshTopology
from mlanet.render.checks import Backend, as_batch, as_points, check_backend, check_faces
from mlanet.render.fragments import Fragments


def interpolate(
    fragments: Fragments,
    faces: Int[Array, "f 3"],
    attributes: Float[Array, "*b v c"],
    *,
    backend: Backend | None = None,
) -> Float[Array, "*b h w c"]:
    """Attributes of vertices at each pixel; zero where nothing is seen.

    `faces` may be other corners of the rasterised triangles, such as `Mesh.uv_faces`.
    `attributes` may be one set for a batch of pictures. NumPy gives float32; tensors keep their
    precision and have gradients in the attributes and, by the fragments, in the vertices.
    `backend` is that of `rasterize`.

    Raises:
        RenderError: `faces` and `attributes` do not fit each other or the fragments, or lie on
            another device.
    """
    if attributes.ndim < 2 or faces.ndim != 2 or faces.shape[1] != 3:
        raise RenderError(
            "attributes must be (v, c) and faces (f, 3), "
            f"got {tuple(attributes.shape)} and {tuple(faces.shape)}"
        )
    lead = tuple(fragments.face_index.shape[:-2])
    if attributes.ndim > 2 and tuple(attributes.shape[:-2]) != lead:
        raise RenderError(
            f"attributes must be (v, c) or {(*lead, 'v', 'c')}, got {tuple(attributes.shape)}"
        )
    if is_torch_array(attributes):
        from mlanet.render._torch.attributes import interpolate_tensors

        return interpolate_tensors(fragments, faces, attributes, backend=backend)
    check_backend(backend)
    if is_torch_array(fragments.face_index):
        raise RenderError("attributes must be tensors, as the fragments")
    check_faces(faces, attributes.shape[-2], "attributes")
    corners = np.ascontiguousarray(faces, dtype=np.int32)
    values = np.ascontiguousarray(attributes, dtype=np.float32)
    _check_triangles(fragments, len(corners))
    pixels = np.empty((*fragments.face_index.shape, values.shape[-1]), dtype=np.float32)
    from mlanet.render._numba.attributes import interpolate_corners

    found, weights = as_batch(fragments.face_index, 2), as_batch(fragments.barycentric, 3)
    targets = as_batch(pixels, 3)
    for k in range(len(found)):
        own = values if values.ndim == 2 else values[k]
        interpolate_corners(found[k], weights[k], corners, own, targets[k])
    return pixels


def _check_triangles(fragments: Fragments, count: int) -> None:
    found = fragments.face_index
    if 0 not in found.shape and int(found.max()) >= count:
        raise RenderError(f"the fragments see more triangles than the {count} of faces")


def viewer_normals(
    vertices_camera: Float[Array, "*b v 3"],
    topology: MeshTopology,
    *,
    backend: Backend | None = None,
) -> Float[Array, "*b v 3"]:
    """Area-weighted unit normals in the viewer's frame of camera-frame vertices (mm).

    `mlanet.geometry.vertex_normals` by compiled loops on the CPU; zero at vertices of no or
    degenerate triangles. `backend` is that of `rasterize`.

    Raises:
        RenderError: there are not as many vertices as the topology has.
    """
    shape = tuple(vertices_camera.shape)
    if len(shape) not in (2, 3) or shape[-2:] != (topology.num_vertices, 3):
        raise RenderError(f"vertices must be (…, {topology.num_vertices}, 3), got {shape}")
    if is_torch_array(vertices_camera):
        from mlanet.render._torch.attributes import normals_of_tensors

        return normals_of_tensors(vertices_camera, topology, backend)
    from mlanet.render._numba.attributes import sum_face_normals, unit_in_viewer

    check_backend(backend)
    normals = np.empty(shape)
    targets = as_batch(normals, 2)
    for k, points in enumerate(as_batch(as_points(vertices_camera), 2)):
        total = np.zeros_like(points)
        sum_face_normals(points, topology.faces, total)
        unit_in_viewer(total, targets[k])
    return normals
