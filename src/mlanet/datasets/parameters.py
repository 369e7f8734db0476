"""The `.mat` files of 300W-LP and AFLW2000-3D, and 3DDFA's pose in our conventions.

Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016. Lengths of the face
are micrometres of Basel 2009 in these files, and y points up in a picture of height h as
`y_up = h + 1 - y`: with it, `pt3d_68` of AFLW2000-3D follows from pose and coefficients to 1e-5
pixels. The data sets' own x and y are taken as continuous with (0, 0) at the corner, as the
protocols do, which leaves half a pixel open (they count the first pixel's centre as 1).
"""

import io
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError
from mlanet.files.matfiles import decompressed_size
from mlanet.geometry import matrix_from_euler

MICROMETRES_PER_MM = 1000.0

_KEYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "Pose_Para": ("pose", (7,)),
    "Shape_Para": ("shape", (199,)),
    "Exp_Para": ("expression", (29,)),
    "Tex_Para": ("texture", (199,)),
    "Color_Para": ("color", (7,)),
    "Illum_Para": ("illumination", (10,)),
    "roi": ("roi_px", (4,)),
    "pt2d": ("points_px", (2, -1)),
    "pt3d_68": ("landmarks_px", (3, 68)),
}
"""Variables of a `.mat` file: our name and the shape, but for axes of one."""

MAX_BYTES = 64 * 1024**2
"""What a file may take in memory; those of the data sets take less than a hundredth."""

NEEDED = ("Pose_Para", "Shape_Para", "Exp_Para")


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A scaled orthographic pose: where points of the model's frame appear in a picture.

    Attributes:
        rotation: model to camera (docs/conventions.md).
        scale: pixels per millimetre.
        origin_px: x, y of the model's origin (Basel's own) in the picture and its nearness.
    """

    rotation: Float[np.ndarray, "3 3"]
    scale: float
    origin_px: Float[np.ndarray, "3"]

    def project(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """x, y in pixels and z in the same scale, larger is nearer the viewer."""
        camera = points_mm @ self.rotation.T
        return self.scale * camera * np.array([1.0, 1.0, -1.0]) + self.origin_px

    @classmethod
    def from_source(
        cls,
        rotation: Float[np.ndarray, "3 3"],
        scale: float,
        translation: Float[np.ndarray, "3"],
        height: int,
    ) -> "Placement":
        """From pixels per micrometre and a translation with y up in a picture of `height`."""
        x, y, z = (float(value) for value in translation)
        return cls(rotation, scale * MICROMETRES_PER_MM, np.array([x, height + 1.0 - y, z]))


@dataclass(frozen=True, slots=True, eq=False)
class FaceParameters:
    """Content of one `.mat` file in double precision; None is "not in the file".

    Attributes:
        pose: pitch, yaw, roll in radians, translation in pixels (y up), pixels per micrometre;
            `placement` has them in our conventions.
        shape: coefficients of Basel 2009 in 3DDFA's units (`MorphableModel.standardized`).
        expression: coefficients of FaceWarehouse's modes, likewise.
        landmarks_px: the 68 landmarks on the fitted surface (AFLW2000-3D only): x, y, and z in
            the same scale, larger is nearer the viewer.
        texture: coefficients of Basel 2009's colours.
        color: gains and offsets of red, green, blue, and the contrast.
        illumination: of Phong's model: ambient and directed light (RGB each), its direction (2),
            strength and exponent of the gloss.
        roi_px: left, top, right, bottom of the picture in the photo that it was cut from.
        points_px: x, y of AFLW's 21 or iBUG's 68 hand-marked points; NaN where not visible.
    """

    pose: Float[np.ndarray, "7"]
    shape: Float[np.ndarray, "199"]
    expression: Float[np.ndarray, "29"]
    landmarks_px: Float[np.ndarray, "68 3"] | None = None
    texture: Float[np.ndarray, "199"] | None = None
    color: Float[np.ndarray, "7"] | None = None
    illumination: Float[np.ndarray, "10"] | None = None
    roi_px: Float[np.ndarray, "4"] | None = None
    points_px: Float[np.ndarray, "k 2"] | None = None

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """Model to camera."""
        return matrix_from_euler(self.pose[:3])

    @property
    def angles_deg(self) -> Float[np.ndarray, "3"]:
        """Pitch, yaw, roll."""
        return np.degrees(self.pose[:3])

    def placement(self, height: int) -> Placement:
        """Where the model's points appear in the picture, which is `height` pixels high."""
        return Placement.from_source(self.rotation, float(self.pose[6]), self.pose[3:6], height)


Parameters = TypeVar("Parameters", bound=FaceParameters)


def read_parameters(
    data: bytes,
    source: str,
    needed: tuple[str, ...] = NEEDED,
    kind: type[Parameters] = FaceParameters,
) -> Parameters:
    """The parameters in the bytes of a `.mat` file; numbers of any type become float64.

    Args:
        data: the file's content.
        source: what messages call it.
        needed: variables that must be there.
        kind: class of the result.

    Raises:
        DataError: the file is damaged, a needed variable is missing, or one is malformed.
    """
    arrays = read_variables(data, source, {key: shape for key, (_, shape) in _KEYS.items()}, needed)
    found = {_KEYS[key][0]: array for key, array in arrays.items()}
    if "points_px" in found:
        points = found["points_px"].T.copy()
        points[(points == -1.0).any(axis=1)] = np.nan
        found["points_px"] = points
    if "landmarks_px" in found:
        found["landmarks_px"] = np.ascontiguousarray(found["landmarks_px"].T)
    if found.get("pose", np.ones(7))[6] <= 0.0:
        raise DataError(f"{source}: the scale in Pose_Para is not positive")
    return kind(**found)


def read_variables(
    data: bytes, source: str, shapes: dict[str, tuple[int, ...]], needed: tuple[str, ...]
) -> dict[str, Float[np.ndarray, "..."]]:
    """Numeric variables of a `.mat` file as float64 of the given shapes (-1: any length).

    A variable of one axis may lie there as a row or as a column.

    Raises:
        DataError: the file is damaged, a needed variable is missing, or one is malformed.
    """
    from scipy.io import loadmat

    try:
        version_4 = 0 in data[:4]  # which knows no compression
        size = len(data) if version_4 else decompressed_size(io.BytesIO(data), len(data), MAX_BYTES)
        if size > MAX_BYTES:
            raise ValueError(f"it decompresses to more than {MAX_BYTES // 2**20} MiB")
        content = loadmat(io.BytesIO(data), variable_names=list(shapes))
    except Exception as error:  # on damaged files scipy raises almost anything
        raise DataError(f"{source} is no readable .mat file ({_line(error)})") from error
    arrays: dict[str, np.ndarray] = {}
    for key, shape in shapes.items():
        if key not in content:
            if key in needed:
                raise DataError(f"{source}: {key} is missing")
            continue
        array = content[key]
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise DataError(f"{source}: {key} is malformed: no real numbers")
        array = array.ravel() if len(shape) == 1 else array
        fits = array.ndim == len(shape) and all(
            want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits:
            raise DataError(f"{source}: {key} is malformed: its shape is {content[key].shape}")
        arrays[key] = array.astype(np.float64)
        if not np.isfinite(arrays[key]).all():
            raise DataError(f"{source}: {key} is not finite")
    return arrays


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
