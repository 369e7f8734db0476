"""Heads before a camera: what pictures of a face are drawn from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.geometry import Camera, MeshTopology, Pose, points_on_surface
from mlanet.morphable import MorphableModel
from mlanet.render.attributes import viewer_normals
from mlanet.render.checks import check_vertices
from mlanet.render.rasterize import rasterize
from mlanet.render.rules import NEAR_DEPTH_MM

SIGHT_SIZE = 512
"""Side in pixels of the depth map that tells hidden points from visible ones."""

SIGHT_RADIUS_PX = 3
"""A hidden point counts as visible if the map shows its depth this near to it: at outlines."""

SIGHT_TOLERANCE_MM = 4.0
"""A point this far behind the nearest surface still counts as visible."""


@dataclass(frozen=True, slots=True, eq=False)
class UnbuiltHead:
    """A head before a camera whose mesh is made when it is asked for, and not kept.

    A photo's faces know each other as these: a crowd costs no more memory for it.

    Attributes:
        model: the face model.
        identity: coefficients of the shape.
        expression: coefficients of the expression.
        pose: model to camera.
        camera: in pixels of the picture.
    """

    model: MorphableModel
    identity: Float[np.ndarray, "i"]
    expression: Float[np.ndarray, "e"]
    pose: Pose
    camera: Camera

    def build(self) -> "PosedHead":
        """The head with its mesh."""
        vertices = self.model.vertices(self.identity, self.expression)
        return PosedHead(self.model, vertices, self.pose, self.camera)

    @property
    def mm_per_px(self) -> float:
        """Millimetres that a pixel spans at the depth of the model's origin."""
        return mm_per_px(self.pose, self.camera)


@dataclass(frozen=True, eq=False)
class PosedHead:
    """A face model's mesh where a picture shows it.

    Attributes:
        model: gives triangles, texture coordinates, regions and landmarks.
        vertices: of the model's subdivided mesh, model frame, mm.
        pose: model to camera.
        camera: in pixels of the picture; each head of a picture may have its own.
        faces: triangles, if others than the model's are drawn: with those of parts beside the head,
            whose vertices follow the model's.
    """

    model: MorphableModel
    vertices: Float[np.ndarray, "v 3"]
    pose: Pose
    camera: Camera
    faces: Int[np.ndarray, "f 3"] | None = None

    def with_hair(self, offsets: Float[np.ndarray, "v 3"]) -> "PosedHead":
        """The head with its vertices moved by `hair_offsets`."""
        return replace(self, vertices=self.vertices + offsets)

    @cached_property
    def topology(self) -> MeshTopology:
        """Of all triangles that are drawn."""
        if self.faces is None:
            return self.model.topology
        return MeshTopology(self.faces, len(self.vertices))

    @cached_property
    def points(self) -> Float[np.ndarray, "v 3"]:
        """Vertices in the camera frame, mm."""
        return self.pose.apply(np.asarray(self.vertices, dtype=np.float64))

    @cached_property
    def projected(self) -> Float[np.ndarray, "v 3"]:
        """Vertices as x, y in pixels and depth in mm; not finite at the camera's centre."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.camera.project(self.points)

    @cached_property
    def normals(self) -> Float[np.ndarray, "v 3"]:
        """Unit normals of the vertices in the viewer's frame."""
        return viewer_normals(self.points, self.topology)

    @cached_property
    def landmarks(self) -> Float[np.ndarray, "68 3"]:
        """The 68 landmarks as x, y in pixels and depth in mm; NaN behind the camera."""
        model = self.model
        points = points_on_surface(
            self.points, model.base_faces, model.landmark_faces, model.landmark_barycentric
        )
        points[points[:, 2] <= NEAR_DEPTH_MM] = np.nan
        return self.camera.project(points)

    @property
    def mm_per_px(self) -> float:
        """Millimetres that a pixel spans at the depth of the model's origin."""
        return mm_per_px(self.pose, self.camera)

    def visible_landmarks(self) -> Bool[np.ndarray, "68"]:
        """Which landmarks no other part of the mesh hides, inside the picture or outside.

        By a depth map of the head alone, whose size does not depend on that of the picture. Of a
        head that reaches behind the camera, none.

        Raises:
            RenderError: a vertex is not finite.
        """
        import cv2

        check_vertices(self.projected)
        if self.points[:, 2].min() <= NEAR_DEPTH_MM:
            return np.zeros(len(self.landmarks), dtype=bool)
        low = self.projected[:, :2].min(axis=0)
        side = float(np.ptp(self.projected[:, :2], axis=0).max())
        scale = SIGHT_SIZE / max(side, 1e-6)
        map_from_image = np.array([scale, scale, 1.0])
        origin = np.array([*low, 0.0])
        depth = rasterize(
            (self.projected - origin) * map_from_image,
            self.model.topology.faces,
            (SIGHT_SIZE, SIGHT_SIZE),
        ).depth
        depth[depth == 0] = np.float32(np.finfo(np.float32).max)
        place = (self.landmarks - origin) * map_from_image
        column, row = np.clip(place[:, :2], 0, SIGHT_SIZE - 1).astype(int).T
        around = np.ones((2 * SIGHT_RADIUS_PX + 1,) * 2, dtype=np.uint8)
        nearest = np.asarray(cv2.dilate(depth, around))[row, column]
        return place[:, 2] <= nearest + SIGHT_TOLERANCE_MM


def mm_per_px(pose: Pose, camera: Camera) -> float:
    """Millimetres that a pixel spans at the depth of a model's origin: larger is farther."""
    return float(pose.translation[2]) / camera.focal_length_px


def far_to_near(heads: Iterable[PosedHead]) -> list[PosedHead]:
    """Heads in the order in which they cover each other, the farthest first.

    The cameras of a picture's heads differ in their focal lengths, so that depths in mm do not
    compare; heads are of nearly one size, so that millimetres in a pixel do.
    """
    return sorted(heads, key=lambda head: -head.mm_per_px)
