"""Face profiling: a photographed face turned out of the plane through its fitted mesh.

Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016, section 4.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mlanet.coefficients import Coefficients
from mlanet.datasets import FaceCrops, Sample, SampleSequence
from mlanet.errors import DataError
from mlanet.fitting import CropView, fit_landmarks
from mlanet.fitting.contour import NUM_JAW, JawKind
from mlanet.fitting.labels import CONTOUR_WEIGHT, config_for
from mlanet.geometry import (
    Camera,
    Pose,
    decode_pose,
    euler_from_matrix,
    matrix_from_euler,
    six_d_from_matrix,
)
from mlanet.image import square_from_landmarks, transform_points
from mlanet.image.crop import resample, square_transform
from mlanet.morphable import MorphableModel
from mlanet.render import interpolate, rasterize
from mlanet.synthesis.pose import decoded_landmarks, framed_translation

ROOM = 0.5
"""How far the relief reaches beyond the crop on each side, in crop sides; the photo is mirrored
where it ends."""

SLOPE = 0.6
"""Behind the head's outline the relief falls back by this for each unit of length."""

LET_GO = 0.35
"""At this distance from the outline, in crop sides, the background no longer turns."""

FINENESS = 2
"""Samples on a side of each pixel of the turned picture."""

MAX_SOURCE_YAW_DEG = 60.0
"""Faces that are turned farther show too little to turn them on."""

DEFAULT_STEP_DEG = 20.0

Jaw: TypeAlias = JawKind | Literal["auto"]
"""What the 17 jaw points of labels are: of the surface, or of the visible contour, which then count
`CONTOUR_WEIGHT`; auto: of the contour where the labels have no depth."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedFace:
    """A crop of `size` pixels with its surroundings, and the face model fitted to it."""

    name: str
    wide: UInt8[np.ndarray, "w w 3"]
    size: int
    identity: Float[np.ndarray, "i"]
    expression: Float[np.ndarray, "e"]
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    @property
    def angles_rad(self) -> Float[np.ndarray, "3"]:
        """Pitch, yaw, roll."""
        return euler_from_matrix(self.rotation)


def fit_face(
    model: MorphableModel,
    sample: Sample,
    size: int,
    depth_weight: float = 1.0,
    jaw: Jaw = "auto",
) -> FittedFace:
    """Crop a labelled face as networks see it, and fit the face model to its landmarks.

    Labelled depth, if there is any, counts `depth_weight` times as much as x and y; `jaw` says what
    the jaw points are.

    Raises:
        DataError: the sample has no usable landmarks.
    """
    points = sample.landmarks_px
    if points is None or not np.isfinite(points).all():
        raise DataError(f"{sample.name}: has no landmarks")
    contour = jaw == "contour" or (jaw == "auto" and not sample.jaw_on_surface)
    weight = np.where(np.arange(len(points)) < NUM_JAW, CONTOUR_WEIGHT if contour else 1.0, 1.0)
    try:
        crop_from_image = square_transform(square_from_landmarks(points), size)
        xy = transform_points(crop_from_image, points[:, :2].astype(np.float64))
        depth = points[:, 2:] * crop_from_image[0, 0]
        labels = np.column_stack([xy, depth])[None]
        config = replace(config_for(model), depth_weight=depth_weight)
        fit = fit_landmarks(model.landmarks, CropView(size), labels, weight[None], config)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise DataError(f"{sample.name}: cannot be fitted ({error})") from error
    border = round(ROOM * size)
    wide_from_image = crop_from_image.copy()
    wide_from_image[:, 2] += border
    wide = resample(sample.image, wide_from_image, size + 2 * border, mirror_outside=True)
    return FittedFace(
        name=sample.name,
        wide=wide,
        size=size,
        identity=fit.identity[0],
        expression=fit.expression[0],
        rotation=fit.rotation[0],
        translation=fit.place[0, :3],
    )


def turn_face(model: MorphableModel, face: FittedFace, yaw_deg: float) -> Sample:
    """The face at another yaw, framed as crops are; pitch and roll stay.

    Every pixel of the photo lies on a relief: the fitted head's surface, and behind its outline
    a slope that falls back. The relief is turned with the head; away from the head it goes over
    into the flat background. It has no holes. Landmarks and coefficients are those of the fitted
    model in its new pose, exactly; albedo and lighting are zero, for they are not known.
    """
    pitch, _, roll = face.angles_rad
    rotation = matrix_from_euler(np.array([pitch, np.radians(yaw_deg), roll]))
    points = model.landmarks(face.identity, face.expression)
    translation = framed_translation(points, rotation, np.zeros(2), 0.0)
    layout = model.layout
    vector = layout.join(
        Coefficients(
            identity=face.identity,
            expression=face.expression,
            albedo=np.zeros(layout.albedo),
            rotation=six_d_from_matrix(rotation),
            translation=translation,
            lighting=np.zeros(27),
        )
    ).astype(np.float32)
    found = layout.split(vector)
    after = decode_pose(found.rotation, found.translation)
    before = decode_pose(six_d_from_matrix(face.rotation), face.translation)
    landmarks = decoded_landmarks(
        model.landmarks(found.identity, found.expression),
        found.rotation,
        found.translation,
        face.size,
    )
    return Sample(
        name=face.name,
        image=_turned_relief(model, face, before, after),
        landmarks_px=landmarks.astype(np.float32),
        rotation=after.rotation,
        angles_deg=after.euler_deg,
        coefficients=vector,
    )


def _turned_relief(
    model: MorphableModel, face: FittedFace, before: Pose, after: Pose
) -> UInt8[np.ndarray, "s s 3"]:
    import cv2

    size, side = face.size, len(face.wide)
    camera = Camera.of_crop(size)
    wide_camera = Camera(camera.focal_length_px, (side / 2.0, side / 2.0))
    vertices = before.apply(model.vertices(face.identity, face.expression))
    fragments = rasterize(
        wide_camera.project(vertices), model.topology.faces, (side, side), cull_backfaces=True
    )
    depth, distance = _extended_depth(
        fragments.depth, fragments.mask, float(before.translation[2]) / camera.focal_length_px
    )
    centres = np.arange(side) + 0.5
    x, y = np.meshgrid(centres - side / 2.0, centres - side / 2.0)
    rays = np.stack([x, y, np.full_like(x, camera.focal_length_px)], axis=-1)
    points = rays * (depth / camera.focal_length_px)[..., None]
    head = (points - before.translation) @ before.rotation
    turned = camera.project(after.apply(head.reshape(-1, 3))).reshape(side, side, 3)

    # Far from the head the photo moves and grows with it, but does not turn.
    middle = np.array([camera.project(p.apply(_CENTRE_MM))[0, :2] for p in (before, after)])
    growth = float(before.translation[2] / after.translation[2])
    flat = np.stack([x, y], axis=-1) + size / 2.0
    flat = middle[1] + growth * (flat - middle[0])
    hold = np.clip(1.0 - distance / (LET_GO * size), 0.0, 1.0)[..., None]
    hold = hold * hold * (3.0 - 2.0 * hold)
    place = hold * turned[..., :2] + (1.0 - hold) * flat
    far = np.maximum(turned[..., 2:], float(after.translation[2]))
    place = np.concatenate([place, hold * turned[..., 2:] + (1.0 - hold) * (far + 150.0)], axis=-1)

    scale = np.array([FINENESS, FINENESS, 1.0])
    grid = np.arange(side * side).reshape(side, side)
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    faces = np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    ).astype(np.int32)
    fine = size * FINENESS
    seen = rasterize(place.reshape(-1, 3) * scale, faces, (fine, fine))
    colors = face.wide.reshape(-1, 3).astype(np.float32)
    drawn = interpolate(seen, faces, colors)
    if not seen.mask.all():  # beyond the relief's rim: its mean colour
        drawn[~seen.mask] = colors.mean(axis=0)
    drawn = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


_CENTRE_MM = np.array([[0.0, 0.0, 40.0]])
"""Between the outline's sides: the middle of the head, in the model frame."""


def _extended_depth(
    depth: Float[np.ndarray, "w w"], mask: Bool[np.ndarray, "w w"], mm_per_px: float
) -> tuple[Float[np.ndarray, "w w"], Float[np.ndarray, "w w"]]:
    """Depth of the whole picture (mm), and each pixel's distance from the head (px).

    Narrow valleys such as an open mouth, whose inside the model draws as a deep sac, are closed.
    """
    import cv2

    side = len(depth)
    far = np.where(mask, depth, depth[mask].max()).astype(np.float32)
    window = np.ones((2 * max(1, side // 40) + 1,) * 2, np.uint8)
    closed = -np.asarray(cv2.morphologyEx(-far, cv2.MORPH_CLOSE, window))
    inside = np.asarray(mask, np.uint8)
    distance, label = cv2.distanceTransformWithLabels(
        1 - inside, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(label.max()) + 1, np.float32)
    label = np.asarray(label, np.int32)
    nearest[label[mask]] = closed[mask]
    extended = nearest[label] + SLOPE * distance * mm_per_px
    smooth = cv2.GaussianBlur(extended, (0, 0), max(1.0, side / 60))
    ease = np.clip(distance / (side / 40), 0.0, 1.0)
    inner = cv2.GaussianBlur(extended, (0, 0), max(0.7, side / 200))
    return inner + ease * (smooth - inner), np.asarray(distance)


@dataclass(frozen=True, eq=False)
class ProfiledFaces:
    """A data set of photographed faces, each turned on in steps to the side it shows more of.

    Attributes:
        model: the face model that is fitted.
        faces: labelled faces, with depth or without: any data set.
        size: side of the crops in pixels.
        step_deg: between the yaws of a face; the last is at most 90 degrees.
        steps: how many pictures are made of each face.
        depth_weight: of labelled depth relative to x and y in the fits.
        jaw: what the labels' jaw points are.
    """

    model: MorphableModel
    faces: SampleSequence
    size: int = 128
    step_deg: float = DEFAULT_STEP_DEG
    steps: int = 3
    depth_weight: float = 1.0
    jaw: Jaw = "auto"

    def __len__(self) -> int:
        return len(self.faces) * self.steps

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        source, step = divmod(index, self.steps)
        face = fit_face(self.model, self.faces[source], self.size, self.depth_weight, self.jaw)
        yaw = float(np.degrees(face.angles_rad[1]))
        target = yaw + np.copysign(self.step_deg * (step + 1), yaw)
        if abs(yaw) > MAX_SOURCE_YAW_DEG or abs(target) > 90.0:
            raise DataError(f"{face.name}: yaw {yaw:.0f} cannot be turned to {target:.0f} degrees")
        sample = turn_face(self.model, face, float(target))
        number = self.faces.rows[source] if isinstance(self.faces, FaceCrops) else source
        return replace(sample, name=f"{_stem(face.name)}-{number:07d}-{step + 1}.webp")


def _stem(name: str) -> str:
    """A sample's name without its ending; in tar files only what follows the last slash counts."""
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file.rsplit('.', 1)[0]}".replace("/", "-")
