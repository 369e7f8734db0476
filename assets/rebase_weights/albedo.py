"""The albedo of one face model in the modes of another."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import MeshTopology, SurfaceIndex, fit_similarity
from mlanet.morphable import MorphableModel
from rebase_weights.graph import Affine

INNER = slice(17, None)
"""The 68 landmarks without the jaw."""

RIDGE = 0.01
"""Prior of the new modes, in units of sRGB's range over a standard deviation."""


def albedo_change(before: MorphableModel, after: MorphableModel) -> Affine:
    """The albedo of the new model that is nearest to one of the old model, on the skin.

    Meshes may differ: colours are compared where the old mesh, its mean face laid onto the new
    one by their landmarks, is nearest.
    """
    weight = after.regions["face"] * (1 - np.maximum(after.regions["eyes"], after.regions["mouth"]))
    root = np.sqrt(weight / weight.sum())
    mean, modes = _carried(before, after)
    basis = _weighted(after.albedo_basis, root)
    difference = (mean - after.albedo_mean)[..., None]
    targets = np.concatenate([_weighted(modes, root), _weighted(difference, root)], axis=1)
    normal = basis.T @ basis + RIDGE**2 * np.eye(basis.shape[1])
    found = np.linalg.solve(normal, basis.T @ targets)
    left = np.linalg.norm(targets - basis @ found) / np.linalg.norm(targets)
    print(f"albedo: {100 * left**2:.1f} % of the variance is not kept")
    return Affine(found[:, :-1], found[:, -1])


def _carried(
    before: MorphableModel, after: MorphableModel
) -> tuple[Float[np.ndarray, "v 3"], Float[np.ndarray, "v 3 a"]]:
    """Mean and modes of the old albedo at the new vertices."""
    motion = fit_similarity(
        before.landmarks.mean[INNER].astype(float), after.landmarks.mean[INNER].astype(float)
    )
    topology = MeshTopology(before.base_faces, before.num_base_vertices)
    nearest = SurfaceIndex(motion.apply(before.shape.mean), topology).query(after.shape.mean)
    corners, share = before.base_faces[nearest.face_index], nearest.barycentric
    return (
        np.einsum("vk,vkc->vc", share, before.albedo_mean[corners]),
        np.einsum("vk,vkca->vca", share, before.albedo_basis[corners]),
    )


def _weighted(
    values: Float[np.ndarray, "v 3 a"], root: Float[np.ndarray, "v"]
) -> Float[np.ndarray, "w a"]:
    return (root[:, None, None] * values).reshape(-1, values.shape[-1]).astype(np.float64)
