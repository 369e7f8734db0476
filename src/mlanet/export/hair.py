"""Hair that falls beside a head: a mesh of its own in files."""

from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int32, UInt8

from mlanet.export.corners import checked_mesh
from mlanet.export.gltf import GltfBuffer, from_upper_left, in_metres
from mlanet.geometry import Mesh

HAIR, ROUGHNESS = "Hair", 0.8
"""Name of the node, the mesh and the material."""


class HairPart(Protocol):
    """A mesh that follows the head and has no expressions, as `mlanet.texturing.LongHair` is."""

    @property
    def vertices(self) -> Float[np.ndarray, "n 3"]:
        """Model frame, mm."""
        ...

    @property
    def normals(self) -> Float[np.ndarray, "n 3"]:
        """Of unit length."""
        ...

    @property
    def faces(self) -> Int32[np.ndarray, "f 3"]:
        """Triangles, counter-clockwise."""
        ...

    @property
    def uv(self) -> Float[np.ndarray, "n 2"]:
        """Of the vertices, origin at the lower left."""
        ...

    @property
    def texture(self) -> UInt8[np.ndarray, "t s c"]:
        """RGB or RGBA; its first row is v = 1."""
        ...


def part_mesh(part: HairPart) -> Mesh:
    """A part of files beside the head as a mesh, whose texture coordinates are its vertices'.

    Raises:
        ValueError: it is malformed (`checked_mesh`).
    """
    mesh = Mesh(part.vertices, part.faces, uv=part.uv, uv_faces=part.faces)
    checked_mesh(mesh, part.texture[..., :3])
    return mesh


def add_hair(gltf: Any, buffer: GltfBuffer, hair: HairPart) -> None:
    """Add the mesh under the node Head of an avatar's document."""
    from pygltflib import Attributes, Material, Mesh, Node, PbrMetallicRoughness, Primitive

    picture = buffer.add_texture(hair.texture, "jpeg")
    surface = PbrMetallicRoughness(
        metallicFactor=0.0, roughnessFactor=ROUGHNESS, baseColorTexture=picture
    )
    gltf.materials.append(Material(name=HAIR, pbrMetallicRoughness=surface, doubleSided=True))
    primitive = Primitive(
        attributes=Attributes(
            POSITION=buffer.add(in_metres(hair.vertices), "bounded"),
            NORMAL=buffer.add(hair.normals.astype(np.float32), "vertices"),
            TEXCOORD_0=buffer.add(from_upper_left(hair.uv), "vertices"),
        ),
        indices=buffer.add(hair.faces.reshape(-1).astype(np.uint16), "indices"),
        material=len(gltf.materials) - 1,
    )
    gltf.meshes.append(Mesh(name=HAIR, primitives=[primitive]))
    head = next(node for node in gltf.nodes if node.name == "Head")
    head.children = [*head.children, len(gltf.nodes)]
    gltf.nodes.append(Node(name=HAIR, mesh=len(gltf.meshes) - 1))
