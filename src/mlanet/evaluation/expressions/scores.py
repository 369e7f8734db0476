"""Blend-shape scores of faces: a network's, a teacher's, or those that a head was rendered with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from mlanet.datasets.archive import load_arrays
from mlanet.errors import DataError
from mlanet.files.numpyfiles import read_npz

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
BLINK_DIFFERENCE = "eyeBlink, left minus right"
"""What tells a wink from two open or two closed eyes."""

GAZE = ("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown")

MAIN = (
    *BLINKS,
    BLINK_DIFFERENCE,
    "jawOpen",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthPucker",
    "browInnerUp",
    *(f"{name}{side}" for name in GAZE for side in ("Left", "Right")),
)
"""What the tables begin with. Left and right are the subject's."""

NEUTRAL = "_neutral"
"""MediaPipe's name for how little a face shows: no expression."""


@dataclass(frozen=True, eq=False)
class ExpressionScores:
    """Scores of `n` faces.

    Attributes:
        names: of the faces, each once.
        values: one column for each expression, about 0 to 1.
        expressions: names of the columns, ARKit's.
        found: faces that there are scores of; rows of others are not used.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "n e"]
    expressions: tuple[str, ...]
    found: Bool[np.ndarray, "n"]

    @classmethod
    def read(cls, path: Path) -> "ExpressionScores":
        """Read an npz file with `name`, `blendshapes`, `blendshape_names` and perhaps `found`.

        Raises:
            DataError: the file or an array is missing or malformed, a name occurs twice, a score
                of a face that was found is not finite, or one of `MAIN` is not among the names.
        """
        arrays = load_arrays(
            path, {"name": (), "blendshapes": (None,)}, {"found": ()}, finite=False
        )
        listed = read_npz(path, DataError, "not a readable npz file", names=("blendshape_names",))
        names = listed.get("blendshape_names", np.zeros(0)).reshape(-1)
        values = arrays["blendshapes"].astype(np.float64)
        if len(names) != values.shape[1]:
            count = values.shape[1]
            raise DataError(f"{path}: 'blendshape_names' must hold {count} names, got {len(names)}")
        found = arrays.get("found", np.ones(len(values), dtype=bool)).astype(bool)
        if not np.isfinite(values[found]).all():
            raise DataError(f"{path}: 'blendshapes' holds numbers that are not finite")
        scores = cls(
            tuple(str(name) for name in arrays["name"]),
            values,
            tuple(str(name) for name in names),
            found,
        )
        for what, held in (("name", scores.names), ("blendshape_names", scores.expressions)):
            if len(set(held)) != len(held):
                raise DataError(f"{path}: {what!r} holds a name twice")
        absent = [name for name in MAIN if name not in scores.quantities]
        if absent:
            raise DataError(f"{path}: 'blendshape_names' lacks {absent[0]}; ARKit's are expected")
        return scores

    @property
    def quantities(self) -> tuple[str, ...]:
        """What `values_of` knows: the expressions and, of both lids, their difference."""
        both = set(BLINKS) <= set(self.expressions)
        expressions = tuple(name for name in self.expressions if name != NEUTRAL)
        return (*expressions, BLINK_DIFFERENCE) if both else expressions

    def values_of(self, quantity: str) -> Float[np.ndarray, "n"]:
        """One of `quantities` for every face.

        Raises:
            ValueError: there is no such one.
        """
        if quantity == BLINK_DIFFERENCE:
            left, right = (self.values_of(name) for name in BLINKS)
            return left - right
        return self.values[:, self.expressions.index(quantity)]

    def of(self, names: Sequence[str], what: str) -> "ExpressionScores":
        """The scores of some faces, in their order.

        Messages call the scores `what`.

        Raises:
            DataError: there is no row for one of them, or none of them was found.
        """
        row_of = {name: row for row, name in enumerate(self.names)}
        absent = [name for name in names if name not in row_of]
        if absent:
            others = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            raise DataError(f"{what}: no row for {absent[0]}{others} of the {len(names)} pictures")
        chosen = self._rows([row_of[name] for name in names])
        if not chosen.found.any():
            raise DataError(f"{what}: none of the {len(names)} faces has scores ('found')")
        return chosen

    def only(self, kept: Bool[np.ndarray, "n"]) -> "ExpressionScores":
        """The scores of the faces that are kept."""
        return self._rows(np.flatnonzero(kept).tolist())

    def _rows(self, rows: Sequence[int]) -> "ExpressionScores":
        places = np.array(rows, dtype=np.int64)
        names = tuple(self.names[row] for row in rows)
        return replace(self, names=names, values=self.values[places], found=self.found[places])


def shared_quantities(scores: Iterable[ExpressionScores]) -> tuple[tuple[str, ...], ...]:
    """What all of them know: those of `MAIN`, and the others by name."""
    known = set.intersection(*(set(each.quantities) for each in scores))
    main = tuple(name for name in MAIN if name in known)
    return main, tuple(sorted(known - set(main)))
