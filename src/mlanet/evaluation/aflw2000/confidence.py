"""Is a face's confidence worth its name: table and curve of faces with known errors."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from mlanet.evaluation.aflw2000.results import ImageResult
from mlanet.evaluation.reporting import Cell, Column, Line, Plot, Table, number
from mlanet.metrics import reliability, spearman_correlation
from mlanet.network.confidence import WITHIN_PERCENT

OF_FACES, OF_LANDMARKS = "Confidence of faces", "Confidence of landmarks"
COLUMNS = (
    Column("faces"),
    Column("number"),
    *(
        Column(name, use="figure")
        for name in ("confidence", "share within", "calibration error", "rank correlation")
    ),
    Column("a twentieth below"),
    Column("a twentieth above"),
)
NOTE = (
    f"Confidence of a face says that its nme_2d_68 is at most {WITHIN_PERCENT:g} %, of a landmark"
    " that its own distance is. Share within: of how many that was so. Calibration error: mean"
    " difference of the two over ten equal parts of [0, 1]. Rank correlation: Spearman's, of one"
    " minus confidence with the error. A twentieth of the confidences lies below the last but one"
    " column, a twentieth above the last. Faces that were missed have none."
)


def confidence_tables(conditions: Mapping[str, Sequence[ImageResult]]) -> tuple[Table, ...]:
    """A row for each condition that faces were seen in; no tables if no face has a confidence."""
    faces: list[tuple[Cell, ...]] = []
    landmarks: list[tuple[Cell, ...]] = []
    for name, results in conditions.items():
        rated = _rated(results)
        if rated:
            faces.append((name, len(rated), *_figures(*_of_faces(rated))))
            landmarks.append((name, len(rated), *_figures(*_of_landmarks(rated))))
    if not faces:
        return ()
    return (
        Table(OF_FACES, COLUMNS, tuple(faces)),
        Table(OF_LANDMARKS, COLUMNS, tuple(landmarks), NOTE),
    )


def reliability_plots(results: Sequence[ImageResult]) -> tuple[Plot, ...]:
    """How often errors were small, over confidence; none if no face has a confidence."""
    rated = _rated(results)
    if not rated:
        return ()
    lines = [Line("perfect", [0.0, 1.0], [0.0, 1.0])]
    for name, (confidence, error) in (
        ("faces", _of_faces(rated)),
        ("landmarks", _of_landmarks(rated)),
    ):
        found = reliability(confidence, error <= WITHIN_PERCENT)
        lines.append(Line(name, found.confidence.tolist(), found.share.tolist()))
    return (
        Plot(
            title="Reliability of the confidence",
            x_label="confidence",
            y_label=f"share within {WITHIN_PERCENT:g} %",
            x_limit=1.0,
            y_limit=1.0,
            lines=tuple(lines),
            note="Means of ten equal parts; below the diagonal is too sure.",
            num_x_ticks=5,
        ),
    )


def _rated(results: Sequence[ImageResult]) -> list[ImageResult]:
    return [result for result in results if result.confidence is not None]


def _of_faces(
    rated: Sequence[ImageResult],
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Confidence and error in per cent of each face."""
    pairs = [(result.confidence, result.nme_2d_68_of_all) for result in rated]
    confidence, error = np.array(pairs, dtype=np.float64).T
    return confidence, error


def _of_landmarks(
    rated: Sequence[ImageResult],
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """The same of all landmarks."""
    pairs = [(result.landmark_confidence, result.landmark_errors) for result in rated]
    confidence, error = np.array(pairs, dtype=np.float64).transpose(1, 0, 2).reshape(2, -1)
    return confidence, error


def _figures(
    confidence: Float[np.ndarray, "n"], error: Float[np.ndarray, "n"]
) -> tuple[float | None, ...]:
    within = error <= WITHIN_PERCENT
    return (
        float(confidence.mean()),
        float(within.mean()),
        reliability(confidence, within).expected_error,
        number(spearman_correlation(-confidence, error)),
        *(float(limit) for limit in np.quantile(confidence, (0.05, 0.95))),
    )
