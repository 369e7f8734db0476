"""A head as an avatar: a binary glTF file whose face moves and whose eyes turn."""

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8, UInt16

from mlanet.export.animation import Animation, add_animation
from mlanet.export.corners import joined_corners, tangents, unit
from mlanet.export.cut import Cut, cut_above, face_height
from mlanet.export.gltf import METRES_PER_MM, GltfBuffer, SparseOffsets, from_upper_left, in_metres
from mlanet.export.hair import HairPart, add_hair
from mlanet.export.lashes import lashes_of
from mlanet.export.normal_turns import turns_of_normals
from mlanet.export.simplify import (
    IN_REGION,
    VISIBLE,
    decoded_parts,
    inside_mouth,
    simplified_faces,
)
from mlanet.morphable import MorphableModel

LEAST_OFFSET_MM = 0.05
"""Offsets of morph targets up to this length are left out."""

LEAST_TURN = 0.1
"""Changes of unit normals up to this length (6°) are left out."""


@dataclass(frozen=True, slots=True)
class Surface:
    """One mesh of the file: some of the model's parts in one material.

    Names are Ready Player Me's, whose readers look meshes up by name
    (docs/reference/output.md).
    """

    name: str
    parts: tuple[str, ...]
    material: str
    joint: str = "Head"


SKIN = "Wolf3D_Skin"

SURFACES = (
    Surface("Wolf3D_Head", ("skin",), SKIN),
    Surface("EyeLeft", ("eye_left",), "Wolf3D_Eye", "LeftEye"),
    Surface("EyeRight", ("eye_right",), "Wolf3D_Eye", "RightEye"),
    Surface("Wolf3D_Teeth", ("teeth_upper", "teeth_lower"), "Wolf3D_Teeth"),
    Surface("Tongue", ("tongue",), "Tongue"),
)

ROUGHNESS = {SKIN: 0.6, "Wolf3D_Eye": 0.2, "Wolf3D_Teeth": 0.3, "Tongue": 0.4}
"""Of each material, in the order of the file; none is metallic."""

LASHES = Surface("Eyelashes", (), "Eyelashes")
"""Grown on the lids (`mlanet.export.lashes`): no part of the model, without a texture."""

LASH_COLOR, LASH_ROUGHNESS = (0.016, 0.011, 0.009, 1.0), 0.7
"""Linear RGB, opaque."""


def can_be_avatar(model: MorphableModel) -> bool:
    """Whether the model has what an avatar needs: parts, eyes, blend shapes and a texture's UV."""
    parts = {part for surface in SURFACES for part in surface.parts}
    return (
        set(model.part_names) == parts
        and model.eye_poles.shape == (2, 2)
        and model.expression_bounded
        and len(model.uv) > 0
    )


def write_avatar(
    path: str | os.PathLike[str],
    model: MorphableModel,
    identity: Float[np.ndarray, "i"],
    expression: Float[np.ndarray, "e"],
    texture: UInt8[np.ndarray, "h w 3"],
    *,
    name: str = "face",
    extent: Literal["head", "face"] = "head",
    animation: Animation | None = None,
    detail: UInt8[np.ndarray, "k k 3"] | None = None,
    hair: Float[np.ndarray, "w 3"] | None = None,
    long_hair: HairPart | None = None,
) -> None:
    """Write a person's head with all expressions as morph targets, in metres.

    The base is the neutral person; the default weights are `expression`, so that readers show it
    at first. Every mesh but long hair has all targets in the model's order, so one weight vector
    drives all.

    Args:
        path: where to; replaced only when the new file is whole.
        model: one of which `can_be_avatar` holds.
        identity: coefficients in standard deviations.
        expression: weights, clipped to [0, 1].
        texture: its first row is v = 1; of all meshes.
        name: of the root node.
        extent: the whole head, or the face alone (`face_height`) with eyes, teeth and tongue.
        animation: what the head does; eyeballs then turn about their joints, and not by targets.
        detail: normal map of the skin in tangent space (`mlanet.texturing.detail_normals`); left
            out if it is the same everywhere.
        hair: how far it stands off the head, mm (`mlanet.texturing.hair_offsets`).
        long_hair: what falls beside the head (`mlanet.texturing.long_hair`).

    Raises:
        ValueError: the model lacks something, a coefficient is not finite, or texture or
            animation are malformed.
        OSError: the file cannot be written.
    """
    if not can_be_avatar(model):
        raise ValueError(f"the face model {model.name} lacks parts, eyes, UV or blend shapes")
    for which, image in (("texture", texture), ("detail", detail)):
        if image is not None and (image.shape[2:] != (3,) or image.dtype != np.uint8):
            raise ValueError(f"{which} must be (h, w, 3) uint8, got {image.shape} {image.dtype}")
    import pygltflib

    if detail is not None and not np.ptp(detail, axis=(0, 1)).any():
        detail = None
    vertices = model.vertices(identity, np.zeros_like(expression))
    if hair is not None:
        vertices = vertices + hair
    if not (np.isfinite(vertices).all() and np.isfinite(expression).all()):
        raise ValueError("identity and expression must be finite")
    normals = model.normals(vertices).astype(np.float32)
    gltf = pygltflib.GLTF2(asset=pygltflib.Asset(version="2.0", generator="mlanet"))
    buffer = GltfBuffer(gltf)
    gltf.materials = _materials(buffer.add_texture(texture, "jpeg"))
    if detail is not None:
        skin = gltf.materials[list(ROUGHNESS).index(SKIN)]
        picture = buffer.add_texture(detail, "jpeg", normals=True)
        skin.normalTexture = pygltflib.NormalMaterialTexture(index=picture.index)
    joints = _joints(model, vertices)
    weights = np.clip(expression, 0.0, 1.0).astype(float).tolist()
    cut = _cut(model, extent)
    points, directions = cut.vertices(vertices), unit(cut.vertices(normals))
    lashes = lashes_of(model)
    for shell in (*_shells(model, extent), *_lash_shells(model)):
        if shell.surface is LASHES:
            assert lashes is not None
            moved, along = lashes.vertices(vertices), lashes.normals
        else:
            moved = points[shell.source] - joints[shell.surface.joint]
            along = directions[shell.source]
        primitive = _primitive(buffer, shell, moved, along)
        if detail is not None and shell.surface.material == SKIN:
            tangent = tangents(moved, along, shell.uv, shell.faces)
            primitive.attributes.TANGENT = buffer.add(tangent, "vertices")
        still = animation is not None and shell.surface.joint != "Head"
        gltf.meshes.append(
            pygltflib.Mesh(
                name=shell.surface.name,
                primitives=[primitive],
                weights=[0.0] * len(weights) if still else weights,
                extras={"targetNames": list(model.expression_names)},
            )
        )
    _add_nodes(gltf, name, joints, (*SURFACES, LASHES) if lashes else SURFACES)
    if long_hair is not None:
        add_hair(gltf, buffer, long_hair)
    if animation is not None:
        add_animation(gltf, buffer, animation, model)
    buffer.write(path)


def identity_offsets(
    model: MorphableModel, count: int = 8
) -> dict[str, Float[np.ndarray, "k n 3"]]:
    """Offsets (mm) of an avatar's vertices at one standard deviation of the first identity modes.

    They are listed by the mesh's name; empty of a model without avatars.
    """
    if not can_be_avatar(model):
        return {}
    modes = model.subdivide(np.moveaxis(model.shape.identity[..., :count], 2, 0))
    offsets = {shell.surface.name: modes[:, shell.source] for shell in _shells(model, "head")}
    lashes = lashes_of(model)
    if lashes is not None:
        offsets[LASHES.name] = lashes.roots(modes)
    return offsets


@dataclass(frozen=True, slots=True)
class _Shell:
    """What a mesh of the file has in common for all persons: all but vertices and normals."""

    surface: Surface
    source: Int[np.ndarray, "n"]
    uv: Float[np.ndarray, "n 2"]
    faces: UInt16[np.ndarray, "f 3"]
    positions: tuple[SparseOffsets, ...]
    normals: tuple[SparseOffsets, ...]


@lru_cache(maxsize=2)
def _shells(model: MorphableModel, extent: str) -> tuple[_Shell, ...]:
    """The meshes, over the vertices of `_cut`; made once. Turns of normals are the mean head's."""
    offsets, bends = _bends(model)
    cut = _cut(model, extent)
    turns, uv = (
        cut.vertices(turns_of_normals(model.topology.faces, _seen(model), bends)),
        cut.coordinates(model.uv),
    )
    offsets = cut.vertices(offsets)
    skin = model.part_names.index("skin")
    parts = np.append(decoded_parts(model), np.full(len(cut.ends), skin))[cut.faces[:, 0]]
    shells: list[_Shell] = []
    for surface in SURFACES:
        own = np.isin(parts, [model.part_names.index(name) for name in surface.parts])
        source, texel, corners = joined_corners(cut.faces[own], cut.uv_faces[own])
        shells.append(
            _Shell(
                surface,
                source,
                from_upper_left(uv[texel]),
                corners.astype(np.uint16),
                tuple(
                    SparseOffsets.of(in_metres(each[source]), LEAST_OFFSET_MM * METRES_PER_MM)
                    for each in offsets
                ),
                tuple(SparseOffsets.of(each[source], LEAST_TURN) for each in turns),
            )
        )
    return tuple(shells)


@lru_cache(maxsize=2)
def _lash_shells(model: MorphableModel) -> tuple[_Shell, ...]:
    """The lashes, if the model's lids are known; their normals stay."""
    lashes = lashes_of(model)
    if lashes is None:
        return ()
    count = len(lashes.offsets)
    least = LEAST_OFFSET_MM * METRES_PER_MM
    moves = tuple(SparseOffsets.of(in_metres(each), least) for each in lashes.moves)
    still = SparseOffsets.of(np.zeros((count, 3), np.float32), least)
    nowhere = np.zeros((0, 2), np.float32)
    return (_Shell(LASHES, np.arange(count), nowhere, lashes.faces, moves, (still,) * len(moves)),)


@lru_cache(maxsize=2)
def _cut(model: MorphableModel, extent: str) -> Cut:
    """The triangles that files have."""
    faces, uv_faces = simplified_faces(model, _bends(model)[1])
    if extent == "head":
        return Cut.nowhere(faces, uv_faces)
    return cut_above(faces, uv_faces, face_height(model))


def _bends(
    model: MorphableModel,
) -> tuple[Float[np.ndarray, "e w 3"], Float[np.ndarray, "k w 3"]]:
    """Offsets of the expressions, and the mean head at rest and in each of them."""
    offsets = model.subdivide(np.moveaxis(model.shape.expression, 2, 0))
    mean = model.subdivide(model.shape.mean)
    return offsets, np.concatenate([mean[None], mean + offsets])


def _seen(model: MorphableModel) -> Bool[np.ndarray, "w"]:
    """Vertices of the face and of all parts but the skin."""
    apart = decoded_parts(model) != model.part_names.index("skin")
    known = [name for name in VISIBLE if name in model.regions]
    if not known:
        return np.ones(len(apart), dtype=bool)
    return apart | ((model.region(*known) > IN_REGION) & ~inside_mouth(model))


def _primitive(
    buffer: GltfBuffer,
    shell: _Shell,
    vertices: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
) -> Any:
    from pygltflib import Attributes, Primitive

    count = len(vertices)
    positions = buffer.add_sparse(shell.positions, count, bounded=True)
    turns = buffer.add_sparse(shell.normals, count, bounded=False)
    return Primitive(
        attributes=Attributes(
            POSITION=buffer.add(in_metres(vertices), "bounded"),
            NORMAL=buffer.add(normals, "vertices"),
            TEXCOORD_0=buffer.add(shell.uv, "vertices") if len(shell.uv) else None,
        ),
        indices=buffer.add(shell.faces.reshape(-1), "indices"),
        material=[*ROUGHNESS, LASHES.material].index(shell.surface.material),
        targets=[
            Attributes(POSITION=position, NORMAL=turn)
            for position, turn in zip(positions, turns, strict=True)
        ],
    )


def _materials(picture: Any) -> list[Any]:
    """The skin's has two sides, for it is open at the neck; so have lashes, which are strips."""
    from pygltflib import Material, PbrMetallicRoughness

    shared = [
        Material(
            name=name,
            doubleSided=name == SKIN,
            pbrMetallicRoughness=PbrMetallicRoughness(
                metallicFactor=0.0, roughnessFactor=roughness, baseColorTexture=picture
            ),
        )
        for name, roughness in ROUGHNESS.items()
    ]
    lashes = PbrMetallicRoughness(
        metallicFactor=0.0, roughnessFactor=LASH_ROUGHNESS, baseColorFactor=list(LASH_COLOR)
    )
    return [
        *shared,
        Material(name=LASHES.material, doubleSided=True, pbrMetallicRoughness=lashes),
    ]


def _joints(
    model: MorphableModel, vertices: Float[np.ndarray, "w 3"]
) -> dict[str, Float[np.ndarray, "3"]]:
    """Points that parts turn about, mm: middle of the neck's rim, model origin, eyes' centres."""
    left, right = model.eye_centres(vertices)
    rim = vertices[model.topology.border_vertices & (vertices[:, 1] < 0.0)]
    neck = rim.mean(axis=0) if len(rim) else np.zeros(3)
    return {"Neck": neck, "Head": np.zeros(3), "LeftEye": left, "RightEye": right}


def _add_nodes(
    gltf: Any,
    name: str,
    joints: dict[str, Float[np.ndarray, "3"]],
    surfaces: tuple[Surface, ...],
) -> None:
    """The root holds the neck, it the head, it the eyes; meshes hang from their joints."""
    from pygltflib import Node, Scene

    above = {"Neck": "", "Head": "Neck", "LeftEye": "Head", "RightEye": "Head"}
    above |= {surface.name: surface.joint for surface in surfaces}
    order = ["", *above]
    for node in order:
        children = [order.index(child) for child, parent in above.items() if parent == node]
        gltf.nodes.append(Node(name=node or name, children=children))
    for joint, place in joints.items():
        parent = joints.get(above[joint], np.zeros(3))
        gltf.nodes[order.index(joint)].translation = in_metres(place - parent).tolist()
    for mesh, surface in enumerate(surfaces):
        gltf.nodes[order.index(surface.name)].mesh = mesh
    gltf.scenes = [Scene(name=name, nodes=[0])]
    gltf.scene = 0
