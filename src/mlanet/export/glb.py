"""Binary glTF 2.0: mesh, texture and morph targets in one file."""

import io
import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from mlanet.export.corners import SplitMesh, checked_mesh, split_at_seams
from mlanet.files import atomic_path
from mlanet.geometry import Mesh

METRES_PER_MM = 1e-3
"""glTF's unit is the metre."""

ROUGHNESS = 0.85
"""Of the material: skin without shine."""

JPEG_QUALITY = 92


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
    buffer = _Buffer(gltf)
    attributes = _attributes(buffer, mesh, split, with_colors=texture is None)
    indices = split.faces.reshape(-1).astype(np.uint32)
    primitive = Primitive(attributes=attributes, indices=buffer.add(indices, "indices"), material=0)
    primitive.targets = [
        Attributes(POSITION=buffer.add(_metres(offsets[split.source]), "bounded"))
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
    buffer.finish()
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"".join(gltf.save_to_bytes()))


def _attributes(buffer: "_Buffer", mesh: Mesh, split: SplitMesh, *, with_colors: bool) -> Any:
    from pygltflib import Attributes

    attributes = Attributes(
        POSITION=buffer.add(_metres(split.vertices), "bounded"),
        NORMAL=buffer.add(split.normals.astype(np.float32), "vertices"),
    )
    if split.uv is not None:
        flipped = np.stack([split.uv[:, 0], 1.0 - split.uv[:, 1]], axis=1)
        attributes.TEXCOORD_0 = buffer.add(flipped.astype(np.float32), "vertices")
    if with_colors and mesh.colors is not None:
        colors = _linear_from_srgb(np.clip(mesh.colors, 0.0, 1.0))[split.source]
        attributes.COLOR_0 = buffer.add(colors.astype(np.float32), "vertices")
    return attributes


def _metres(points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    return (np.asarray(points_mm, dtype=np.float64) * METRES_PER_MM).astype(np.float32)


def _linear_from_srgb(colors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """IEC 61966-2-1."""
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


class _Buffer:
    """The binary chunk of a file being built: adds views and accessors to `gltf`."""

    def __init__(self, gltf: Any) -> None:
        self._gltf = gltf
        self._data = bytearray()

    def add(
        self, values: Shaped[np.ndarray, "..."], use: Literal["bounded", "vertices", "indices"]
    ) -> int:
        """Index of a new accessor over a copy of `values` (float32 rows or uint32 indices)."""
        import pygltflib

        of_indices = use == "indices"
        target = pygltflib.ELEMENT_ARRAY_BUFFER if of_indices else pygltflib.ARRAY_BUFFER
        accessor = pygltflib.Accessor(
            bufferView=self._add_view(np.ascontiguousarray(values).tobytes(), target),
            componentType=pygltflib.UNSIGNED_INT if of_indices else pygltflib.FLOAT,
            count=len(values),
            type="SCALAR" if of_indices else f"VEC{values.shape[1]}",
        )
        if use == "bounded":
            accessor.min = values.min(axis=0).tolist()
            accessor.max = values.max(axis=0).tolist()
        self._gltf.accessors.append(accessor)
        return len(self._gltf.accessors) - 1

    def add_texture(
        self, texture: UInt8[np.ndarray, "h w 3"], texture_format: Literal["jpeg", "png"]
    ) -> Any:
        """Reference to a picture embedded in the file."""
        import pygltflib
        from PIL import Image

        encoded = io.BytesIO()
        picture = Image.fromarray(np.ascontiguousarray(texture))
        picture.save(encoded, format=texture_format, quality=JPEG_QUALITY)
        view = self._add_view(encoded.getvalue(), None)
        gltf = self._gltf
        gltf.images = [pygltflib.Image(bufferView=view, mimeType=f"image/{texture_format}")]
        gltf.samplers = [
            pygltflib.Sampler(
                magFilter=pygltflib.LINEAR,
                minFilter=pygltflib.LINEAR_MIPMAP_LINEAR,
                wrapS=pygltflib.CLAMP_TO_EDGE,
                wrapT=pygltflib.CLAMP_TO_EDGE,
            )
        ]
        gltf.textures = [pygltflib.Texture(sampler=0, source=0)]
        return pygltflib.TextureInfo(index=0)

    def finish(self) -> None:
        """Attach the data to the file."""
        import pygltflib

        self._gltf.buffers = [pygltflib.Buffer(byteLength=len(self._data))]
        self._gltf.set_binary_blob(bytes(self._data))

    def _add_view(self, data: bytes, target: int | None) -> int:
        import pygltflib

        self._gltf.bufferViews.append(
            pygltflib.BufferView(
                buffer=0, byteOffset=len(self._data), byteLength=len(data), target=target
            )
        )
        self._data += data + b"\0" * (-len(data) % 4)
        return len(self._gltf.bufferViews) - 1
