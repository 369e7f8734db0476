"""Hair that falls beside a head: a mesh of its own in files."""

import io
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int32, UInt8

from mlanet.export.corners import checked_mesh
from mlanet.export.gltf import GltfBuffer, from_upper_left, in_metres
from mlanet.geometry import Mesh

HAIR, ROUGHNESS = "Hair", 0.8
"""Name of the node, the mesh and the material."""

TONES, TONES_EVERY = 62, 4
"""Colours of pictures with transparency, and the texels in each direction of which one is looked
at for them."""

COVERS = (0, 88, 168, 255)
"""Opacities of these; readers cut at the half."""


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
        """RGB or RGBA; its first row is v = 1. What is less than half covered is cut out."""
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

    cut_out = hair.texture.shape[-1] == 4
    if cut_out:
        picture = buffer.add_picture(palette_png(hair.texture), "png")
    else:
        picture = buffer.add_texture(hair.texture, "jpeg")
    surface = PbrMetallicRoughness(
        metallicFactor=0.0, roughnessFactor=ROUGHNESS, baseColorTexture=picture
    )
    material = Material(name=HAIR, pbrMetallicRoughness=surface, doubleSided=True)
    if cut_out:
        material.alphaMode, material.alphaCutoff = "MASK", 0.5
    gltf.materials.append(material)
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


def palette_png(texture: UInt8[np.ndarray, "t s 4"]) -> bytes:
    """A PNG file of few colours, half as large as one of all."""
    from PIL import Image

    colors, cover = np.ascontiguousarray(texture[..., :3]), texture[..., 3]
    plain = Image.Dither.NONE
    few = np.ascontiguousarray(colors[::TONES_EVERY, ::TONES_EVERY])
    chosen = Image.fromarray(few).quantize(TONES, Image.Quantize.MEDIANCUT, dither=plain)
    tones = np.array(chosen.getpalette(), np.uint8)[: 3 * TONES].reshape(-1, 3)
    tone = np.asarray(Image.fromarray(colors).quantize(palette=chosen, dither=plain))
    level = np.searchsorted(np.array(COVERS[1:]) - 40, cover, side="right").astype(np.uint8)
    nearest = np.argmin(np.abs(tones - few.mean(axis=(0, 1))).sum(axis=1))
    tone = np.where(level > 0, np.minimum(tone, len(tones) - 1), nearest)
    picture = Image.fromarray((level * len(tones) + tone).astype(np.uint8), "P")
    picture.putpalette(np.tile(tones, (len(COVERS), 1)).tobytes())
    encoded = io.BytesIO()
    opacities = bytes(np.repeat(np.array(COVERS, np.uint8), len(tones)))
    picture.save(encoded, "png", transparency=opacities, compress_level=4)
    return encoded.getvalue()
