"""The file lists on which 3DDFA and its successors are trained.

Zhu et al., "Face Alignment in Full Pose Range: A 3D Total Solution", TPAMI 2017; Guo et al.,
"Towards Fast, Accurate and Stable 3D Dense Face Alignment", ECCV 2020. A text file names pictures
of 120 x 120 pixels; the row of an array beside it holds the 62 numbers of each, whitened: twelve
of a 3 x 4 matrix (pixels per micrometre times the rotation; translation), 40 of shape, 10 of
expression. Further columns (SynergyNet's texture) are left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.datasets.dataset import Sample, SkippedSamples, all_broken
from mlanet.datasets.parameters import MICROMETRES_PER_MM, Placement
from mlanet.errors import DataError
from mlanet.files import check_regular, parsing, read_text
from mlanet.files.numpyfiles import read_npy
from mlanet.files.pickles import as_array, load_pickle
from mlanet.geometry import euler_from_matrix, viewer_from_camera
from mlanet.image import read_image

NUM_POSE, NUM_SHAPE, NUM_EXPRESSION = 12, 40, 10
NUM_PARAMETERS = NUM_POSE + NUM_SHAPE + NUM_EXPRESSION

LISTS = {
    "train": ("train_aug_120x120.list.train", ("param_all_norm.pkl", "param_all_norm_v201.pkl")),
    "val": ("train_aug_120x120.list.val", ("param_all_norm_val.pkl",)),
}
"""File lists and parameters of a split by the names in which they are distributed."""

MAX_BYTES = 8 * 1024**3
"""What the parameters of all pictures may take in memory."""

CONFIGS = ("train.configs", "3dmm_data")
PICTURES = "train_aug_120x120"

WHITENING = {
    "param_whitening.pkl": ("param_mean", "param_std"),
    "param_mean_std_62d_120x120.pkl": ("mean", "std"),
}
"""Files of mean and standard deviation of the parameters, and what these are called in them."""

BASIS = ("u_shp.npy", "u_exp.npy", "w_shp_sim.npy", "w_exp_sim.npy", "keypoints_sim.npy")
"""Mean and modes of Basel 2009 (micrometres; x, y, z of vertices) and rows of the landmarks."""


@dataclass(frozen=True, slots=True, eq=False)
class ThreeDDFAParameters:
    """The numbers of one face without their whitening, in our conventions.

    Attributes:
        placement: rotation, scale in pixels per millimetre and place of Basel's origin.
        shape: coefficients of Basel 2009's first modes in 3DDFA's units.
        expression: coefficients of FaceWarehouse's first modes, likewise.
    """

    placement: Placement
    shape: Float[np.ndarray, "40"]
    expression: Float[np.ndarray, "10"]

    @classmethod
    def of_vector(cls, vector: Float[np.ndarray, "62"], height: int) -> "ThreeDDFAParameters":
        """From 62 numbers without whitening, for a picture of `height` pixels.

        The rotation is the first two rows' directions and their cross product, the scale their
        mean length (3DDFA's own reading); the third row says the same again.

        Raises:
            DataError: the matrix is no scaled rotation.
        """
        matrix = vector[:NUM_POSE].reshape(3, 4)
        lengths = np.linalg.norm(matrix[:2, :3], axis=1)
        if not (lengths > 0.0).all():
            raise DataError("its pose has no scale")
        right, up = matrix[:2, :3] / lengths[:, None]
        if abs(float(right @ up)) > 0.05:
            raise DataError("its pose is no scaled rotation")
        up = up - (right @ up) * right  # exact orthogonality was lost in single precision
        up /= np.linalg.norm(up)
        rotation = viewer_from_camera(np.stack([right, up, np.cross(right, up)]))
        place = Placement.from_source(rotation, float(lengths.mean()), matrix[:, 3], height)
        return cls(place, vector[NUM_POSE : NUM_POSE + NUM_SHAPE], vector[NUM_POSE + NUM_SHAPE :])


class ThreeDDFALists:
    """Pictures of a file list with 3DDFA's parameters.

    Args:
        filelist: Text file: a path below `pictures` in each line.
        parameters: `.npy`, or a pickle of one array: whitened parameters (n, 62 or more).
        pictures: The folder of the pictures.
        configs: The folder of `param_whitening.pkl` (or 3DDFA_V2's file of mean and deviation);
            where the files named in `BASIS` lie there, too, samples have landmarks. By default
            the folder of `parameters`.

    Attributes:
        names: Lines of the list.
        vectors: (n, 62) float32, parameters without whitening.
        skipped: Rows that are not finite, and samples that `read_samples` found broken.

    Raises:
        DataError: a file is missing, malformed or hostile, the numbers of lines and rows differ, or
            nothing is usable.
    """

    names: tuple[str, ...]
    vectors: Float[np.ndarray, "n 62"]
    skipped: SkippedSamples

    def __init__(
        self, filelist: Path, parameters: Path, pictures: Path, configs: Path | None = None
    ) -> None:
        configs = parameters.parent if configs is None else configs
        lines = _lines(filelist)
        whitened = _array(_content(parameters), f"{parameters}", 2)
        if whitened.shape[1] < NUM_PARAMETERS or len(whitened) != len(lines):
            raise DataError(
                f"{parameters}: its shape is {whitened.shape}, not ({len(lines)},"
                f" {NUM_PARAMETERS} or more) for {filelist.name}"
            )
        mean, deviation = _whitening(configs)
        with np.errstate(all="ignore"):
            vectors = whitened[:, :NUM_PARAMETERS].astype(np.float32) * deviation + mean
        self.skipped = SkippedSamples()
        finite = np.asarray(np.isfinite(vectors).all(axis=1))
        for row in np.flatnonzero(~finite):
            self.skipped.add(lines[row], f"{lines[row]}: its parameters are not finite")
        self.names = tuple(line for line, good in zip(lines, finite, strict=True) if good)
        self.vectors = vectors[finite]
        if not self.names:
            raise all_broken(filelist, self.skipped)
        self._pictures = pictures
        self._basis = _Basis.load(configs) if (configs / BASIS[0]).exists() else None

    @classmethod
    def open(cls, root: Path, split: str = "train") -> "ThreeDDFALists":
        """The folder as it is distributed: `train.configs` beside `train_aug_120x120`.

        Raises:
            DataError: as the constructor; also for a split other than train and val.
        """
        if split not in LISTS:
            raise DataError(f"{root}: 3DDFA has the splits {', '.join(LISTS)}, not {split!r}")
        filelist, candidates = LISTS[split]
        configs = next((root / name for name in CONFIGS if (root / name / filelist).exists()), None)
        if configs is None:
            raise DataError(f"{root}: holds neither {' nor '.join(CONFIGS)} with {filelist}")
        parameters = next((p for name in candidates if (p := configs / name).exists()), None)
        if parameters is None:
            raise DataError(f"{configs}: {' or '.join(candidates)} is missing")
        return cls(configs / filelist, parameters, root / PICTURES, configs)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        name = self.names[index]
        path = self._pictures / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DataError(f"{name}: leads out of the folder of pictures {self._pictures}")
        image = read_image(path, upright=False)
        parameters = self.parameters(index, image.shape[0])
        rotation = parameters.placement.rotation
        return Sample(
            name=name,
            image=image,
            landmarks_px=None if self._basis is None else self._basis.landmarks_px(parameters),
            rotation=rotation,
            angles_deg=np.degrees(euler_from_matrix(rotation)),
        )

    def parameters(self, index: int, height: int = 120) -> ThreeDDFAParameters:
        """The numbers of a sample, whose picture is `height` pixels high.

        Raises:
            DataError: its matrix is no scaled rotation.
        """
        try:
            return ThreeDDFAParameters.of_vector(self.vectors[index].astype(np.float64), height)
        except DataError as error:
            raise DataError(f"{self.names[index]}: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class _Basis:
    """Mean and modes of the 68 landmarks, mm."""

    mean: Float[np.ndarray, "204"]
    shape: Float[np.ndarray, "204 40"]
    expression: Float[np.ndarray, "204 10"]

    @classmethod
    def load(cls, folder: Path) -> "_Basis":
        u_shape, u_expression, w_shape, w_expression, rows = (_npy(folder / name) for name in BASIS)
        rows = rows.reshape(-1)
        with parsing(folder, f"{', '.join(BASIS)} do not fit", DataError):
            if len(rows) != 3 * 68:
                raise ValueError(f"{len(rows)} rows of landmarks")
            rows = rows.astype(np.int64)
            mean = u_shape.reshape(-1)[rows] + u_expression.reshape(-1)[rows]
            basis = cls(
                mean / MICROMETRES_PER_MM,
                w_shape[rows, :NUM_SHAPE] / MICROMETRES_PER_MM,
                w_expression[rows, :NUM_EXPRESSION] / MICROMETRES_PER_MM,
            )
            if basis.shape.shape[1] != NUM_SHAPE or basis.expression.shape[1] != NUM_EXPRESSION:
                raise ValueError("too few modes")
            return basis

    def landmarks_px(self, parameters: ThreeDDFAParameters) -> Float[np.ndarray, "68 3"]:
        points = self.mean + self.shape @ parameters.shape + self.expression @ parameters.expression
        return parameters.placement.project(points.reshape(68, 3))


def _lines(path: Path) -> list[str]:
    lines = read_text(path, DataError, missing="list of files").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _whitening(configs: Path) -> tuple[Float[np.ndarray, "62"], Float[np.ndarray, "62"]]:
    """Mean and standard deviation of the parameters."""
    for name, keys in WHITENING.items():
        path = configs / name
        if not path.exists():
            continue
        content = _content(path)
        if not isinstance(content, dict) or not set(keys) <= content.keys():
            raise DataError(f"{path}: {' and '.join(keys)} are missing")
        moments = [_array(content[key], f"{path}: {key}", 1)[:NUM_PARAMETERS] for key in keys]
        for key, values in zip(keys, moments, strict=True):
            if len(values) != NUM_PARAMETERS or not np.isfinite(values).all():
                raise DataError(f"{path}: {key} must be {NUM_PARAMETERS} finite numbers")
        return moments[0].astype(np.float32), moments[1].astype(np.float32)
    raise DataError(f"{configs}: {' or '.join(WHITENING)} is missing")


def _content(path: Path) -> Any:
    """An array of a `.npy` file, or whatever a pickle holds."""
    if path.suffix == ".npy":
        return _npy(path)
    check_regular(path, DataError, MAX_BYTES)
    with parsing(path, "cannot be read", DataError), path.open("rb") as file:
        return load_pickle(file, str(path), DataError)


def _npy(path: Path) -> np.ndarray:
    return read_npy(path, DataError, "no readable .npy file", max_bytes=MAX_BYTES)


def _array(value: Any, what: str, axes: int) -> Float[np.ndarray, "..."]:
    """The numbers of a NumPy array or of a pickle's stand-in for one."""
    with parsing(what, "holds no array of numbers", DataError):
        array = value if isinstance(value, np.ndarray) else as_array(value)
    if array.dtype.kind not in "fiu":
        raise DataError(f"{what}: holds no numbers")
    if axes == 1:
        array = array.reshape(-1)
    if array.ndim != axes:
        raise DataError(f"{what}: its shape is {array.shape}")
    return array
