"""A reconstructed face against a scan: which part of it counts and where alignment starts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import fit_similarity
from mlanet.metrics import Surface, SurfaceDistance, surface_distance
from mlanet.morphable import MorphableModel

START_POINTS = (8, 30, 33, 36, 39, 42, 45, 48, 54)
"""Landmarks by which alignment starts: chin, tip and base of the nose, corners of eyes, mouth."""

NOSE_TIP, OUTER_EYES = 30, (36, 45)
"""Landmarks (iBUG 68)."""

NO_FACE = ("eyes", "mouth", "ears", "neck", "scalp")
"""Regions that are not compared: membranes that no scan has, and what surrounds the face."""


@dataclass(frozen=True, eq=False)
class FaceComparison:
    """Compares faces of one face model with scans."""

    model: MorphableModel

    @cached_property
    def faces(self) -> Int[np.ndarray, "f 3"]:
        """Triangles of the decoded mesh that are compared: the face without eyes and mouth."""
        inside = (self.model.region("face") > 0.5) & ~(self.model.region(*NO_FACE) > 0.5)
        faces = self.model.topology.faces
        return faces[inside[faces].all(axis=1)]

    def surface(
        self, identity: Float[np.ndarray, "i"], expression: Float[np.ndarray, "e"] | None = None
    ) -> Surface:
        """What is compared of a face (mm, model frame); without `expression` it is at rest."""
        return Surface(self.model.vertices(identity, self._rest(expression)), self.faces)

    def points(
        self, identity: Float[np.ndarray, "i"], expression: Float[np.ndarray, "e"] | None = None
    ) -> Float[np.ndarray, "9 3"]:
        """The face's `START_POINTS`, mm, model frame."""
        marks = self.model.landmarks(identity, self._rest(expression))
        return np.asarray(marks[list(START_POINTS)], dtype=np.float64)

    def distance(
        self,
        scan: Surface,
        scan_points: Float[np.ndarray, "9 3"],
        identity: Float[np.ndarray, "i"] | None = None,
        expression: Float[np.ndarray, "e"] | None = None,
        nose_tip: Float[np.ndarray, "3"] | None = None,
    ) -> SurfaceDistance:
        """Point-to-plane distances between a face and a scan (mm).

        Args:
            scan: mm.
            scan_points: its `START_POINTS`.
            identity: of the face; without it, the mean face.
            expression: of the face; without it, at rest.
            nose_tip: middle of the crop; without it, the start point of that name.

        Raises:
            ValueError: see `surface_distance`.
        """
        if identity is None:
            identity = np.zeros(self.model.layout.identity, dtype=np.float32)
        start = fit_similarity(self.points(identity, expression), scan_points)
        tip = scan_points[START_POINTS.index(NOSE_TIP)] if nose_tip is None else nose_tip
        return surface_distance(self.surface(identity, expression), scan, tip, start)

    def _rest(self, expression: Float[np.ndarray, "e"] | None) -> Float[np.ndarray, "e"]:
        count = self.model.layout.expression
        return np.zeros(count, dtype=np.float32) if expression is None else expression
