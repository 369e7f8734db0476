"""What MediaPipe's Face Landmarker said of the pictures of a data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.datasets.archive import load_arrays
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
    def load(cls, path: Path, rows: Int[np.ndarray, "n"] | None = None) -> "Teacher":
        """Answers of an npz file: `found`, `points` (n, k, 2) and `blendshapes` by pictures.

        Beside them lie `index` (which points of the face mesh the k are), `unit_px` (pixels in one
        of `points`) and `blendshape_names`.

        Args:
            path: the file.
            rows: of the pictures that are wanted; all without.

        Raises:
            DataError: the file or an array is missing or malformed, or a point is not there.
        """
        shapes = {"found": (), "points": (None, 2), "blendshapes": (None,)}
        answers = load_arrays(path, shapes, finite=False)
        wanted = slice(None) if rows is None else rows
        names = ("index", "unit_px", "blendshape_names")
        about = read_npz(path, DataError, "not a readable npz file", names=names)
        if missing := [name for name in names if name not in about]:
            raise DataError(f"{path}: the array {missing[0]!r} is missing")
        places = {int(point): place for place, point in enumerate(about["index"])}
        lids = [point for side in LIDS.values() for part in side for point in part]
        if lacking := set(JAW + INNER).union(lids) - set(places):
            raise DataError(f"{path}: lacks the points {sorted(lacking)}")
        points = answers["points"][wanted] * float(about["unit_px"])
        scores = np.nan_to_num(answers["blendshapes"][wanted].astype(np.float64))
        return cls(
            found=answers["found"][wanted],
            landmarks_px=points[:, [places[point] for point in JAW + INNER]],
            lid_opening={
                side: _opening(*(points[:, [places[k] for k in part]] for part in parts))
                for side, parts in LIDS.items()
            },
            blend_shapes=dict(zip(about["blendshape_names"].tolist(), scores.T, strict=True)),
        )


def _opening(
    upper: Float[np.ndarray, "n 3 2"],
    lower: Float[np.ndarray, "n 3 2"],
    corners: Float[np.ndarray, "n 2 2"],
) -> Float[np.ndarray, "n"]:
    gap = np.linalg.norm(upper - lower, axis=-1).mean(axis=1)
    width = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=-1)
    return gap / np.maximum(width, 1e-3)
