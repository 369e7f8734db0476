"""Avatars read back from their files, to be moved and drawn."""

import copy
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int32, Shaped, UInt8

from mlanet.errors import DataError
from mlanet.export.animation import EYE_JOINTS, Animation, add_animation
from mlanet.export.avatar import SURFACES
from mlanet.export.gltf import METRES_PER_MM, GltfBuffer
from mlanet.export.hair import HAIR, HairPart
from mlanet.files import parsing, read_bytes
from mlanet.geometry import matrix_from_vector
from mlanet.morphable import MorphableModel, eye_rotations

MAX_BYTES = 512 * 1024**2

WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}


@dataclass(frozen=True, slots=True, eq=False)
class AvatarFile:
    """A head as `write_avatar` writes it: one mesh of its surfaces without lashes.

    Vertices that seams of the texture double are one again.

    Attributes:
        model: whose expressions the avatar has.
        rest: vertices of the person at rest, model frame, mm.
        faces: triangles.
        uv: texture coordinates, origin at the lower left.
        uv_faces: their corners for each triangle.
        offsets: of the vertices at the full extent of each expression, mm. Zero for the eyeballs,
            which turn.
        eyes: vertices of the left and of the right eyeball.
        eye_centres: which they turn about, mm.
        texture: its first row is v = 1.
        document: the file's JSON, as pygltflib has it, and its binary chunk.
        long_hair: what falls beside the head, if the file has that.
    """

    model: MorphableModel
    rest: Float[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "t 2"]
    uv_faces: Int32[np.ndarray, "f 3"]
    offsets: Float[np.ndarray, "e v 3"]
    eyes: tuple[slice, slice]
    eye_centres: Float[np.ndarray, "2 3"]
    texture: UInt8[np.ndarray, "h w 3"]
    document: Any
    long_hair: HairPart | None = None

    def vertices(self, expression: Float[np.ndarray, "e"]) -> Float[np.ndarray, "v 3"]:
        """The face with some weights, clipped to [0, 1]; model frame, mm."""
        weights = np.clip(expression, 0.0, 1.0).astype(np.float64)
        vertices = self.rest + np.tensordot(weights.astype(self.offsets.dtype), self.offsets, 1)
        turns = eye_rotations(self.model, weights[None])[0]
        for own, centre, turn in zip(self.eyes, self.eye_centres, turns, strict=True):
            vertices[own] = (vertices[own] - centre) @ matrix_from_vector(turn).T + centre
        return vertices

    def write_animated(self, path: str | os.PathLike[str], animation: Animation) -> None:
        """Write the avatar with an animation in the place of any that it has.

        Raises:
            ValueError: the animation has more or fewer weights than the avatar expressions.
            OSError: the file cannot be written.
        """
        gltf = copy.deepcopy(self.document)
        buffer = GltfBuffer(gltf, _without_animations(gltf))
        first = np.clip(animation.expression[0], 0.0, 1.0).astype(float).tolist()
        joints = {surface.name: surface.joint for surface in SURFACES}
        for mesh in (each for each in gltf.meshes if each.primitives[0].targets):
            turned = joints.get(mesh.name) in EYE_JOINTS
            mesh.weights = [0.0] * len(first) if turned else first
        add_animation(gltf, buffer, animation, self.model)
        buffer.write(path)


def read_avatar(path: str | os.PathLike[str], model: MorphableModel) -> AvatarFile:
    """Read a GLB file that mlanet wrote.

    Args:
        path: of the file.
        model: the face model whose expressions it has; the embedded one's everywhere but where
            you have another.

    Raises:
        DataError: there is no such file, it is no GLB file, or no avatar of this model. The
            message begins with the path.
    """
    from pygltflib import GLTF2

    file = Path(path)
    data = read_bytes(file, DataError, MAX_BYTES)
    if data[:4] != b"glTF":
        raise DataError(f"{file}: is no GLB file")
    with parsing(file, "is malformed", DataError):
        document = GLTF2().load_from_bytes(data)
        if document is None:
            raise DataError(f"{file}: is no glTF of version 2")
        lacking = _lacking(document, model)
        if lacking:
            raise DataError(
                f"{file}: is no avatar of mlanet ({lacking}); mlanet reconstruct writes them"
            )
        return _Reader(document).avatar(model)


def _lacking(document: Any, model: MorphableModel) -> str:
    """Why a file is no avatar; empty if it is one."""
    meshes = {mesh.name: mesh for mesh in document.meshes}
    for surface in SURFACES:
        if surface.name not in meshes:
            return f"it has no mesh {surface.name}"
        names = (meshes[surface.name].extras or {}).get("targetNames")
        if names != list(model.expression_names):
            return f"{surface.name} has not the {len(model.expression_names)} expressions"
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class _Hair:
    """A `HairPart`."""

    vertices: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    faces: Int32[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "n 2"]
    texture: UInt8[np.ndarray, "t s 4"]


class _Reader:
    """The arrays of a file."""

    def __init__(self, document: Any) -> None:
        self.document, self.data = document, document.binary_blob() or b""
        self.nodes = {node.name: node for node in document.nodes}

    def avatar(self, model: MorphableModel) -> AvatarFile:
        centres = {joint: self.place(joint) for joint in EYE_JOINTS}
        origins = {"Head": np.zeros(3)} | centres
        meshes = {mesh.name: mesh for mesh in self.document.meshes}
        rest, faces, uv, uv_faces, offsets = [], [], [], [], []
        eyes: dict[str, slice] = {}
        vertices = texels = 0
        for surface in SURFACES:
            (primitive,) = meshes[surface.name].primitives
            points = self.values(primitive.attributes.POSITION) / METRES_PER_MM
            moved = [self.values(t["POSITION"]) / METRES_PER_MM for t in primitive.targets]
            kept, joined = _joined(points, moved)
            corners = self.values(primitive.indices).reshape(-1, 3).astype(np.int32)
            rest.append(points[kept] + origins[surface.joint])
            faces.append(joined[corners] + np.int32(vertices))
            uv.append(self.values(primitive.attributes.TEXCOORD_0))
            uv_faces.append(corners + np.int32(texels))
            still = surface.joint in EYE_JOINTS
            offsets.append(np.stack(moved)[:, kept] * np.float32(not still))
            if still:
                eyes[surface.joint] = slice(vertices, vertices + len(kept))
            vertices, texels = vertices + len(kept), texels + len(points)
        texel = np.concatenate(uv).astype(np.float64)
        return AvatarFile(
            model=model,
            rest=np.concatenate(rest).astype(np.float64),
            faces=np.concatenate(faces),
            uv=np.stack([texel[:, 0], 1.0 - texel[:, 1]], axis=1),
            uv_faces=np.concatenate(uv_faces),
            offsets=np.concatenate(offsets, axis=1),
            eyes=(eyes["LeftEye"], eyes["RightEye"]),
            eye_centres=np.stack([centres[joint] for joint in EYE_JOINTS]),
            texture=self.picture(0, "RGB"),
            document=self.document,
            long_hair=self.long_hair(),
        )

    def long_hair(self) -> HairPart | None:
        mesh = next((mesh for mesh in self.document.meshes if mesh.name == HAIR), None)
        if mesh is None:
            return None
        (primitive,) = mesh.primitives
        material = self.document.materials[primitive.material]
        number = material.pbrMetallicRoughness.baseColorTexture.index
        uv = self.values(primitive.attributes.TEXCOORD_0).astype(np.float64)
        return _Hair(
            self.values(primitive.attributes.POSITION) / METRES_PER_MM,
            self.values(primitive.attributes.NORMAL),
            self.values(primitive.indices).reshape(-1, 3).astype(np.int32),
            np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1),
            self.picture(self.document.textures[number].source, "RGBA"),
        )

    def place(self, node: str) -> Float[np.ndarray, "3"]:
        """Where a node is in its parent's frame, mm."""
        return np.array(self.nodes[node].translation or np.zeros(3)) / METRES_PER_MM

    def values(self, index: int) -> Shaped[np.ndarray, "n *k"]:
        """The rows of an accessor; of a sparse one zeros with some replaced."""
        accessor = self.document.accessors[index]
        width, kind = WIDTHS[accessor.type], _kind(accessor.componentType)
        if accessor.bufferView is not None:
            found = self._rows(accessor, kind, accessor.count, width)
        else:
            found = np.zeros((accessor.count, width), kind)
        if accessor.sparse is not None:
            sparse = accessor.sparse
            integer = _kind(sparse.indices.componentType)
            rows = self._rows(sparse.indices, integer, sparse.count, 1)[:, 0]
            found = found.copy()
            found[rows] = self._rows(sparse.values, kind, sparse.count, width)
        return found[:, 0] if width == 1 else found

    def _rows(self, reference: Any, kind: np.dtype[Any], count: int, width: int) -> np.ndarray:
        view = self.document.bufferViews[reference.bufferView]
        start = (view.byteOffset or 0) + (reference.byteOffset or 0)
        return np.frombuffer(self.data, kind, count * width, start).reshape(count, width)

    def picture(self, number: int, mode: str) -> UInt8[np.ndarray, "h w c"]:
        from PIL import Image

        view = self.document.bufferViews[self.document.images[number].bufferView]
        start = view.byteOffset or 0
        picture = Image.open(io.BytesIO(self.data[start : start + view.byteLength]))
        return np.asarray(picture.convert(mode))


def _kind(component: int) -> np.dtype[Any]:
    return np.dtype({5123: "<u2", 5125: "<u4", 5126: "<f4"}[component])


def _joined(
    points: Float[np.ndarray, "n 3"], moved: list[Float[np.ndarray, "n 3"]]
) -> tuple[Int32[np.ndarray, "k"], Int32[np.ndarray, "n"]]:
    """Vertices that differ in place or movement, and which of them each vertex is."""
    everything = np.concatenate([points, *moved], axis=1)
    _, kept, joined = np.unique(everything, axis=0, return_index=True, return_inverse=True)
    return kept.astype(np.int32), joined.reshape(-1).astype(np.int32)


def _without_animations(gltf: Any) -> bytes:
    """Take the animations out of a document; returns the binary chunk that is left.

    Their keys, if nothing lies behind them, leave the file as well.
    """
    data = gltf.binary_blob() or b""
    keys = {
        number
        for animation in gltf.animations
        for sampler in animation.samplers
        for number in (sampler.input, sampler.output)
    }
    gltf.animations = []
    views = {gltf.accessors[number].bufferView for number in keys}
    first, first_view = min(keys, default=0), min(views, default=0)
    if not keys or len(gltf.accessors) - first != len(keys):
        return data
    if len(gltf.bufferViews) - first_view != len(views):
        return data
    end = gltf.bufferViews[first_view].byteOffset or 0
    del gltf.accessors[first:], gltf.bufferViews[first_view:]
    return data[:end]
