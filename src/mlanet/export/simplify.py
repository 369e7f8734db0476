"""The decoded mesh with fewer triangles where it is nearly flat."""

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.morphable import MorphableModel

TOLERANCE_MM = 0.6
"""Distance from its edge below which the vertex that subdivision put there is left out."""

CONTACT_TOLERANCE_MM = 0.1
"""The same where surfaces meet: lids, lips, and all parts but the skin."""

CONTACTS = ("eyes", "lips")

VISIBLE = ("face", "eyes", "lips")

IN_REGION = 0.3
"""Least value of a region's soft mask that counts as inside."""

CUTS = (
    ((0, 3, 5),),
    ((0, 1, 5), (1, 3, 5)),
    ((0, 3, 4), (0, 4, 5)),
    ((0, 1, 4), (0, 4, 5), (1, 3, 4)),
    ((0, 3, 2), (3, 5, 2)),
    ((0, 1, 2), (1, 3, 5), (1, 5, 2)),
    ((0, 3, 2), (3, 4, 2), (4, 5, 2)),
    ((0, 1, 2), (1, 3, 4), (2, 4, 5), (1, 4, 2)),
)
"""Triangles over a, ab, ca, b, bc, c of a base triangle; the number's bits tell which of ab (1),
bc (2), ca (4) are kept."""


def simplified_faces(
    model: MorphableModel, bends: Float[np.ndarray, "k w 3"]
) -> tuple[Int[np.ndarray, "g 3"], Int[np.ndarray, "g 3"]]:
    """Triangles of decoded vertices and of texture coordinates, without those hardly needed.

    All base vertices stay. A vertex at an edge's middle goes if in none of the shapes it is
    farther from the edge than the tolerance, or if it is inside the mouth. Both neighbours of an
    edge keep its vertex or neither, so the mesh has no gaps.

    Args:
        model: with texture coordinates and parts.
        bends: decoded vertices in the shapes that matter, mm.
    """
    faces, uv_faces = model.topology.faces, model.uv_faces
    if not model.subdivided:
        return faces, uv_faces
    corners, uv_corners = _six_corners(faces), _six_corners(uv_faces)
    kept = _kept(model, bends)
    _, ab, ca, _, bc, _ = corners.T
    cases = kept[ab] + 2 * kept[bc] + 4 * kept[ca]
    cut, uv_cut = (
        np.concatenate(
            [six[cases == case][:, CUTS[case]].reshape(-1, 3) for case in range(len(CUTS))]
        )
        for six in (corners, uv_corners)
    )
    return cut, uv_cut


def inside_mouth(model: MorphableModel) -> Bool[np.ndarray, "w"]:
    """Vertices of the skin that closed lips hide."""
    if not {"mouth", *VISIBLE} <= set(model.regions):
        return np.zeros(model.topology.num_vertices, dtype=bool)
    return (
        (decoded_parts(model) == model.part_names.index("skin"))
        & (model.region("mouth") > 0.5)
        & (model.region("face") < 0.5)
        & (model.region("lips") < IN_REGION)
    )


def decoded_parts(model: MorphableModel) -> Int[np.ndarray, "w"]:
    """Number of each decoded vertex's part."""
    parts = model.vertex_parts
    if not model.subdivided:
        return parts
    return np.concatenate([parts, parts[model.midpoint_index[:, 0]]])


def _kept(model: MorphableModel, bends: Float[np.ndarray, "k w 3"]) -> Bool[np.ndarray, "w"]:
    """Which decoded vertices the mesh cannot do without."""
    count = model.num_base_vertices
    ends = model.midpoint_index[:, :2]
    off_edge = bends[:, count:] - (bends[:, ends[:, 0]] + bends[:, ends[:, 1]]) / 2.0
    farthest = np.sqrt((off_edge * off_edge).sum(axis=2).max(axis=0))
    contacts = [name for name in CONTACTS if name in model.regions]
    touching = decoded_parts(model)[count:] != model.part_names.index("skin")
    if contacts:
        touching |= model.region(*contacts)[count:] > IN_REGION
    least = np.where(touching, CONTACT_TOLERANCE_MM, TOLERANCE_MM)
    kept = np.ones(model.topology.num_vertices, dtype=bool)
    kept[count:] = (farthest > least) & ~inside_mouth(model)[count:]
    return kept


def _six_corners(faces: Int[np.ndarray, "g 3"]) -> Int[np.ndarray, "f 6"]:
    """a, ab, ca, b, bc, c of each base triangle, from `subdivide_faces`' order."""
    first, second, third, _ = faces.reshape(-1, 4, 3).transpose(1, 0, 2)
    return np.concatenate([first, second[:, 1:], third[:, 2:]], axis=1)
