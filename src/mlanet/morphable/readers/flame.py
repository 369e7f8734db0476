"""FLAME 2020 and 2023: a pickle with chumpy objects.

Li, Bolkart, Black, Li and Romero, "Learning a model of facial shape and expression from 4D
scans", SIGGRAPH Asia 2017. The linear part at rest is read; joints, pose correctives and skinning
weights are not, so that jaw, neck and eyes do not turn.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mlanet.errors import AssetError
from mlanet.files import check_regular, parsing
from mlanet.files.numpyfiles import MAX_BYTES
from mlanet.files.pickles import as_array, load_pickle
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import sha256_of
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.readers.assemble import Parts, assemble

OBTAINED = "https://flame.is.tue.mpg.de"
NUM_IDENTITY = 300
"""Shape directions of identity; those of expression follow (FLAME's own code)."""

NEEDED = ("v_template", "f", "shapedirs")


def read_flame(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """FLAME's linear model; metres in the file.

    Raises:
        AssetError: the pickle is truncated, hostile or no FLAME model.
    """
    check_regular(path, AssetError, MAX_BYTES, missing="face model")
    with parsing(path, "not a face model", AssetError), path.open("rb") as file:
        content: Any = load_pickle(file, f"{path}: not a face model", AssetError)
    if not isinstance(content, dict):
        raise AssetError(f"{path}: not a face model: the pickle holds no dictionary")
    missing = [name for name in NEEDED if name not in content]
    if missing:
        raise AssetError(
            f"{path}: not a FLAME model: it lacks {', '.join(missing)}; FLAME is obtained from"
            f" {OBTAINED}"
        )
    with parsing(path, f"a damaged FLAME model; see {OBTAINED}", AssetError):
        mean, faces, modes = (as_array(content[name]) for name in NEEDED)
        if mean.ndim != 2 or modes.ndim != 3 or modes.shape[:2] != mean.shape:
            raise ValueError(f"v_template is {mean.shape}, shapedirs {modes.shape}")
        if modes.shape[2] <= NUM_IDENTITY:
            raise ValueError(
                f"shapedirs has {modes.shape[2]} modes, expected more than {NUM_IDENTITY}"
            )
    parts = Parts(
        name="FLAME",
        millimetres=1000.0,
        mean=mean,
        identity=modes[..., :NUM_IDENTITY],
        expression=modes[..., NUM_IDENTITY:],
        faces=faces.astype(np.int64),
        provenance=Provenance(
            "flame",
            "the licence accepted at its source; not to be passed on without it",
            OBTAINED,
            sha256_of(path),
        ),
    )
    return assemble(parts, path, landmarks)
