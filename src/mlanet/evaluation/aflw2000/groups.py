"""Errors by groups of images: pose, expression, skin tone. For model cards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Coefficients
from mlanet.evaluation.aflw2000.results import FaceOpenings, ImageResult
from mlanet.evaluation.reporting import Cell, Column, Table
from mlanet.morphable import MorphableModel


@dataclass(frozen=True, slots=True)
class GroupKind:
    """How images are grouped.

    `what` is measured ({} stands for predicted or fitted), by `measure`; `limits` are the upper
    ones of all groups but the last, inclusive.
    """

    name: str
    what: str
    measure: Callable[[ImageResult], float | None]
    limits: tuple[float, ...]
    groups: tuple[str, ...]


KINDS = (
    GroupKind(
        "yaw",
        "|yaw| of the annotation, degrees",
        lambda result: abs(result.yaw_deg),
        (15.0, 30.0, 45.0, 60.0, 75.0),
        ("0-15", "15-30", "30-45", "45-60", "60-75", "above 75"),
    ),
    GroupKind(
        "mouth",
        "gap of the inner lips over the distance of the eyes' outer corners, annotation in 3D",
        lambda result: None if result.openings is None else result.openings.mouth,
        (0.05, 0.15),
        ("closed (to 0.05)", "ajar (to 0.15)", "open (above 0.15)"),
    ),
    GroupKind(
        "eyes",
        "height over width of the eyes, annotation in 3D",
        lambda result: None if result.openings is None else result.openings.eyes,
        (0.2, 0.3),
        ("nearly closed (to 0.2)", "narrow (to 0.3)", "open (above 0.3)"),
    ),
    GroupKind(
        "skin tone",
        "individual typology angle of the {} albedo",
        lambda result: result.skin_tone_deg,
        (-30.0, 10.0, 28.0, 41.0, 55.0),
        (
            "dark (to -30)",
            "brown (to 10)",
            "tan (to 28)",
            "intermediate (to 41)",
            "light (to 55)",
            "very light (above 55)",
        ),
    ),
)
"""Openings: see `face_openings`. Skin tone: Del Bino and Bernerd, "Variations in skin colour and
the biological consequences of ultraviolet radiation exposure", Br. J. Dermatol. 2013."""

COLUMNS = (
    Column("images"),
    Column("missed"),
    Column("nme_2d_68", "%"),
    Column("standard error", "%"),
)


def face_openings(landmarks: Float[np.ndarray, "68 3"]) -> FaceOpenings:
    """Openings of mouth and eyes from 68 landmarks in 3D, in any frame and scale.

    Of the mouth, the gap of the inner lips (62-66) over the distance of the eyes' outer corners
    (36-45); of the eyes, the mean aspect ratio (Soukupova and Cech, "Real-Time Eye Blink Detection
    using Facial Landmarks", CVWW 2016).
    """

    def apart(first: int, second: int) -> float:
        return float(np.linalg.norm(landmarks[first] - landmarks[second]))

    def eye(corner: int) -> float:
        height = apart(corner + 1, corner + 5) + apart(corner + 2, corner + 4)
        return height / max(2.0 * apart(corner, corner + 3), 1e-9)

    return FaceOpenings(apart(62, 66) / max(apart(36, 45), 1e-9), (eye(36) + eye(42)) / 2.0)


def typology_angle_deg(color: Float[np.ndarray, "3"]) -> float:
    """Individual typology angle of an sRGB colour in [0, 1]: light skin is large, dark negative.

    `atan2(L* - 50, b*)` in CIELAB under D65 (Chardon et al., "Skin colour typology and suntanning
    pathways", Int. J. Cosmet. Sci. 1991).
    """
    import cv2

    pixel = np.clip(color, 0.0, 1.0).astype(np.float32).reshape(1, 1, 3)
    lightness, _, blue_yellow = np.asarray(cv2.cvtColor(pixel, cv2.COLOR_RGB2Lab)).reshape(3)
    return float(np.degrees(np.arctan2(float(lightness) - 50.0, float(blue_yellow))))


class SkinTone:
    """Tone of the albedo of a face model's skin: the mean colour of the region `face`."""

    def __init__(self, model: MorphableModel) -> None:
        weight = model.regions["face"] / model.regions["face"].sum()
        self._mean = np.einsum("v,vc->c", weight, model.albedo_mean)
        self._modes = np.einsum("v,vca->ca", weight, model.albedo_basis)

    def __call__(self, coefficients: Coefficients) -> float:
        """Individual typology angle in degrees."""
        return typology_angle_deg(self._mean + self._modes @ coefficients.albedo)


def group_tables(
    results: Sequence[ImageResult], tones: Literal["predicted", "fitted"] = "predicted"
) -> list[Table]:
    """Means of `nme_2d_68` over the images of each group, with their standard errors.

    Missed faces count as 100 % and are counted; a kind of groups leaves out the images that it has
    no measure for (a missed face has no skin tone). Groups without images are left out, and so are
    kinds of groups that no image has a measure for.
    """
    tables: list[Table] = []
    for kind in KINDS:
        members: dict[str, list[ImageResult]] = {name: [] for name in kind.groups}
        unmeasured = 0
        for result in results:
            value = kind.measure(result)
            if value is None:
                unmeasured += 1
            else:
                place = int(np.digitize(value, kind.limits, right=True))
                members[kind.groups[place]].append(result)
        rows = tuple(_row(name, group) for name, group in members.items() if group)
        note = f"Grouped by {kind.what.format(tones)}. A missed face counts as 100 %."
        if unmeasured:
            note += f" {unmeasured} images without this measure are left out."
        columns = (Column(kind.name), *COLUMNS)
        tables.append(Table(f"By {kind.name}", columns, rows, note, brief=False))
    return [table for table in tables if table.rows]


def _row(name: str, group: Sequence[ImageResult]) -> tuple[Cell, ...]:
    errors = np.array([r.nme_2d_68_of_all for r in group])
    spread = float(errors.std(ddof=1) / np.sqrt(len(errors))) if len(errors) > 1 else None
    missed = sum(r.nme_2d_68 is None for r in group)
    return (name, len(group), missed, float(errors.mean()), spread)
