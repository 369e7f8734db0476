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

SEVEN_POINTS = (36, 39, 42, 45, 33, 48, 54)
"""NoW's seven landmarks in iBUG's numbers: outer and inner corner of the right eye, inner and outer
corner of the left eye, base of the nose, right and left corner of the mouth."""

NOSE_TIP, OUTER_EYES = 30, (36, 45)
"""Landmarks (iBUG 68)."""

NO_FACE = ("eyes", "mouth", "ears", "neck", "scalp")
"""Regions that are not compared: what lies behind lids and lips, and what surrounds the face."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceShape:
    """A face of any topology that is compared with scans; any unit, any right-handed frame.

    Attributes:
        surface: what is compared.
        landmarks: iBUG's 68 on it, or the seven of `SEVEN_POINTS`.
    """

    surface: Surface
    landmarks: Float[np.ndarray, "n 3"]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers (iBUG) of `starts`: `START_POINTS`, or `SEVEN_POINTS` if there are no more."""
        return SEVEN_POINTS if len(self.landmarks) == len(SEVEN_POINTS) else START_POINTS

    @property
    def starts(self) -> Float[np.ndarray, "k 3"]:
        """Points by which alignment starts."""
        seven = len(self.landmarks) == len(SEVEN_POINTS)
        return self.landmarks if seven else self.landmarks[list(START_POINTS)]

    def distance(
        self,
        scan: Surface,
        scan_points: Float[np.ndarray, "9 3"],
        nose_tip: Float[np.ndarray, "3"] | None = None,
    ) -> SurfaceDistance:
        """Point-to-plane distances to a scan (mm).

        Args:
            scan: mm.
            scan_points: its `START_POINTS`.
            nose_tip: middle of the crop; without it, the start point of that name.

        Raises:
            ValueError: see `surface_distance`.
        """
        start = fit_similarity(
            self.starts, scan_points[[START_POINTS.index(number) for number in self.numbers]]
        )
        tip = scan_points[START_POINTS.index(NOSE_TIP)] if nose_tip is None else nose_tip
        return surface_distance(self.surface, scan, tip, start)


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

    def distance(
        self,
        scan: Surface,
        scan_points: Float[np.ndarray, "9 3"],
        identity: Float[np.ndarray, "i"] | None = None,
        expression: Float[np.ndarray, "e"] | None = None,
    ) -> SurfaceDistance:
        """`FaceShape.distance` of `face`.

        Raises:
            ValueError: see `surface_distance`.
        """
        return self.face(identity, expression).distance(scan, scan_points)
