"""Meshes in the form that files want: one index for position and texture coordinate."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.geometry import Mesh, MeshTopology, vertex_normals


@dataclass(frozen=True, slots=True)
class SplitMesh:
    """A mesh whose vertices are doubled where the texture has a seam.

    `source` is the vertex of the original mesh that each vertex was; without texture
    coordinates nothing is doubled. Normals are those of the unsplit surface.
    """

    vertices: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: Int[np.ndarray, "f 3"]
    source: Int[np.ndarray, "n"]
    uv: Float[np.ndarray, "n 2"] | None


def split_at_seams(mesh: Mesh) -> SplitMesh:
    """One vertex for each pair of position and texture coordinate that a triangle uses.

    Raises:
        ValueError: see `checked_mesh`.
    """
    checked_mesh(mesh)
    normals = smooth_normals(mesh)
    if mesh.uv is None or mesh.uv_faces is None:
        source = np.arange(len(mesh.vertices))
        return SplitMesh(mesh.vertices, normals, mesh.faces, source, None)
    source, texel, faces = joined_corners(mesh.faces, mesh.uv_faces)
    return SplitMesh(mesh.vertices[source], normals[source], faces, source, mesh.uv[texel])


def joined_corners(
    faces: Int[np.ndarray, "f 3"], uv_faces: Int[np.ndarray, "f 3"]
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"], Int[np.ndarray, "f 3"]]:
    """Vertex and texture coordinate of each pair that a triangle uses, and triangles of pairs."""
    width = int(uv_faces.max()) + 1
    key = faces.astype(np.int64) * width + uv_faces
    pairs, inverse = np.unique(key.reshape(-1), return_inverse=True)
    return pairs // width, pairs % width, inverse.reshape(-1, 3).astype(np.int32)


def smooth_normals(mesh: Mesh) -> Float[np.ndarray, "v 3"]:
    """Unit normals; up (+y) at vertices that no triangle uses, as files allow no zeros."""
    topology = MeshTopology(mesh.faces, len(mesh.vertices))
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    normals = np.array(vertex_normals(vertices, topology.faces, topology.faces_of_vertex))
    return unit(normals)


def unit(directions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Directions at length one; up (+y) where there is hardly any."""
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    up = np.array([0.0, 1.0, 0.0], dtype=directions.dtype)
    return np.where(length > 0.5, directions / np.maximum(length, 0.5), up)


def tangents(
    vertices: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    uv: Float[np.ndarray, "n 2"],
    faces: Int[np.ndarray, "f 3"],
) -> Float[np.ndarray, "n 4"]:
    """Unit tangents along u, and the side (±1) of `cross(normal, tangent)` on which v goes up.

    Means over triangles by their areas, across the normals; `uv` has glTF's origin, the upper left.
    Where the texture coordinates tell no direction, any tangent.
    """
    corners, places = np.asarray(vertices, dtype=np.float64)[faces], uv[faces].astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    (u1, v1), (u2, v2) = (places[:, 1] - places[:, 0]).T, (places[:, 2] - places[:, 0]).T
    turned = np.sign(u1 * v2 - u2 * v1)[:, None]
    along = (v2[:, None] * first - v1[:, None] * second) * turned
    up = (u2[:, None] * first - u1[:, None] * second) * turned
    areas = np.linalg.norm(np.cross(first, second), axis=1, keepdims=True)
    total = np.zeros((2, len(vertices), 3))
    for sums, direction in zip(total, (along, up), strict=True):
        length = np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-30)
        np.add.at(sums, faces.reshape(-1), np.repeat(areas * direction / length, 3, axis=0))
    normals = np.asarray(normals, dtype=np.float64)
    axis = np.eye(3)[np.abs(normals).argmin(axis=1)]
    across = [_across(each, normals) for each in (total[0], axis)]
    length = np.linalg.norm(across[0], axis=1, keepdims=True)
    tangent = np.where(length > 1e-12 * max(areas.sum(), 1e-30), across[0], across[1])
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.einsum("nk,nk->n", np.cross(normals, tangent), total[1])
    return np.column_stack([tangent, np.where(side < 0.0, -1.0, 1.0)]).astype(np.float32)


def _across(
    directions: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    return directions - np.einsum("nk,nk->n", directions, normals)[:, None] * normals


def checked_mesh(mesh: Mesh, texture: UInt8[np.ndarray, "h w 3"] | None = None) -> None:
    """Nothing, if files can hold the mesh and its texture.

    Raises:
        ValueError: it has no triangle, an index is out of range, a number is not finite, the
            texture is not (h, w, 3) uint8 or comes without texture coordinates.
    """
    if mesh.faces.ndim != 2 or mesh.faces.shape[1] != 3 or not len(mesh.faces):
        raise ValueError(f"faces must be (f, 3) with f > 0, got {mesh.faces.shape}")
    if (mesh.uv is None) != (mesh.uv_faces is None):
        raise ValueError("uv and uv_faces must be given together")
    for name, values, faces in (
        ("vertices", mesh.vertices, mesh.faces),
        ("uv", mesh.uv, mesh.uv_faces),
    ):
        if values is None or faces is None:
            continue
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite")
        if faces.shape != mesh.faces.shape or faces.min() < 0 or faces.max() >= len(values):
            raise ValueError(f"the faces of {name} must be (f, 3) indices of {len(values)}")
    if mesh.colors is not None and mesh.colors.shape != mesh.vertices.shape:
        raise ValueError(f"colors must be {mesh.vertices.shape}, got {mesh.colors.shape}")
    if texture is None:
        return
    if mesh.uv is None:
        raise ValueError("texture needs a mesh with uv and uv_faces")
    if texture.ndim != 3 or texture.shape[2] != 3 or texture.dtype != np.uint8:
        raise ValueError(f"texture must be (h, w, 3) uint8, got {texture.shape} {texture.dtype}")
