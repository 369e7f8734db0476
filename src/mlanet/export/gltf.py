"""The binary chunk of a glTF 2.0 file and what refers to it."""

import io
import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped, UInt8, UInt16

from mlanet.files import atomic_path

METRES_PER_MM = 1e-3
"""glTF's unit is the metre."""

JPEG_QUALITY, NORMALS_QUALITY = 92, 85

STEPS_PER_LEAST = 5.0
"""Offsets are multiples of a power of two that is at most the least offset over this: their last
bits are zero, so that files can be packed to two thirds of what full numbers would take."""


@dataclass(frozen=True, slots=True)
class SparseOffsets:
    """Offsets of vertices, zero but at those listed (ascending), and the bounds of all."""

    vertices: UInt16[np.ndarray, "k"]
    offsets: Float[np.ndarray, "k 3"]
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]

    @classmethod
    def of(cls, dense: Float[np.ndarray, "n 3"], least: float) -> "SparseOffsets":
        """The offsets that are longer than `least`; `n` is at most 65,535."""
        kept = np.flatnonzero(np.einsum("nk,nk->n", dense, dense) > least * least)
        step = 2.0 ** np.floor(np.log2(least / STEPS_PER_LEAST))
        left = (np.round(dense[kept] / step) * step).astype(np.float32)
        others = np.zeros((1 if len(kept) < len(dense) else 0, 3), np.float32)
        bounded = np.concatenate([others, left])
        return cls(kept.astype(np.uint16), left, bounded.min(axis=0), bounded.max(axis=0))


class GltfBuffer:
    """The binary chunk of a file being built: adds views and accessors to `gltf`.

    `data` is what the chunk of a file that is gone on with holds already.
    """

    def __init__(self, gltf: Any, data: bytes = b"") -> None:
        self._gltf = gltf
        self._data = bytearray(data)

    def add(
        self,
        values: Shaped[np.ndarray, "..."],
        use: Literal["bounded", "vertices", "indices", "times", "keys"],
    ) -> int:
        """Index of a new accessor over a copy of `values` (float32 rows, uint16 or uint32).

        `times` and `keys` are those of an animation.
        """
        import pygltflib

        targets = {"indices": pygltflib.ELEMENT_ARRAY_BUFFER, "times": None, "keys": None}
        target = targets.get(use, pygltflib.ARRAY_BUFFER)
        component = {
            "float32": pygltflib.FLOAT,
            "uint16": pygltflib.UNSIGNED_SHORT,
            "uint32": pygltflib.UNSIGNED_INT,
        }
        accessor = pygltflib.Accessor(
            bufferView=self._add_view(np.ascontiguousarray(values).tobytes(), target),
            componentType=component[values.dtype.name],
            count=len(values),
            type="SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}",
        )
        if use in ("bounded", "times"):
            accessor.min = np.atleast_1d(values.min(axis=0)).tolist()
            accessor.max = np.atleast_1d(values.max(axis=0)).tolist()
        return self._added(accessor)

    def add_sparse(
        self, targets: Sequence[SparseOffsets], count: int, *, bounded: bool
    ) -> list[int]:
        """Accessors of `count` rows of zeros with some replaced, one for each target.

        All targets without offsets have one accessor. The data lie in two views.
        """
        import pygltflib

        moving = [target for target in targets if len(target.vertices)]
        views = [
            self._add_view(b"".join(part), None)
            for part in zip(
                *((target.vertices.tobytes(), target.offsets.tobytes()) for target in moving),
                strict=True,
            )
        ]
        nothing: int | None = None
        found: list[int] = []
        start = 0
        for target in targets:
            replaced = len(target.vertices)
            if not replaced and nothing is not None:
                found.append(nothing)
                continue
            accessor = pygltflib.Accessor(
                byteOffset=None, componentType=pygltflib.FLOAT, count=count, type="VEC3"
            )
            if bounded:
                accessor.min, accessor.max = target.low.tolist(), target.high.tolist()
            found.append(self._added(accessor))
            if replaced:
                accessor.sparse = _replacement(views, start, replaced)
                start += replaced
            else:
                nothing = found[-1]
        return found

    def add_texture(
        self,
        texture: UInt8[np.ndarray, "h w 3"],
        texture_format: Literal["jpeg", "png"],
        *,
        normals: bool = False,
    ) -> Any:
        """Reference to a picture embedded in the file.

        Channels of `normals` are no colours, and are kept apart.
        """
        from PIL import Image

        encoded = io.BytesIO()
        picture = Image.fromarray(np.ascontiguousarray(texture))
        options = {"quality": JPEG_QUALITY}
        if normals:
            options = {"quality": NORMALS_QUALITY, "subsampling": 0}
        picture.save(encoded, format=texture_format, **options)
        return self.add_picture(encoded.getvalue(), texture_format)

    def add_picture(self, encoded: bytes, texture_format: Literal["jpeg", "png"]) -> Any:
        """The same of the bytes of a picture's file."""
        import pygltflib

        view = self._add_view(encoded, None)
        gltf = self._gltf
        gltf.images.append(pygltflib.Image(bufferView=view, mimeType=f"image/{texture_format}"))
        gltf.samplers = [
            pygltflib.Sampler(
                magFilter=pygltflib.LINEAR,
                minFilter=pygltflib.LINEAR_MIPMAP_LINEAR,
                wrapS=pygltflib.CLAMP_TO_EDGE,
                wrapT=pygltflib.CLAMP_TO_EDGE,
            )
        ]
        gltf.textures.append(pygltflib.Texture(sampler=0, source=len(gltf.images) - 1))
        return pygltflib.TextureInfo(index=len(gltf.textures) - 1)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file: replaced only when the new one is whole.

        Raises:
            OSError: the file cannot be written.
        """
        import pygltflib

        self._gltf.buffers = [pygltflib.Buffer(byteLength=len(self._data))]
        document = _plain(
            {field.name: getattr(self._gltf, field.name) for field in fields(self._gltf)}
        )
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = ((b"JSON", text), (b"BIN\0", bytes(self._data)))
        parts = [b"".join((struct.pack("<I", len(data)), kind, data)) for kind, data in chunks]
        head = struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, parts)))
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"".join([head, *parts]))

    def _added(self, accessor: Any) -> int:
        self._gltf.accessors.append(accessor)
        return len(self._gltf.accessors) - 1

    def _add_view(self, data: bytes, target: int | None) -> int:
        import pygltflib

        self._gltf.bufferViews.append(
            pygltflib.BufferView(
                buffer=0, byteOffset=len(self._data), byteLength=len(data), target=target
            )
        )
        self._data += data + b"\0" * (-len(data) % 4)
        return len(self._gltf.bufferViews) - 1


def _plain(value: Any) -> Any:
    """What JSON holds of pygltflib's objects: what is set, and not empty.

    `GLTF2.to_json` copies every number on its own, which takes ten times as long.
    """
    if isinstance(value, list):
        return [_plain(each) for each in value] if _has_objects(value) else value
    members = value if isinstance(value, dict) else getattr(value, "__dict__", None)
    if members is None:
        return value
    return {
        name: each if name == "extensions" else _plain(each)
        for name, each in members.items()
        if each is not None and not (isinstance(each, (list, dict, str)) and not each)
    }


def _has_objects(values: list[Any]) -> bool:
    return bool(values) and not isinstance(values[0], (float, int, str))


def _replacement(views: list[int], start: int, count: int) -> Any:
    """Rows `start` to `start + count` of a view of indices (uint16) and one of values (VEC3)."""
    from pygltflib import UNSIGNED_SHORT, AccessorSparseIndices, AccessorSparseValues, Sparse

    where, what = views
    return Sparse(
        count=count,
        indices=AccessorSparseIndices(
            bufferView=where, byteOffset=2 * start, componentType=UNSIGNED_SHORT
        ),
        values=AccessorSparseValues(bufferView=what, byteOffset=12 * start),
    )


def in_metres(points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Points of the model frame in glTF's unit."""
    return (np.asarray(points_mm, dtype=np.float64) * METRES_PER_MM).astype(np.float32)


def from_upper_left(uv: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Texture coordinates with glTF's origin."""
    return np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1).astype(np.float32)
