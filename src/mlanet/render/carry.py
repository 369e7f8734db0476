"""Textured meshes of the embedded model in another model's topology."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import Mesh
from mlanet.morphable.transfer import Transfer
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.sampling import sample_image, texels_from_uv


@dataclass(frozen=True, slots=True)
class TexturedMesh:
    """A mesh and its texture; the first row of the texture is v = 1."""

    mesh: Mesh
    texture: UInt8[np.ndarray, "s s 3"]


def carry_textured(
    transfer: Transfer,
    vertices: Float[np.ndarray, "w 3"],
    texture: UInt8[np.ndarray, "s s 3"],
) -> TexturedMesh:
    """A shape of the embedded model and its texture in another model's topology.

    The texture is resampled into the other model's texture coordinates if it has any, else the
    other mesh gets those of the embedded model. What is not covered takes the colour of the
    nearest point: eyeballs and teeth that of the membranes before them.

    Args:
        transfer: to the other model.
        vertices: of the embedded model's decoded mesh, in any frame.
        texture: in the embedded model's texture coordinates.
    """
    other, size = transfer.other, len(texture)
    carried = transfer.vertices(vertices)
    places = transfer.values(transfer.embedded.uv)
    if not len(other.uv):
        faces = other.topology.faces
        return TexturedMesh(Mesh(carried, faces, uv=places, uv_faces=faces), texture)
    mesh = other.mesh_of(carried)
    atlas = UvAtlas.of_mesh(mesh, size)
    uv = vertex_attributes_to_uv(atlas, mesh.faces, places)
    texels = texels_from_uv(uv.reshape(-1, 2), (size, size)).reshape(size, size, 2)
    colors = np.rint(sample_image(texture, texels)).clip(0, 255).astype(np.uint8)
    return TexturedMesh(mesh, colors)
