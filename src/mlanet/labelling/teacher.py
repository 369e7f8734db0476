"""What MediaPipe's Face Landmarker said of the pictures of a data set.

Apache-2.0; Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile
GPUs", 2019. The format of its answers: docs/how-to/label.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.datasets.archive import load_arrays, positions_of
from mlanet.errors import DataError
from mlanet.files.numpyfiles import read_npz

JAW = (127, 93, 132, 58, 172, 136, 150, 149, 152, 378, 379, 365, 397, 288, 361, 323, 356)
"""The oval's points of MediaPipe's face mesh that lie where iBUG's 17 of the jaw do, roughly."""

INNER = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""The points of MediaPipe's face mesh that are iBUG's 18th to 68th."""

LIDS = {
    "Left": ((385, 386, 387), (380, 374, 373), (263, 362)),
    "Right": ((160, 159, 158), (144, 145, 153), (33, 133)),
}
"""Of the subject's eyes: points of the upper lid, those below them, and the corners."""


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """Answers for `n` pictures; those of pictures without a found face are meaningless.

    Attributes:
        found: whether a face was found.
        landmarks_px: iBUG's 68 points as far as the face mesh has them, x and y.
        lid_opening: distance of the lids over that of the eye's corners, by side.
        blend_shapes: scores in [0, 1] by ARKit's names; Left and Right are the subject's.
    """

    found: Bool[np.ndarray, "n"]
    landmarks_px: Float[np.ndarray, "n 68 2"]
    lid_opening: dict[str, Float[np.ndarray, "n"]]
    blend_shapes: dict[str, Float[np.ndarray, "n"]]

    @classmethod
    def load(cls, path: Path, names: Sequence[str]) -> "Teacher":
        """Answers for the pictures of these names; the file may have more.

        An npz file holds, by picture, `name`, `found`, `points` (m, k, 2) and `blendshapes` (m, s),
        and beside them `index` (k,), which points of the face mesh these are, `unit_px`, how many
        pixels one in `points` is, and `blendshape_names` (s,).

        Raises:
            DataError: the file or an array is missing or malformed, a picture or a point that is
                needed is not there.
        """
        shapes = {"name": (), "found": (), "points": (None, 2), "blendshapes": (None,)}
        answers = load_arrays(path, shapes, finite=False)
        wanted = set(names)
        theirs = [name if name in wanted else "" for name in answers["name"].tolist()]
        rows = positions_of(names, theirs, f"in {path}")
        keys = ("index", "unit_px", "blendshape_names")
        about = read_npz(path, DataError, "not a readable npz file", names=keys)
        if missing := [key for key in keys if key not in about]:
            raise DataError(f"{path}: the array {missing[0]!r} is missing")
        places = {int(point): place for place, point in enumerate(about["index"])}
        lids = [point for side in LIDS.values() for part in side for point in part]
        if lacking := set(JAW + INNER).union(lids) - set(places):
            raise DataError(f"{path}: lacks the points {sorted(lacking)}")
        sizes = (len(places), len(about["blendshape_names"]))
        if sizes != (answers["points"].shape[1], answers["blendshapes"].shape[1]):
            raise DataError(f"{path}: more or fewer points or scores than it names")
        points = answers["points"][rows] * float(about["unit_px"])
        scores = np.nan_to_num(answers["blendshapes"][rows].astype(np.float64))
        return cls(
            found=answers["found"][rows].astype(bool),
            landmarks_px=points[:, [places[point] for point in JAW + INNER]],
            lid_opening={
                side: _opening(*(points[:, [places[k] for k in part]] for part in parts))
                for side, parts in LIDS.items()
            },
            blend_shapes=dict(zip(about["blendshape_names"].tolist(), scores.T, strict=True)),
        )

    def only(self, rows: Int[np.ndarray, "k"]) -> "Teacher":
        """Answers for some of the pictures."""
        return Teacher(
            self.found[rows],
            self.landmarks_px[rows],
            {side: opening[rows] for side, opening in self.lid_opening.items()},
            {name: scores[rows] for name, scores in self.blend_shapes.items()},
        )

    @classmethod
    def silent(cls, count: int) -> "Teacher":
        """One that found no face in any of so many pictures."""
        opening = {side: np.ones(count) for side in LIDS}
        return cls(np.zeros(count, bool), np.zeros((count, 68, 2)), opening, {})


def _opening(
    upper: Float[np.ndarray, "n 3 2"],
    lower: Float[np.ndarray, "n 3 2"],
    corners: Float[np.ndarray, "n 2 2"],
) -> Float[np.ndarray, "n"]:
    gap = np.linalg.norm(upper - lower, axis=-1).mean(axis=1)
    width = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=-1)
    return gap / np.maximum(width, 1e-3)
