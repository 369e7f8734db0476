"""Binary glTF 2.0: mesh, texture and morph targets in one file."""

import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.export.corners import SplitMesh, checked_mesh, split_at_seams
from mlanet.export.gltf import GltfBuffer, from_upper_left, in_metres
from mlanet.geometry import Mesh
from mlanet.image.srgb import linear_from_srgb

ROUGHNESS = 0.85
"""Of the material: skin without shine."""


def write_glb(
    path: str | os.PathLike[str],
    mesh: Mesh,
    texture: UInt8[np.ndarray, "h w 3"] | None = None,
    *,
    morph_targets: Mapping[str, Float[np.ndarray, "v 3"]] | None = None,
    name: str = "face",
    texture_format: Literal["jpeg", "png"] = "jpeg",
) -> None:
    """Write a mesh of the model frame (mm) as a binary glTF file (metres).

    Vertices are doubled at seams of the texture. Without a texture the mesh's colours, if any,
    become vertex colours, which glTF wants linear.

    Args:
        path: where to; replaced only when the new file is whole.
        mesh: vertices in mm, `uv` with its origin at the lower left.
        texture: its first row is v = 1.
        morph_targets: offsets in mm for each vertex of `mesh`, by name; the names are stored in
            `mesh.extras.targetNames` in the mapping's order, all weights are zero.
        name: of the node and the mesh.
        texture_format: how the texture is stored inside the file.

    Raises:
        ValueError: the mesh, the texture or a morph target is malformed.
        OSError: the file cannot be written.
    """
    checked_mesh(mesh, texture)
    targets = dict(morph_targets or {})
    for target, offsets in targets.items():
        if offsets.shape != mesh.vertices.shape or not np.isfinite(offsets).all():
            raise ValueError(
                f"morph_targets[{target!r}] must be finite {mesh.vertices.shape},"
                f" got {offsets.shape}"
            )
    from pygltflib import (
        GLTF2,
        Asset,
        Attributes,
        Material,
        Node,
        PbrMetallicRoughness,
        Primitive,
        Scene,
    )
    from pygltflib import Mesh as GltfMesh

    split = split_at_seams(mesh)
    gltf = GLTF2(asset=Asset(version="2.0", generator="mlanet"))
    buffer = GltfBuffer(gltf)
    attributes = _attributes(buffer, mesh, split, with_colors=texture is None)
    indices = split.faces.reshape(-1).astype(np.uint32)
    primitive = Primitive(attributes=attributes, indices=buffer.add(indices, "indices"), material=0)
    primitive.targets = [
        Attributes(POSITION=buffer.add(in_metres(offsets[split.source]), "bounded"))
        for offsets in targets.values()
    ]
    surface = PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=ROUGHNESS)
    if texture is not None:
        surface.baseColorTexture = buffer.add_texture(texture, texture_format)
    gltf.materials = [Material(name=name, pbrMetallicRoughness=surface, doubleSided=True)]
    shape = GltfMesh(name=name, primitives=[primitive])
    if targets:
        shape.weights = [0.0] * len(targets)
        shape.extras = {"targetNames": list(targets)}
    gltf.meshes = [shape]
    gltf.nodes = [Node(name=name, mesh=0)]
    gltf.scenes = [Scene(nodes=[0])]
    gltf.scene = 0
    buffer.write(path)


def _attributes(buffer: GltfBuffer, mesh: Mesh, split: SplitMesh, *, with_colors: bool) -> Any:
    from pygltflib import Attributes

    attributes = Attributes(
        POSITION=buffer.add(in_metres(split.vertices), "bounded"),
        NORMAL=buffer.add(split.normals.astype(np.float32), "vertices"),
    )
    if split.uv is not None:
        attributes.TEXCOORD_0 = buffer.add(from_upper_left(split.uv), "vertices")
    if with_colors and mesh.colors is not None:
        colors = linear_from_srgb(np.clip(mesh.colors, 0.0, 1.0))[split.source]
        attributes.COLOR_0 = buffer.add(colors.astype(np.float32), "vertices")
    return attributes
