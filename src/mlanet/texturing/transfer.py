"""Textured meshes of the embedded model in another model's topology."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.geometry import Mesh
from mlanet.morphable.transfer import Transfer
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.sampling import sample_image, texels_from_uv
from mlanet.texturing.hair.long import LongHair

SEAM = 0.2
"""Corners of a triangle that lie farther apart in the texture lie on two sides of a seam."""


@dataclass(frozen=True, slots=True)
class TexturedMesh:
    """A mesh and its texture; the first row of the texture is v = 1."""

    mesh: Mesh
    texture: UInt8[np.ndarray, "h w 3"]

    def with_hair(self, hair: LongHair | None) -> "TexturedMesh":
        """A head with hair that falls, if there is any, as one mesh; the hair comes last."""
        if hair is None:
            return self
        return TexturedMesh(*hair.beside(self.mesh, self.texture))


def transfer_texture(
    transfer: Transfer,
    vertices: Float[np.ndarray, "w 3"],
    texture: UInt8[np.ndarray, "s s 3"],
) -> TexturedMesh:
    """A shape of the embedded model and its texture in another model's topology.

    The texture is resampled into the other model's texture coordinates if it has any, else the
    other mesh gets those of the embedded model. What is not covered takes the colour of the
    nearest point. Triangles across a seam of the embedded model's texture, at the back of the
    head, are of one colour.

    Args:
        transfer: to the other model.
        vertices: of the embedded model's decoded mesh, in any frame.
        texture: in the embedded model's texture coordinates.
    """
    other, size = transfer.other, len(texture)
    carried = transfer.vertices(vertices)
    faces = other.topology.faces
    places, corners = _parted_at_seams(transfer.uv, faces)
    if not len(other.uv):
        return TexturedMesh(Mesh(carried, faces, uv=places, uv_faces=corners), texture)
    mesh = other.mesh_of(carried)
    uv = vertex_attributes_to_uv(UvAtlas.of_mesh(mesh, size), corners, places)
    texels = texels_from_uv(uv.reshape(-1, 2), (size, size)).reshape(size, size, 2)
    colors = np.rint(sample_image(texture, texels)).clip(0, 255).astype(np.uint8)
    return TexturedMesh(mesh, colors)


def _parted_at_seams(
    uv: Float[np.ndarray, "v 2"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Float[np.ndarray, "t 2"], Int[np.ndarray, "f 3"]]:
    """Texture coordinates and their triangles, those across a seam at one of their corners."""
    across = np.ptp(uv[faces], axis=1).max(axis=1) > SEAM
    return uv, np.where(across[:, None], faces[:, :1], faces)
