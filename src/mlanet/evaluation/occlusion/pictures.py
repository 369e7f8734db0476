"""Pictures of faces behind occluders."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.evaluation.aflw2000.pictures import point_radius
from mlanet.evaluation.aflw2000.results import ImageResult
from mlanet.evaluation.occlusion.occluders import Occluder, cover_named
from mlanet.evaluation.occlusion.scoring import OcclusionResults
from mlanet.evaluation.reporting import PictureGrid, PictureRow
from mlanet.evaluation.reporting.face_tiles import (
    PREDICTED_COLOR,
    TILE_PX,
    TRUTH_COLOR,
    grey_tile,
)
from mlanet.image import crop_square, draw_points, square_from_landmarks

NUM_FACES = 4
"""How many faces are drawn, spread evenly over all in the order of their |yaw|."""


def occlusion_grids(
    scored: OcclusionResults, dataset: AFLW2000, annotations: AFLW2000Annotations, seed: int = 0
) -> tuple[PictureGrid, ...]:
    """The same few faces uncovered and behind each occluder, with the points that were found.

    One grid for each kind that grows, and one for all others.
    """
    results = scored[None]
    order = sorted(range(len(results)), key=lambda row: abs(results[row].yaw_deg))
    places = ((2 * k + 1) * len(order) // (2 * NUM_FACES) for k in range(NUM_FACES))
    rows = [order[place] for place in dict.fromkeys(places) if order]
    groups: dict[str, list[Occluder]] = {}
    for kind in scored:
        if kind is not None:
            groups.setdefault(kind.kind if kind.share else "", []).append(kind)
    note = (
        "Green: the predicted points. Orange, below them: the annotation's. A face that was missed"
        " has grey pictures."
    )
    return tuple(
        PictureGrid(
            f"Covered faces: {name or ', '.join(kind.name for kind in kinds)}",
            ("nothing", *(kind.name for kind in kinds)),
            tuple(_row(scored, row, kinds, dataset, annotations, seed) for row in rows),
            note,
        )
        for name, kinds in groups.items()
    )


def _row(
    scored: OcclusionResults,
    row: int,
    kinds: Sequence[Occluder],
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    seed: int,
) -> PictureRow:
    """A face uncovered and behind some occluders."""
    plain = scored[None][row]
    image = dataset[dataset.index_of[plain.name]].image
    points = annotations.original_px[annotations.names.index(plain.name)]
    shown = [(image, plain)]
    for kind in kinds:
        covered = cover_named(image, kind, points, plain.name, seed)
        shown.append((covered, scored[kind][row]))
    errors = ", ".join("missed" if r.nme_2d_68 is None else f"{r.nme_2d_68:.2f}" for _, r in shown)
    caption = f"{plain.name}\nyaw {plain.yaw_deg:.0f} degrees\nnme_2d_68 in percent:\n{errors}"
    return PictureRow(caption, tuple(_tile(p, points[:, :2], r) for p, r in shown))


def _tile(
    image: UInt8[np.ndarray, "h w 3"], truth: Float[np.ndarray, "68 2"], result: ImageResult
) -> UInt8[np.ndarray, "t t 3"]:
    """The face with its points; grey if it was missed."""
    if result.landmarks_px is None:
        return grey_tile()
    square = square_from_landmarks(truth)
    radius = point_radius(truth)
    drawn = draw_points(image, truth, TRUTH_COLOR, radius)
    drawn = draw_points(drawn, result.landmarks_px[:, :2], PREDICTED_COLOR, radius)
    return crop_square(drawn, square, TILE_PX).image
