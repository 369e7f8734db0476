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
