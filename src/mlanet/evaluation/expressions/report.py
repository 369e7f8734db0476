"""How far predicted expressions agree with a teacher's, with known ones, and with closed eyes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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

PHOTOS = "Photos beside the teacher"
HEADS, WINKS = "Rendered heads", "Winks of rendered heads"
EYES = "Eyes as the annotation shows them"

CoverScores: TypeAlias = Mapping[str, tuple[HeadScores, HeadScores]]
"""Heads and winking heads, by what is before them (`heads.COVERS`)."""


def agreement_tables(
    predicted: ExpressionScores, truth: ExpressionScores, name: str, figure: str, cases: str
) -> tuple[Table, Table]:
    """Correlations of two scores of the same faces: of the main expressions, and of all others."""
    figures = Column(figure, use="figure"), Column("low"), Column("high"), Column(cases)
    main, others = (
        tuple(
            (quantity, *_cells(pearson_correlation(predicted.values_of(quantity), true)))
            for quantity, true in ((each, truth.values_of(each)) for each in some)
        )
        for some in shared_quantities((predicted, truth))
    )
    columns = (Column("expression"), *figures)
    return (
        Table(name, columns, main),
        Table(f"{name}, other expressions", columns, others, brief=False),
    )


def photo_tables(predicted: ExpressionScores, teacher: ExpressionScores) -> tuple[Table, Table]:
    """`agreement_tables` of the faces that both have found.

    Raises:
        DataError: there is no face of which both have scores.
    """
    both = predicted.found & teacher.found
    if not both.any():
        raise DataError(f"none of the {len(both)} faces was found by both teacher and method")
    figure = "correlation with the teacher"
    return agreement_tables(predicted.only(both), teacher.only(both), PHOTOS, figure, "faces")


def head_tables(heads: HeadScores, cover: str, *, brief: bool) -> tuple[Table, Table]:
    """`agreement_tables` of rendered heads; a terminal shows the main ones if `brief`."""
    name, figure = f"{HEADS} {cover}", f"correlation {cover}"
    main, others = agreement_tables(heads.predicted, heads.known, name, figure, "heads")
    note = "Expressions that no head shows have no correlation."
    return replace(main, brief=brief), replace(others, note=note)


def winks_table(scores: CoverScores) -> Table:
    """Share of winking heads whose closed eye is known, by what is before them."""
    note = (
        f"Heads with one eye closed (at least {SHUT_HEAD:g}) and the other open (at most {OPEN:g})."
        " Told apart: the predicted left minus right eyeBlink has the right sign (share, Wilson's"
        " interval); alike: it is exactly zero (share)."
    )
    columns = (
        Column("heads"),
        Column("told apart", use="figure"),
        *map(Column, ("low", "high", "winks", "alike")),
    )
    rows: list[tuple[Cell, ...]] = []
    for cover, (_, winking) in scores.items():
        right, alike = winks_told_apart(winking)
        rows.append((cover, *_cells(right), number(alike.value)))
    return Table(WINKS, columns, tuple(rows), note)


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


def _cells(estimate: Estimate) -> tuple[Cell, ...]:
    figures = (number(value) for value in (estimate.value, estimate.low, estimate.high))
    return (*figures, estimate.count)
