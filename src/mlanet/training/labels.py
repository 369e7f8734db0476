"""Coefficients and the pictures that they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from mlanet.datasets.archive import load_arrays, positions_of
from mlanet.errors import DataError
from mlanet.files import printable
from mlanet.files.numpyfiles import read_npz
from mlanet.morphable import MorphableModel


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Coefficients of the `n` pictures of a data set.

    Attributes:
        coefficients: in the camera of `boxes_px`; zero where not known.
        known: which of a picture's coefficients are known.
        accepted: pictures that have them; of the others nothing is known.
        boxes_px: squares: left, top, right, bottom; None for whole pictures.
        landmarks_px: points that are learnt instead of the data set's own, the jaw's fixed on the
            surface; None where the labels have none.
        used: pictures that may be trained with; None for all.
        telling: pictures with expressions that are seldom seen; None where nobody looked.
    """

    coefficients: Float[np.ndarray, "n c"]
    known: Bool[np.ndarray, "c"]
    accepted: Bool[np.ndarray, "n"]
    boxes_px: Float[np.ndarray, "n 4"] | None = None
    landmarks_px: Float[np.ndarray, "n 68 2"] | None = None
    used: Bool[np.ndarray, "n"] | None = None
    telling: Bool[np.ndarray, "n"] | None = None

    @classmethod
    def read(
        cls, path: Path, names: Sequence[str], folder: str, model: MorphableModel, *, every: bool
    ) -> "Labels":
        """What `mlanet label` wrote of pictures, by their names.

        It may lack some unless `every` one must be there.

        Args:
            path: what `mlanet label` wrote.
            names: of the pictures.
            folder: what messages call their data set.
            model: the face model of the coefficients.
            every: whether each picture must have labels.

        Raises:
            DataError: the file is missing, malformed, or of other pictures or another face model.
        """
        layout = model.layout
        blocks = {"identity": layout.identity, "expression": layout.expression}
        blocks |= {"rotation": layout.num_rotation, "translation": 3}
        wanted: dict[str, tuple[int | None, ...]] = {name: (n,) for name, n in blocks.items()}
        found = load_arrays(path, {"name": (), "box_px": (4,), "accepted": ()})
        noted = read_npz(path, DataError, "not a readable npz file", names=("face_model",))
        check_model(path, str(noted.get("face_model", "?")), model)
        optional = {"landmarks_px": (68, 2), "used": (), "telling": ()}
        found |= load_arrays(path, {"name": (), **wanted}, optional)
        others = f"{path}: labels of other pictures than those of {folder}"
        theirs = found["name"].tolist()
        mine = list(names)
        if not every:
            both = set(mine) & set(theirs)
            mine = [name for name in mine if name in both]
            theirs = [name if name in both else "" for name in theirs]
        try:
            rows = positions_of(mine, theirs, "here")
        except DataError as error:
            raise DataError(f"{others} ({error})") from error
        if not rows:
            raise DataError(others)
        present = set(mine)
        places = [place for place, name in enumerate(names) if name in present]
        coefficients = np.zeros((len(names), layout.size), np.float32)
        known, accepted = np.zeros(layout.size, bool), np.zeros(len(names), bool)
        boxes = np.zeros((len(names), 4))
        for name in blocks:
            coefficients[places, layout.slices[name]] = found[name][rows]
            known[layout.slices[name]] = True
        accepted[places] = found["accepted"][rows].astype(bool)
        boxes[places] = found["box_px"][rows]

        def among(name: str) -> np.ndarray | None:
            if name not in found:
                return None
            values = np.zeros((len(names), *found[name].shape[1:]), found[name].dtype)
            values[places] = found[name][rows]
            return values

        points, used, telling = among("landmarks_px"), among("used"), among("telling")
        if points is not None and used is None:
            raise DataError(f"{path}: the array 'used' is missing beside 'landmarks_px'")
        return cls(
            coefficients,
            known,
            accepted,
            boxes,
            points,
            None if used is None else used.astype(bool),
            None if telling is None else telling.astype(bool),
        )

    def square_px(self, index: int) -> tuple[float, float, float] | None:
        """Left, top and side of the square whose camera the coefficients are in."""
        if self.boxes_px is None:
            return None
        left, top, right, _ = (float(value) for value in self.boxes_px[index])
        return left, top, right - left


def check_model(path: Path, name: str, model: MorphableModel) -> None:
    """See that coefficients are those of the face model.

    Raises:
        DataError: they are another one's.
    """
    if name != model.name:
        raise DataError(
            f"{path}: coefficients of the face model {printable(name)}, not of {model.name}"
        )
