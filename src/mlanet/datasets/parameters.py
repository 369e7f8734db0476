"""The `.mat` files of 300W-LP and AFLW2000-3D, and 3DDFA's pose in our conventions.

Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016. Lengths of the face
are micrometres of Basel 2009 in these files, and y points up in a picture of height h as
`y_up = h + 1 - y`: with it, `pt3d_68` of AFLW2000-3D follows from pose and coefficients to 1e-5
pixels. The data sets' own x and y are taken as continuous with (0, 0) at the corner, as the
protocols do, which leaves half a pixel open (they count the first pixel's centre as 1).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from mlanet.datasets.archive import fits
from mlanet.errors import DataError
from mlanet.files import parsing
from mlanet.files.matfiles import Unreadable, read_matrices
from mlanet.geometry import matrix_from_euler

MICROMETRES_PER_MM = 1000.0

_KEYS: dict[str, tuple[str, tuple[int | None, ...]]] = {
    "Pose_Para": ("pose", (7,)),
    "Shape_Para": ("shape", (199,)),
    "Exp_Para": ("expression", (29,)),
    "Tex_Para": ("texture", (199,)),
    "Color_Para": ("color", (7,)),
    "Illum_Para": ("illumination", (10,)),
    "roi": ("roi_px", (4,)),
    "pt2d": ("points_px", (2, None)),
    "pt3d_68": ("landmarks_px", (3, 68)),
}
"""Variables of a `.mat` file: our name and the shape, but for axes of one."""

MAX_BYTES = 64 * 1024**2
"""What a file may take in memory; those of the data sets take less than a hundredth."""

MAX_ANGLE_DEG = 360.0
"""A larger angle is a fit that went astray: of AFLW2000-3D, one face has 893 degrees."""

NEEDED = ("Pose_Para", "Shape_Para", "Exp_Para")


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A scaled orthographic pose: where points of the model's frame appear in a picture.

    Attributes:
        rotation: model to camera (docs/reference/conventions.md).
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
        malformed: variables that are there and cannot be used, each with the reason.
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
    malformed: tuple[str, ...] = ()

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """Model to camera."""
        return matrix_from_euler(self.pose[:3])

    @property
    def angles_deg(self) -> Float[np.ndarray, "3"]:
        """Pitch, yaw, roll."""
        return np.degrees(self.pose[:3])

    @property
    def pose_oddities(self) -> tuple[str, ...]:
        """What no fit of a face can be in the pose; empty if all is well."""
        oddities: list[str] = []
        if self.pose[6] <= 0.0:
            oddities.append(f"the scale in Pose_Para is {self.pose[6]:.3g}, which is not positive")
        if (largest := float(np.abs(self.angles_deg).max())) > MAX_ANGLE_DEG:
            oddities.append(f"an angle in Pose_Para is of {largest:.0f} degrees")
        return tuple(oddities)

    @property
    def oddities(self) -> tuple[str, ...]:
        """All that is odd and that only those who need it have to leave out."""
        return (*self.pose_oddities, *self.malformed)

    def placement(self, height: int) -> Placement:
        """Where the model's points appear in the picture, which is `height` pixels high.

        Raises:
            DataError: the scale is not positive.
        """
        if self.pose[6] <= 0.0:
            raise DataError(self.pose_oddities[0])
        return Placement.from_source(self.rotation, float(self.pose[6]), self.pose[3:6], height)


Parameters = TypeVar("Parameters", bound=FaceParameters)


def read_parameters(
    data: bytes,
    source: str,
    needed: tuple[str, ...] = NEEDED,
    kind: type[Parameters] = FaceParameters,
) -> Parameters:
    """The parameters in the bytes of a `.mat` file; numbers of any type become float64.

    Messages call the file `source`.

    Raises:
        DataError: the file is damaged, or a needed variable is missing or malformed.
    """
    shapes = {key: shape for key, (_, shape) in _KEYS.items()}
    arrays, malformed = read_variables(data, source, shapes, needed)
    fields = {_KEYS[key][0]: array for key, array in arrays.items()}
    if "points_px" in fields:
        points = fields["points_px"].T.copy()
        points[(points == -1.0).any(axis=1)] = np.nan
        fields["points_px"] = points
    if "landmarks_px" in fields:
        fields["landmarks_px"] = np.ascontiguousarray(fields["landmarks_px"].T)
    return kind(**fields, malformed=malformed)


def read_variables(
    data: bytes, source: str, shapes: Mapping[str, tuple[int | None, ...]], needed: tuple[str, ...]
) -> tuple[dict[str, Float[np.ndarray, "..."]], tuple[str, ...]]:
    """Numeric variables of a `.mat` file as float64 of the given shapes (None: any length).

    A variable of one axis may lie there as a row or as a column.

    Returns:
        The variables, and what is wrong with those that are not needed and therefore left out.

    Raises:
        DataError: the file is damaged, or a needed variable is missing or malformed.
    """
    with parsing(source, "no readable .mat file", DataError):
        content = read_matrices(io.BytesIO(data), len(data), shapes.keys(), MAX_BYTES)
    arrays: dict[str, np.ndarray] = {}
    oddities: list[str] = []
    for key, shape in shapes.items():
        wrong = "is missing"
        if key in content:
            try:
                arrays[key] = _as_wanted(content[key], shape)
                continue
            except ValueError as error:
                wrong = str(error)
        if key in needed:
            raise DataError(f"{source}: {key} {wrong}")
        if key in content:
            oddities.append(f"{key} {wrong}")
    return arrays, tuple(oddities)


def _as_wanted(
    array: np.ndarray | Unreadable, shape: tuple[int | None, ...]
) -> Float[np.ndarray, "..."]:
    if isinstance(array, Unreadable):
        raise ValueError("is malformed: no real numbers")
    wanted = array.ravel() if len(shape) == 1 else array
    if not fits(wanted.shape, shape):
        raise ValueError(f"is malformed: its shape is {array.shape}")
    numbers = wanted.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("is not finite")
    return numbers
