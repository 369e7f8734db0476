"""What `mlanet synthesize` writes beside its samples: what their coefficients are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError
from mlanet.files import check_regular, parsing, read_json
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.training.labels import Labels, check_model
from mlanet.training.photos import Photos

FILE = "dataset.json"

_PROFILE = re.compile(r"(.*)-(\d{7})-\d+\.[a-z]+")
"""Name of a turned face: name and number of the face it was made of, then the step."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is written about a folder's samples.

    Attributes:
        path: of the file.
        face_model: name of the model whose coefficients they have.
        sizes: of the blocks identity, expression and albedo.
        known: blocks that are known.
        albedo: which albedo the heads wear.
        made_of: folder of the photos that the faces were turned out of; empty for heads.
    """

    path: Path
    face_model: str
    sizes: dict[str, int]
    known: frozenset[str]
    albedo: str
    made_of: str

    @classmethod
    def read(cls, folder: Path) -> "Description":
        """The description of a folder's samples.

        Raises:
            DataError: it is missing or malformed.
        """
        path = folder / FILE
        trouble = "a file that says what the coefficients are"
        check_regular(path, DataError, missing=trouble)
        found: Any = read_json(path, DataError, what=trouble)
        with parsing(path, "does not say what the coefficients are", DataError):
            blocks = ("identity", "expression", "albedo")
            data = found.get("data") if found["kind"] == "profiles" else None
            return cls(
                path=path,
                face_model=str(found["face_model"]),
                sizes={name: int(found["layout"][name]) for name in blocks},
                known=frozenset(str(name) for name in found["known"]),
                albedo=str(found["albedo"]),
                made_of=str(data or ""),
            )

    def labels(self, coefficients: Float[np.ndarray, "n c"], model: MorphableModel) -> Labels:
        """The samples' coefficients in the model's order.

        Raises:
            DataError: they are another face model's, or of another layout.
        """
        check_model(self.path, self.face_model, model)
        layout, theirs = model.layout, self.sizes["albedo"]
        same = all(self.sizes[name] == layout.sizes[name] for name in ("identity", "expression"))
        if not same or coefficients.shape[1] != layout.size - layout.albedo + theirs:
            raise DataError(f"{self.path}: coefficients of another layout than {layout}")
        cut = layout.slices["albedo"]
        before, colors, after = np.split(coefficients, [cut.start, cut.start + theirs], axis=1)
        named = set(self.known)
        if self.albedo not in ("open", "photo"):
            named.discard("albedo")
        if "albedo" not in named:
            colors = np.zeros((len(coefficients), layout.albedo))
        elif self.albedo == "photo":
            colors = self._carried(colors, model)
        elif theirs != layout.albedo:
            raise DataError(f"{self.path}: {theirs} albedo coefficients instead of {layout.albedo}")
        known = np.zeros(layout.size, bool)
        for name in named & layout.slices.keys():
            known[layout.slices[name]] = True
        mine = np.concatenate([before, colors, after], axis=1).astype(np.float32)
        return Labels(mine, known, np.ones(len(mine), bool))

    def photos(self, names: Sequence[str]) -> Photos | None:
        """The photos that faces were turned out of; None of heads."""
        if not self.made_of:
            return None
        found = [_PROFILE.fullmatch(name) for name in names]
        stems = [
            match[1] if match else name.rsplit(".", 1)[0]
            for match, name in zip(found, names, strict=True)
        ]
        rows = [int(match[2]) if match else -1 for match in found]
        return Photos.of(self.made_of, stems, np.array(rows))

    def _carried(
        self, coefficients: Float[np.ndarray, "n a"], model: MorphableModel
    ) -> Float[np.ndarray, "n b"]:
        """Coefficients of the photographic albedo as nearest ones of the face model's own."""
        try:
            return AlbedoModel.load().carried(coefficients, model)
        except ValueError as error:
            raise DataError(f"{self.path}: {error}") from error
