"""Fields of the scanned skin carried to our base mesh by one linear solution.

What is decoded is the subdivided mesh. So base values are chosen for which *its* values come
nearest to the scanned ones; where the two skins are apart (deep nostrils, the back of the mouth's
bag), values continue smoothly instead.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from face_model.registration import JAW, Correspondence, laplacian
from face_model.scanned import SKIN, ScannedHead
from face_model.skin import Skin
from face_model.subdivision import Subdivision
from mlanet.geometry import MeshTopology

NEAR_MM = 0.8
"""Farther from the scanned skin, decoded vertices know nothing of it."""

SMOOTHNESS = 2e-3


class Carrier:
    """Solves for base values, symmetric as their sign says."""

    def __init__(
        self,
        skin: Skin,
        scanned: ScannedHead,
        subdivision: Subdivision,
        correspondence: Correspondence,
    ) -> None:
        self._skin, self._scanned = skin, scanned
        self._subdivision, self._correspondence = subdivision, correspondence
        weight = (correspondence.distance < NEAR_MM).astype(float)
        self._weight = np.minimum(weight, weight[subdivision.mirror])
        matrix = subdivision.matrix
        self._right = (matrix.T @ sparse.diags(self._weight)).tocsr()
        smooth = laplacian(MeshTopology(skin.faces, len(skin.vertices)))
        left = self._right @ matrix + SMOOTHNESS * (smooth @ smooth)
        self._solver = splu((left + 1e-9 * sparse.identity(left.shape[0])).tocsc())

    def offsets(self, field: np.ndarray) -> np.ndarray:
        """Base values (v, c) of displacements (n, c) of the scanned vertices."""
        values = self._correspondence.carry(field[:SKIN].astype(np.float64), self._scanned)
        return self._solver.solve(self._right @ values)

    def mean(self) -> np.ndarray:
        """The base mesh (v, 3) on the scanned mean, from its registered parted pose."""
        start = self._correspondence.parted - JAW * self.offsets(
            self._scanned.expression["jawOpen"]
        )
        wanted = self._correspondence.carry(self._scanned.mean[:SKIN], self._scanned)
        rest = self._solver.solve(self._right @ (wanted - self._subdivision.matrix @ start))
        place = start + rest
        return (place + self.mirrored(place)) / 2

    def mirrored(self, field: np.ndarray) -> np.ndarray:
        """The mirror image of a field (v, 3)."""
        return field[self._skin.mirror] * [-1, 1, 1]
