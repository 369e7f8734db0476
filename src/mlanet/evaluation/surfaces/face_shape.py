"""A reconstructed face against a scan: which part of it counts and where alignment starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import fit_similarity
from mlanet.metrics import Surface, SurfaceDistance, surface_distance
from mlanet.morphable import MorphableModel

START_POINTS = (8, 30, 33, 36, 39, 42, 45, 48, 54)
"""Landmarks by which alignment starts: chin, tip and base of the nose, corners of eyes, mouth."""

SEVEN_POINTS = (36, 39, 42, 45, 33, 48, 54)
"""NoW's seven landmarks in iBUG's numbers: outer and inner corner of the right eye, inner and outer
corner of the left eye, base of the nose, right and left corner of the mouth."""

NOSE_TIP, OUTER_EYES = 30, (36, 45)
"""Landmarks (iBUG 68)."""

NO_FACE = ("eyes", "mouth", "ears", "neck", "scalp")
"""Regions that are not compared: what lies behind lids and lips, and what surrounds the face."""


def outer_eye_distance(
    points: Float[np.ndarray, "n 3"], numbers: Sequence[int] = START_POINTS
) -> float:
    """Distance of the outer corners of the eyes, of points with these numbers (iBUG)."""
    right, left = (points[numbers.index(k)] for k in OUTER_EYES)
    return float(np.linalg.norm(left - right))


@dataclass(frozen=True, slots=True, eq=False)
class FaceShape:
    """A face of any topology that is compared with scans; any unit, any right-handed frame.

    Landmarks are iBUG's 68, or the seven of `SEVEN_POINTS`.
    """

    surface: Surface
    landmarks: Float[np.ndarray, "n 3"]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers (iBUG) of `starts`: `START_POINTS`, or `SEVEN_POINTS` if there are no more."""
        return START_POINTS if len(self.landmarks) == 68 else SEVEN_POINTS

    @property
    def starts(self) -> Float[np.ndarray, "k 3"]:
        """Points by which alignment starts."""
        return self.landmarks[list(START_POINTS)] if len(self.landmarks) == 68 else self.landmarks

    def distance(self, scan: Surface, scan_points: Float[np.ndarray, "9 3"]) -> SurfaceDistance:
        """Point-to-plane distances to a scan (mm).

        `scan_points` are its `START_POINTS`; the tip of the nose among them is the middle of the
        crop.

        Raises:
            ValueError: see `surface_distance`.
        """
        start = fit_similarity(
            self.starts, scan_points[[START_POINTS.index(number) for number in self.numbers]]
        )
        return surface_distance(
            self.surface, scan, scan_points[START_POINTS.index(NOSE_TIP)], start
        )


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

    def face(
        self,
        identity: Float[np.ndarray, "i"] | None = None,
        expression: Float[np.ndarray, "e"] | None = None,
    ) -> FaceShape:
        """A face in mm, model frame.

        Without coefficients, the mean face at rest.
        """
        layout = self.model.layout
        identity = np.zeros(layout.identity, np.float32) if identity is None else identity
        expression = np.zeros(layout.expression, np.float32) if expression is None else expression
        vertices = self.model.vertices(identity, expression)
        landmarks = np.asarray(self.model.landmarks(identity, expression), dtype=np.float64)
        return FaceShape(Surface(vertices, self.faces), landmarks)
