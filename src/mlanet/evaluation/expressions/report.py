"""How far predicted expressions agree with a teacher's, with known ones, and with closed eyes."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError
from mlanet.evaluation.expressions.heads import OPEN, HeadScores, winks_told_apart
from mlanet.evaluation.expressions.heads import SHUT as SHUT_HEAD
from mlanet.evaluation.expressions.photos import (
    CLOSED_BELOW,
    MAX_YAW_DEG,
    OPEN_ABOVE,
    SHUT,
    EyeScores,
)
from mlanet.evaluation.expressions.scores import MAIN, ExpressionScores, shared_quantities
from mlanet.evaluation.reporting import Cell, Column, Protocol, Report, Table, number
from mlanet.metrics import Estimate, pearson_correlation

PROTOCOL = Protocol(
    "expressions",
    "Pearson's correlation over faces of predicted blend-shape scores with those of a teacher on "
    f"photos of AFLW2000-3D within {MAX_YAW_DEG:g} degrees of yaw, cut by the original landmarks, "
    "and with the known ones of unseen rendered heads; 95 % intervals by a bootstrap over faces",
)

PHOTOS, OTHERS = "Photos beside the teacher", "Photos beside the teacher, other expressions"
HEADS, WINKS = "Rendered heads", "Winks of rendered heads"
EYES = "Eyes as the annotation shows them"

CoverScores: TypeAlias = Mapping[str, tuple[HeadScores, HeadScores]]
"""Heads and winking heads, by what is before them (`heads.COVERS`)."""


def photo_tables(predicted: ExpressionScores, teacher: ExpressionScores) -> tuple[Table, Table]:
    """Correlations with the teacher of the main expressions, and of all others that both know.

    Raises:
        DataError: there is no face of which both have scores.
    """
    both = predicted.found & teacher.found
    if not both.any():
        raise DataError(f"none of the {len(both)} faces was found by both teacher and method")
    one, other = predicted.only(both), teacher.only(both)
    main, others = shared_quantities((one, other))
    columns = _estimate_columns("expression", "correlation with the teacher", "faces")
    return (
        Table(PHOTOS, columns, _estimate_rows(agreement(one, other, main))),
        Table(OTHERS, columns, _estimate_rows(agreement(one, other, others)), brief=False),
    )


def agreement(
    predicted: ExpressionScores, truth: ExpressionScores, quantities: Sequence[str]
) -> dict[str, Estimate]:
    """Correlations of two scores of the same faces."""
    return {
        name: pearson_correlation(predicted.values_of(name), truth.values_of(name))
        for name in quantities
    }


def head_tables(heads: HeadScores, cover: str, *, brief: bool) -> tuple[Table, Table]:
    """Correlations with the known expressions: of the main ones, and of all others."""
    main, others = shared_quantities((heads.predicted, heads.known))
    columns = _estimate_columns("expression", f"correlation {cover}", "heads")
    name, note = f"{HEADS} {cover}", "Expressions that no head shows have no correlation."

    def rows(quantities: Sequence[str]) -> tuple[tuple[Cell, ...], ...]:
        return _estimate_rows(agreement(heads.predicted, heads.known, quantities))

    return (
        Table(name, columns, rows(main), brief=brief),
        Table(f"{name}, other expressions", columns, rows(others), note, brief=False),
    )


def winks_table(scores: CoverScores) -> Table:
    """Share of winking heads whose closed eye is known, by what is before them."""
    note = (
        f"Heads with one eye closed (at least {SHUT_HEAD:g}) and the other open (at most {OPEN:g})."
        " Told apart: the predicted left minus right eyeBlink has the right sign (share, Wilson's"
        " interval); alike: it is exactly zero (share)."
    )
    columns = _estimate_columns("heads", "told apart", "winks")
    rows: list[tuple[Cell, ...]] = []
    for cover, (_, winking) in scores.items():
        right, alike = winks_told_apart(winking)
        rows.append((*_estimate_rows({cover: right})[0], number(alike.value)))
    return Table(WINKS, (*columns, Column("alike")), tuple(rows), note)


def eyes_table(scores: Mapping[str, EyeScores]) -> Table:
    """`eyeBlink` of closed and open eyes."""
    columns = (
        Column("eyes"),
        Column("median eyeBlink", use="figure"),
        Column(f"share above {SHUT:g}", use="figure"),
        Column("number"),
    )
    rows = tuple(
        (name, number(eyes.median), number(eyes.share_shut), eyes.eyes)
        for name, eyes in scores.items()
    )
    note = (
        "By the gap of the lids over the eye's width in the re-annotation: below "
        f"{CLOSED_BELOW:g} or above {OPEN_ABOVE:g}."
    )
    return Table(EYES, columns, rows, note)


def photo_rows(
    predicted: ExpressionScores,
    teacher: ExpressionScores,
    yaw_deg: Float[np.ndarray, "n"],
    ratios: Float[np.ndarray, "n 2"] | None,
) -> Table:
    """What was said of each photo; empty where a face was not found.

    `ratios` are those of `eye_aspect_ratios`.
    """
    columns = [Column("image", use="case"), Column("yaw_deg", digits=1)]
    values: list[Sequence[Cell]] = [predicted.names, [float(yaw) for yaw in yaw_deg]]
    if ratios is not None:
        for side, column in zip(("left", "right"), ratios.T, strict=True):
            columns.append(Column(f"gap of the {side} eye's lids over its width"))
            values.append([number(float(ratio)) for ratio in column])
    for name in MAIN:
        for who, scores in (("predicted", predicted), ("teacher", teacher)):
            columns.append(Column(f"{name}, {who}"))
            column = scores.values_of(name)
            values.append(
                [float(v) if ok else None for v, ok in zip(column, scores.found, strict=True)]
            )
    return Table("images", tuple(columns), tuple(zip(*values, strict=True)), brief=False)


def expressions_report(
    predicted: ExpressionScores,
    teacher: ExpressionScores,
    yaw_deg: Float[np.ndarray, "n"],
    ratios: Float[np.ndarray, "n 2"] | None = None,
    eyes: Mapping[str, EyeScores] | None = None,
    heads: CoverScores | None = None,
) -> Report:
    """The report of all parts that there are.

    Rows are the faces within range; `ratios` of their eyes are those of the re-annotation.

    Raises:
        DataError: there is no face of which both have scores.
    """
    photos, others = photo_tables(predicted, teacher)
    tables = [photos]
    conditions: dict[str, Cell] = {"faces within range": len(predicted.names)}
    conditions["faces that the teacher found"] = int(teacher.found.sum())
    if not predicted.found.all():
        conditions["faces missed"] = int((~predicted.found).sum())
    if eyes is not None:
        tables.append(eyes_table(eyes))
    other_tables = [others]
    if heads is not None:
        for place, (cover, (drawn, _)) in enumerate(heads.items()):
            main, rest = head_tables(drawn, cover, brief=not place)
            tables.append(main)
            other_tables.append(rest)
        tables.append(winks_table(heads))
    return Report(
        protocol=PROTOCOL,
        rows=photo_rows(predicted, teacher, yaw_deg, ratios),
        tables=(*tables, *other_tables),
        conditions=conditions,
    )


def _estimate_columns(rows: str, figure: str, cases: str) -> tuple[Column, ...]:
    return Column(rows), Column(figure, use="figure"), Column("low"), Column("high"), Column(cases)


def _estimate_rows(estimates: Mapping[str, Estimate]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (name, number(e.value), number(e.low), number(e.high), e.count)
        for name, e in estimates.items()
    )
