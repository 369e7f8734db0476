"""The face model for browsers: one file of typed arrays, made of the embedded model.

Nothing is rounded further than the embedded file is: modes stay 16-bit floats, so that landmarks
are the same. Texture coordinates alone become 16-bit shares of the texture.
"""

import json
import struct
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from mlanet.coefficients import CoefficientLayout
from mlanet.export.avatar import ROUGHNESS, SURFACES
from mlanet.export.corners import joined_corners
from mlanet.export.gltf import from_upper_left
from mlanet.export.simplify import decoded_parts, simplified_faces
from mlanet.morphable import MorphableModel
from mlanet.network.runtime import CoefficientRegressor

FORMAT = "mlanet-browser-model-1"

ALIGNED = 8
"""Arrays begin at multiples of so many bytes."""


def packed_model(model: MorphableModel, regressor: CoefficientRegressor) -> bytes:
    """The model's arrays, and how to read the network that drives it.

    A 32-bit length, a JSON header of that length, then the arrays that it lists, little-endian.

    Raises:
        ValueError: the model is not subdivided or has more than 65,536 vertices.
    """
    arrays, surfaces = _arrays(model)
    network = regressor.config
    described = {
        "format": FORMAT,
        "name": model.name,
        "licence": model.provenance.licence,
        "source": model.provenance.source,
        "source_sha256": model.provenance.sha256,
        "expressions": list(model.expression_names),
        "parts": list(model.part_names),
        "network": {
            "input_size": network.input_size,
            "layout": _layout(network.layout),
            "confidence": None if regressor.confidence is None else regressor.confidence.as_dict(),
        },
        "surfaces": surfaces,
    }
    return packed(described, arrays)


def packed(described: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """A header with these values and the arrays' places, and the arrays."""
    places: dict[str, Any] = {}
    start = 0
    for name, array in arrays.items():
        places[name] = {"type": array.dtype.name, "shape": array.shape, "start": start}
        start += _aligned(array.nbytes)
    header = json.dumps({**described, "arrays": places}, ensure_ascii=False).encode()
    header += b" " * (_aligned(len(header) + 4) - len(header) - 4)
    parts = [struct.pack("<I", len(header)), header]
    for array in arrays.values():
        content = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        parts.append(content + bytes(_aligned(len(content)) - len(content)))
    return b"".join(parts)


def kept_vertices(model: MorphableModel) -> Int[np.ndarray, "w"]:
    """Decoded vertices that an avatar's triangles use, and all base vertices; in their order."""
    used = np.unique(_triangles(model)[0])
    return np.union1d(np.arange(model.num_base_vertices), used)


def _arrays(model: MorphableModel) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    if not model.subdivided:
        raise ValueError("the browser's face model is a subdivided one")
    kept = kept_vertices(model)
    if len(kept) > 1 << 16:
        raise ValueError(f"{len(kept)} vertices are too many for 16 bits")
    number = np.full(model.topology.num_vertices, -1)
    number[kept] = np.arange(len(kept))
    base, middle = model.num_base_vertices, kept[model.num_base_vertices :]
    faces, uv_faces = _triangles(model)
    parts = decoded_parts(model)
    border = np.asarray(model.topology.border_vertices)
    rim = kept[border[kept] & (model.subdivide(model.shape.mean)[kept, 1] < 0.0)]
    arrays = {
        "mean": model.shape.mean.astype(np.float32),
        "identity": _half(model.shape.identity),
        "expression": _half(model.shape.expression),
        "albedo_mean": model.albedo_mean.astype(np.float32),
        "albedo": _half(model.albedo_basis),
        "midpoint_index": model.midpoint_index[middle - base].astype(np.uint16),
        "midpoint_weight": _half(model.midpoint_weight[middle - base]),
        "landmark_corners": model.base_faces[model.landmark_faces].astype(np.uint16),
        "landmark_weights": model.landmark_barycentric.astype(np.float32),
        "triangles": number[faces].astype(np.uint16),
        "mirror": number[_mirror(model, kept)].astype(np.uint16),
        "part": parts[kept].astype(np.uint8),
        "face": np.rint(255.0 * model.region("face")[kept]).astype(np.uint8),
        "neck_rim": number[rim].astype(np.uint16),
    }
    surfaces: list[dict[str, Any]] = []
    owner = parts[faces[:, 0]]
    for surface in SURFACES:
        own = np.isin(owner, [model.part_names.index(name) for name in surface.parts])
        source, texel, corners = joined_corners(faces[own], uv_faces[own])
        uv = from_upper_left(model.uv[texel])
        arrays[f"{surface.name}.source"] = number[source].astype(np.uint16)
        arrays[f"{surface.name}.uv"] = np.rint(np.clip(uv, 0, 1) * 65535).astype(np.uint16)
        arrays[f"{surface.name}.triangles"] = corners.astype(np.uint16)
        surfaces.append(
            {
                "name": surface.name,
                "roughness": ROUGHNESS[surface.material],
                "two_sided": surface.material == "Wolf3D_Skin",
            }
        )
    return arrays, surfaces


def _triangles(model: MorphableModel) -> tuple[Int[np.ndarray, "g 3"], Int[np.ndarray, "g 3"]]:
    """Those that avatars have, and those of their texture coordinates."""
    offsets = model.subdivide(np.moveaxis(model.shape.expression, 2, 0))
    mean = model.subdivide(model.shape.mean)
    return simplified_faces(model, np.concatenate([mean[None], mean + offsets]))


def _mirror(model: MorphableModel, kept: Int[np.ndarray, "w"]) -> Int[np.ndarray, "w"]:
    """The kept vertex on the other side of each kept one: of an edge's middle the nearest."""
    from scipy.spatial import KDTree

    points = model.subdivide(model.shape.mean)
    parts = decoded_parts(model)
    mirrored = points[kept] * np.array([-1.0, 1.0, 1.0])
    names = [name.replace("left", "right") for name in model.part_names]
    names = [
        name.replace("right", "left") if "right" in own else name
        for own, name in zip(model.part_names, names, strict=True)
    ]
    other = np.array([model.part_names.index(name) for name in names])
    result = np.zeros(len(kept), dtype=np.int64)
    for part in range(len(model.part_names)):
        own: Bool[np.ndarray, " w"] = parts[kept] == part
        there = kept[parts[kept] == other[part]]
        result[own] = there[KDTree(points[there]).query(mirrored[own])[1]]
    return result


def _half(values: np.ndarray) -> np.ndarray:
    """As 16-bit floats, which must hold them exactly: the embedded file's are such."""
    half = values.astype(np.float16)
    if not np.array_equal(half.astype(np.float32), values.astype(np.float32)):
        raise ValueError("16 bits do not hold the model's numbers exactly")
    return half


def _layout(layout: CoefficientLayout) -> dict[str, Any]:
    return {**asdict(layout), "sizes": layout.sizes}


def _aligned(count: int) -> int:
    return -(-count // ALIGNED) * ALIGNED
