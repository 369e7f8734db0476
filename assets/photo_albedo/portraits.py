"""Portraits of the data and where a teacher's points place the face model in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlanet.datasets.archive import TarIndex
from mlanet.files import list_files
from mlanet.fitting import FittingConfig, LandmarkFit, OrthographicView, fit_landmarks
from mlanet.geometry import MeshTopology, SurfaceIndex
from mlanet.image import read_image
from mlanet.morphable import LinearShape, MorphableModel
from mlanet.render import rasterize

FITTING = FittingConfig(noise=0.003)
HELD_OUT_EVERY = 10
"""Every so many of a source's people are kept out of the albedo's data."""

# fmt: off
JAW = (127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356)
FEATURES = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 1, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)
"""MediaPipe's points nearest to the 68 landmarks."""

ANCHORED = (*range(36, 49), 54, *range(60, 68))
ANCHORS = tuple(FEATURES[k - len(JAW)] for k in ANCHORED)
"""Lids, corners of the mouth, inner edges of lips: their places on the model are the landmarks'
own, because a place that is seen beside may lie on the other lid or lip."""

OTHERS = (
    276, 283, 282, 295, 285, 300, 293, 334, 296, 336, 46, 53, 52, 65, 55, 70, 63, 105, 66, 107,
    168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327, 294, 278, 344, 440, 275, 45, 220, 115,
    48, 64, 50, 280, 101, 330, 205, 425, 117, 346, 118, 347, 123, 352, 187, 411, 207, 427, 216, 436,
    146, 91, 321, 375, 185, 40, 270, 409, 39, 37, 0, 267, 269, 405, 314, 17, 84, 181,
)
"""Points of smooth skin, whose places on the model are the means of where they are seen."""
# fmt: on

JAW_WEIGHT = 0.05
"""The teacher's oval is the visible outline, not a line of the surface."""

LOCATING_ROUNDS = 3
LOCATING_SCALE = 2.0
"""Grid points in a pixel when a point's triangle is looked for."""


@dataclass(frozen=True)
class Portraits:
    """Portraits of one source: names of the pictures, people, and the teacher's points.

    `points_px` (n, 478, 2), NaN where the teacher's file does not tell a point.
    """

    names: np.ndarray
    people: np.ndarray
    points_px: np.ndarray
    folder: Path

    @classmethod
    def read(cls, data: Path, source: str) -> "Portraits":
        """The portraits of `data/portraits` in which the teacher found a face."""
        with np.load(data / "portraits" / "labels.npz") as labels:
            of_source = labels["source"] == source
            names, people = labels["name"][of_source], labels["person"][of_source]
        with np.load(data / "teacher" / "portraits.npz") as teacher:
            row_of = {name: k for k, name in enumerate(teacher["name"].tolist())}
            rows = np.array([row_of[name] for name in names.tolist()])
            found = teacher["found"][rows]
            points = np.full((len(rows), 478, 2), np.nan)
            points[:, teacher["index"]] = teacher["points"][rows] * float(teacher["unit_px"])
        return cls(names[found], people[found], points[found], data / "portraits")

    def only(self, rows: np.ndarray) -> "Portraits":
        """Some of them."""
        return Portraits(self.names[rows], self.people[rows], self.points_px[rows], self.folder)

    @property
    def held_out(self) -> np.ndarray:
        """(n,) bool: pictures of people who are kept out."""
        order = {person: k for k, person in enumerate(sorted(set(self.people.tolist())))}
        return np.array([order[person] % HELD_OUT_EVERY == 0 for person in self.people.tolist()])

    @property
    def neutral(self) -> np.ndarray:
        """(n,) bool: the first picture of each person; the London set's second ones smile."""
        first = np.unique(self.people, return_index=True)[1]
        return np.isin(np.arange(len(self.people)), first)

    def images(self) -> Iterator[np.ndarray]:
        """The pictures, RGB."""
        tars = TarIndex(list_files(self.folder, (".tar",)))
        for position, name in zip(tars.match(self.names.tolist()), self.names, strict=True):
            yield read_image(tars.read(position), upright=False, name=str(name))


def fit_portraits(points: LinearShape, portraits: Portraits) -> LandmarkFit:
    """The model placed by `points`, which `located_points` found."""
    observed = portraits.points_px[:, (*JAW, *ANCHORS, *OTHERS)]
    return fit_landmarks(points, OrthographicView(), observed, jaw_counts_less(observed), FITTING)


def jaw_counts_less(observed_px: np.ndarray) -> np.ndarray:
    """Weights (n, p) of points that begin with the jaw's."""
    weight = np.ones(observed_px.shape[:2])
    weight[:, : len(JAW)] = JAW_WEIGHT
    return weight


def located_points(model: MorphableModel, portraits: Portraits) -> LinearShape:
    """Where the teacher's points lie on the face model, told from portraits with closed mouths.

    The order is jaw, anchors, others.

    In turns, the model is fitted, and each point of smooth skin moves to the mean place at which
    its neighbourhood on the surface is seen.
    """
    skin = model.vertex_parts == model.part_names.index("skin")
    skin &= model.regions["face"] > 0.0
    faces = model.base_faces[skin[model.base_faces].all(axis=1)]
    mean = model.shape.mean.astype(np.float64)
    surface = SurfaceIndex(mean, MeshTopology(faces, len(mean)))
    own = model.landmarks
    anchors = own.only(np.r_[: len(JAW), ANCHORED])
    first = portraits.points_px[:, (*JAW, *FEATURES)]
    fit = fit_landmarks(own, OrthographicView(), first, jaw_counts_less(first), FITTING)
    points, others = anchors, portraits.points_px[:, OTHERS]
    for _ in range(LOCATING_ROUNDS):
        places = [seen_places(model, faces, fit, k, wanted) for k, wanted in enumerate(others)]
        on_surface = surface.query(np.nanmean(places, axis=0))
        smooth = model.shape.at(faces[on_surface.face_index], on_surface.barycentric)
        points = joined(anchors, smooth)
        fit = fit_portraits(points, portraits)
    return points


def seen_places(
    model: MorphableModel, faces: np.ndarray, fit: LandmarkFit, k: int, points_px: np.ndarray
) -> np.ndarray:
    """(p, 3) places on the mean face that fit `k` shows at points; NaN beside its surface."""
    camera = model.shape(fit.identity[k], fit.expression[k]) @ fit.rotation[k].T
    position = np.exp(fit.place[k, 2]) * camera[:, :2] + fit.place[k, :2]
    low = points_px.min(axis=0)
    pixels = np.floor((points_px - low) * LOCATING_SCALE).astype(int)
    corners = np.column_stack([(position - low) * LOCATING_SCALE, camera[:, 2] + 1000.0])
    size = (int(pixels[:, 1].max()) + 1, int(pixels[:, 0].max()) + 1)
    seen = rasterize(corners, faces, size, cull_backfaces=True)
    face, share = (
        array[pixels[:, 1], pixels[:, 0]] for array in (seen.face_index, seen.barycentric)
    )
    places = (model.shape.mean[faces[face]] * share[..., None]).sum(axis=1)
    return np.where(face[:, None] >= 0, places, np.nan)


def joined(first: LinearShape, second: LinearShape) -> LinearShape:
    """The points of both."""
    return LinearShape(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])
            for name in ("mean", "identity", "expression")
        )
    )
