"""What a finished run leaves behind: `result.json` in its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError
from mlanet.experiments.measure import AFLW2000Errors
from mlanet.files import atomic_path, parsing, read_json

RESULT = "result.json"
FORMAT = "mlanet-ablation-1"


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """One measured run; configuration and code version of the training are in `config.json`.

    Attributes:
        row: name of the row.
        seed: of the run.
        parameters: of the network.
        labelled: labelled crops that it was trained with.
        unlabelled: unlabelled ones.
        images_per_s: median speed of the training.
        commit: version of the code that measured it, if known.
        held_out: error in per cent of each held-out face.
        aflw2000: errors on AFLW2000-3D, if they were measured.
        data: `LabelledFaces.fingerprints` of the faces; None in results of earlier versions.
        face_model: name of the face model whose coefficients it regresses; None likewise.
    """

    row: str
    seed: int
    parameters: int
    labelled: int
    unlabelled: int
    images_per_s: float
    commit: str | None
    held_out: Float[np.ndarray, "n"]
    aflw2000: AFLW2000Errors | None
    data: dict[str, str] | None = None
    face_model: str | None = None

    def save(self, folder: Path) -> Path:
        """Write `result.json` in one step."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "row": self.row,
            "seed": self.seed,
            "parameters": self.parameters,
            "labelled": self.labelled,
            "unlabelled": self.unlabelled,
            "images_per_s": round(self.images_per_s, 1),
            "commit": self.commit,
            "held_out": _listed(self.held_out),
            "aflw2000": None
            if self.aflw2000 is None
            else {
                "yaw_deg": _listed(self.aflw2000.yaw_deg),
                "errors": {name: _listed(v) for name, v in self.aflw2000.errors.items()},
            },
            "data": self.data,
            "face_model": self.face_model,
        }
        path = folder / RESULT
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: Path) -> "RunResult":
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or malformed.
        """
        path = folder / RESULT
        content: dict[str, Any] = read_json(path, DataError)
        with parsing(path, "not the result of an ablation's run", DataError):
            if content.pop("format") != FORMAT:
                raise DataError(f"{path}: not of the format {FORMAT}")
            found = content["aflw2000"]
            if found is not None:
                errors = {name: np.asarray(v, np.float64) for name, v in found["errors"].items()}
                content["aflw2000"] = AFLW2000Errors(np.asarray(found["yaw_deg"]), errors)
            content["held_out"] = np.asarray(content["held_out"], np.float64)
            return cls(**content)


def _listed(values: Float[np.ndarray, "n"]) -> list[float]:
    return [round(float(value), 5) for value in values]
