"""The Basel Face Models of 2017 and 2019: HDF5 in statismo's layout.

Gerig et al., "Morphable face models: an open framework", FG 2018. Needs the `models` extra.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from mlanet.errors import AssetError, ConfigurationError
from mlanet.extras import install_command
from mlanet.morphable.archive import MAX_BYTES, checked_size
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
    try:
        with h5py.File(path, "r") as file:
            parts = _parts(file, path)
    except KeyError as error:
        raise AssetError(
            f"{path}: not a Basel Face Model of 2017 or 2019: it lacks {error.args[0]};"
            f" they are obtained from {OBTAINED}"
        ) from error
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise AssetError(f"{path}: a damaged Basel Face Model ({reason})") from error
    except (OSError, RuntimeError) as error:
        raise AssetError(f"{path}: a damaged or truncated HDF5 file; see {OBTAINED}") from error
    return assemble(parts, path, landmarks)


def _parts(file: Any, path: Path) -> Parts:
    mean, identity = _linear(file, "shape", path)
    expression_mean, expression = _linear(file, "expression", path)
    albedo_mean, albedo = _linear(file, "color", path) if "color" in file else (None, None)
    if albedo_mean is not None and albedo is not None and albedo_mean.max(initial=0.0) > 2.0:
        albedo_mean, albedo = albedo_mean / 255.0, albedo / 255.0
    cells = _read(file, "shape/representer/cells", path)
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
        landmarks=_landmarks(file, mean, path),
    )


def _linear(
    file: Any, name: str, path: Path
) -> tuple[Float[np.ndarray, "v 3"], Float[np.ndarray, "v 3 k"]]:
    """Mean and modes of one of the three models, modes of unit standard deviation."""
    mean, basis, variance = (
        _read(file, f"{name}/model/{part}", path) for part in ("mean", "pcaBasis", "pcaVariance")
    )
    deviations = np.sqrt(np.maximum(variance.reshape(-1), 0.0))
    modes = scaled(basis, deviations, f"{name}/model/pcaBasis")
    mean = interleaved(mean.reshape(-1), f"{name}/model/mean")
    return mean, interleaved(modes, f"{name}/model/pcaBasis")


def _read(file: Any, name: str, path: Path) -> Shaped[np.ndarray, "..."]:
    """A data set of this very file, read after its size is known."""
    import h5py

    here = ""
    for part in name.split("/"):
        here = f"{here}/{part}"
        link = file.get(here, getlink=True)
        if link is None:
            raise KeyError(name)
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):  # a soft one may lead to the other
            raise AssetError(f"{path}: {name} lies in another file or place, which is not read")
    data = file[name]
    if not isinstance(data, h5py.Dataset):
        raise KeyError(name)
    if data.is_virtual or data.external:
        raise AssetError(f"{path}: {name} lies in another file, which is not read")
    checked_size(path, int(data.size or 0) * data.dtype.itemsize, MAX_BYTES)
    return np.asarray(data[()])


def _landmarks(file: Any, mean: Float[np.ndarray, "v 3"], path: Path) -> dict[int, int]:
    """The vertices nearest to the file's named points, as far as iBUG has them."""
    if "metadata/landmarks/json" not in file:
        return {}
    text = _text(_read(file, "metadata/landmarks/json", path))
    found: dict[int, int] = {}
    for name, point in _named_points(json.loads(text)):
        if name in IBUG_NUMBER:
            apart = np.linalg.norm(mean - np.asarray(point, dtype=np.float64), axis=1)
            found[IBUG_NUMBER[name]] = int(apart.argmin())
    return found


def _text(data: Shaped[np.ndarray, "..."]) -> str:
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
