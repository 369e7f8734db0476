"""Pictures of an evaluation on MICC Florence: a frame of a setting, and the face in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import MlanetError
from mlanet.evaluation.florence.layout import EVERY, FlorenceSubject, frames_of, setting_name
from mlanet.evaluation.florence.report import by_setting
from mlanet.evaluation.florence.scoring import FlorenceResult
from mlanet.evaluation.reporting import PictureGrid, PictureRow
from mlanet.evaluation.reporting.face_tiles import (
    FACE_COLUMNS,
    TILE_PX,
    TURN_DEG,
    drawn_by_lot,
    face_tiles,
    grey_tile,
)
from mlanet.evaluation.surfaces.face_shape import START_POINTS, FaceShape
from mlanet.evaluation.surfaces.mesh_folder import MeshFolder
from mlanet.geometry import Camera, Mesh, Pose, fit_similarity, matrix_from_euler
from mlanet.image import crop_square, square_from_landmarks
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor
from mlanet.render import composite, render_mesh

NUM_SUBJECTS = 3
"""Of each setting, so many subjects with the largest distances are drawn, and so many by lot."""

COLUMNS = ("frame", *FACE_COLUMNS)
"""Of reconstructions."""

MESH_COLUMNS = ("frame", "shape", "other view")
"""Of other methods' meshes, whose cameras are not known."""

DISTANCE_MM, HALF_MM = 1000.0, 130.0
"""Meshes are drawn from this distance; so much is seen on each side of the landmarks' middle."""


@dataclass(frozen=True, slots=True, eq=False)
class FlorencePictures:
    """Draws the frame in the middle of those in which there is a face.

    The reconstructor finds the face; it is drawn unless there are `meshes` of another method, whose
    files `setting_name` names. Of `every` so many frames one is looked at.
    """

    reconstructor: Reconstructor
    subjects: Sequence[FlorenceSubject]
    every: int = EVERY
    meshes: MeshFolder | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What the pictures of a row show."""
        return COLUMNS if self.meshes is None else MESH_COLUMNS

    def grids(self, every: Sequence[FlorenceResult]) -> tuple[PictureGrid, ...]:
        """For each setting the subjects with the largest distances, and some drawn by lot."""
        grids: list[PictureGrid] = []
        for setting, results in by_setting(every).items():
            worst = sorted(results, key=lambda one: -one.figures.point_to_plane_mean_mm)[
                :NUM_SUBJECTS
            ]
            lot = drawn_by_lot((one.subject for one in results), NUM_SUBJECTS)
            rows = {
                one.subject: self.row(one) for one in results if one in worst or one.subject in lot
            }
            largest = tuple(rows[one.subject] for one in worst)
            drawn = tuple(rows[name] for name in lot)
            grids += [
                PictureGrid(f"{setting}: largest distances", self.columns, largest, self._note),
                PictureGrid(f"{setting}: drawn by lot", self.columns, drawn, self._note),
            ]
        return tuple(grids)

    def row(self, result: FlorenceResult) -> PictureRow:
        """The pictures of a subject in a setting; grey if no face can be shown."""
        subject = next(one for one in self.subjects if one.name == result.subject)
        videos = subject.videos.get(result.setting, ())
        count = result.faces
        if count is None:
            count = sum(1 for _ in self._faces(videos))
        face = next(islice(self._faces(videos), count // 2, None), None)
        tiles = [grey_tile()] * len(self.columns)
        if face is not None:
            square = square_from_landmarks(face.landmarks_px)
            tiles[0] = crop_square(face.image, square, TILE_PX).image
            if self.meshes is None:
                tiles[1:] = face_tiles(face, square)
        if self.meshes is not None:
            shape = self.meshes.face(setting_name(subject, result.setting))
            typical = np.asarray(self.reconstructor.model.landmarks.mean, dtype=np.float64)
            tiles[1:] = [draw_shape(shape, typical, yaw) for yaw in (0.0, TURN_DEG)]
        lines = [result.subject, result.setting, f"{result.figures.point_to_plane_mean_mm:.2f} mm"]
        if result.frames is not None:
            lines.append(f"face in {result.faces} of {result.frames} frames")
        return PictureRow("\n".join(lines), tuple(tiles))

    @property
    def _note(self) -> str:
        if self.meshes is not None:
            return "The mesh that is compared, turned to the front by its landmarks."
        return (
            "One frame and its own reconstruction, expression included. What is compared is the"
            " mean of the identities of all frames, at rest."
        )

    def _faces(self, videos: Sequence[Path]) -> Iterator[Reconstruction]:
        for video in videos:
            try:
                for frame in frames_of(video, self.every):
                    yield from self.reconstructor(frame, max_faces=1)
            except MlanetError:  # the evaluation has named it
                continue


def draw_shape(
    shape: FaceShape, typical: Float[np.ndarray, "68 3"], yaw_deg: float
) -> UInt8[np.ndarray, "t t 3"]:
    """A face of any unit and place as clay, seen from the front or turned.

    It is brought to the `typical` landmarks (mm, model frame) of any face, then turned about the
    vertical axis.
    """
    motion = fit_similarity(shape.starts, typical[list(shape.numbers)])
    surface = shape.surface
    middle = typical[list(START_POINTS)].mean(axis=0)
    vertices = (motion.apply(surface.vertices) - middle).astype(np.float32)
    rotation = np.asarray(matrix_from_euler(np.radians([0.0, yaw_deg, 0.0])))
    pose = Pose(rotation, np.array([0.0, 0.0, DISTANCE_MM]))
    camera = Camera(DISTANCE_MM * TILE_PX / 2.0 / HALF_MM, (TILE_PX / 2.0, TILE_PX / 2.0))
    drawn = render_mesh(
        Mesh(vertices, surface.topology.faces.astype(np.int32)), pose, camera, (TILE_PX, TILE_PX)
    )
    return composite(drawn, grey_tile())
