"""The Basel Face Models of 2017 and 2019: HDF5 in statismo's layout.

Gerig et al., "Morphable face models: an open framework", FG 2018. Needs the `models` extra.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.errors import AssetError, ConfigurationError
from mlanet.extras import install_command
from mlanet.files import check_regular, json_value, parsing
from mlanet.files.hdf5 import Hdf5Reader
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import sha256_of
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.readers.assemble import Parts, assemble, interleaved, scaled

OBTAINED = "https://faces.dmi.unibas.ch/bfm/"

IBUG_NUMBER = {
    "center.chin.tip": 8,
    "center.nose.tip": 30,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "center.lips.upper.outer": 51,
    "left.lips.corner": 54,
    "center.lips.lower.outer": 57,
    "center.lips.upper.inner": 62,
    "center.lips.lower.inner": 66,
}
"""Named landmarks of the files that are points of iBUG; left and right are the subject's."""


def read_basel_h5(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """A Basel Face Model of 2017 or 2019; millimetres in the file, colours in [0, 1].

    The expression model's mean is part of the mean.

    Raises:
        AssetError: the file is truncated or no such model.
        ConfigurationError: h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigurationError(f"HDF5 models need: {install_command('models')}") from error
    size = check_regular(path, AssetError, missing="face model")
    damaged = f"a damaged Basel Face Model of 2017 or 2019; see {OBTAINED}"
    with parsing(path, damaged, AssetError), h5py.File(path, "r") as file:
        parts = _parts(Hdf5Reader(file, size), path)
    return assemble(parts, path, landmarks)


def _parts(file: Hdf5Reader, path: Path) -> Parts:
    mean, identity = _linear(file, "shape")
    expression_mean, expression = _linear(file, "expression")
    albedo_mean, albedo = _linear(file, "color") if "color" in file else (None, None)
    if albedo_mean is not None and albedo is not None and albedo_mean.max(initial=0.0) > 2.0:
        albedo_mean, albedo = albedo_mean / 255.0, albedo / 255.0
    cells = file.read("shape/representer/cells")
    return Parts(
        name="Basel Face Model 2017/2019",
        millimetres=1.0,
        mean=mean + expression_mean,
        identity=identity,
        expression=expression,
        faces=(cells.T if cells.shape[0] == 3 else cells).astype(np.int64),
        provenance=Provenance(
            "basel 2017/2019",
            "Basel Face Model licence: signed form, non-commercial research; not to be passed on",
            OBTAINED,
            sha256_of(path),
        ),
        albedo_mean=albedo_mean,
        albedo=albedo,
        landmarks=_landmarks(file, mean),
    )


def _linear(
    file: Hdf5Reader, name: str
) -> tuple[Float[np.ndarray, "v 3"], Float[np.ndarray, "v 3 k"]]:
    """Mean and modes of one of the three models, modes of unit standard deviation."""
    mean, basis, variance = (
        file.read(f"{name}/model/{part}") for part in ("mean", "pcaBasis", "pcaVariance")
    )
    deviations = np.sqrt(np.maximum(variance.reshape(-1), 0.0))
    modes = scaled(basis, deviations, f"{name}/model/pcaBasis")
    mean = interleaved(mean.reshape(-1), f"{name}/model/mean")
    return mean, interleaved(modes, f"{name}/model/pcaBasis")


def _landmarks(file: Hdf5Reader, mean: Float[np.ndarray, "v 3"]) -> dict[int, int]:
    """The vertices nearest to the file's named points, as far as iBUG has them."""
    if "metadata/landmarks/json" not in file:
        return {}
    text = _text(file.read("metadata/landmarks/json"))
    found: dict[int, int] = {}
    for name, point in _named_points(json_value(text)):
        if name in IBUG_NUMBER:
            apart = np.linalg.norm(mean - np.asarray(point, dtype=np.float64), axis=1)
            found[IBUG_NUMBER[name]] = int(apart.argmin())
    return found


def _text(data: np.ndarray) -> str:
    value = data[()] if data.ndim == 0 else data
    if isinstance(value, str):
        return value
    content = value if isinstance(value, bytes) else np.asarray(value).tobytes()
    return content.rstrip(b"\0").decode("utf-8")


def _named_points(content: Any) -> list[tuple[str, Any]]:
    """Scalismo's list of objects, or an object of points by name."""
    if isinstance(content, dict):
        return list(content.items())
    return [(entry["id"], entry["coordinates"]) for entry in content]
