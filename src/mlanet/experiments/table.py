"""Results of runs to a table with intervals, and its files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import DataError
from mlanet.experiments.measure import RunResult
from mlanet.experiments.rows import PLAIN, Row
from mlanet.files import atomic_path
from mlanet.metrics import Difference, paired_difference, yaw_bin_index

HELD_OUT = "held_out_nme"

TITLES: Mapping[str, tuple[str, str]] = {
    HELD_OUT: ("held-out faces", "%"),
    "nme_2d_68_original": ("AFLW2000-3D, original", "%"),
    "nme_2d_68_reannotated": ("AFLW2000-3D, re-annotated", "%"),
    "heads": ("shape of unseen heads", "mm"),
    "people": ("unseen people confused", "%"),
}
"""The figures' headings and units."""

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """One row under one metric, in its unit (`TITLES`).

    Mean and deviation over the runs (a single one has none); differences to `PLAIN` and to the
    row's reference, with intervals over images.
    """

    mean: float
    deviation: float | None
    to_plain: Difference | None
    to_reference: Difference | None


@dataclass(frozen=True, slots=True)
class TableRow:
    """One finished row of the ablation."""

    name: str
    attention: str
    fusion: str
    reference: str | None
    parameters: int
    images_per_s: float
    labelled: int
    unlabelled: int
    seeds: tuple[int, ...]
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Table:
    """The finished rows, in their order."""

    rows: tuple[TableRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        units = {name: unit for name, (_, unit) in TITLES.items()}
        return {"units": units, "confidence": CONFIDENCE, **asdict(self)}

    def markdown(self) -> str:
        """Errors and costs of all rows, then their differences."""
        metrics = [name for name in TITLES if any(name in row.figures for row in self.rows)]
        titles = [" ".join(TITLES[name]) for name in metrics]
        costs = ["attention", "fusion", "runs", "labelled", "unlabelled", "parameters", "images/s"]
        lines = [_line(["row", *costs, *titles]), _line(["---"] * (1 + len(costs) + len(titles)))]
        for row in self.rows:
            cost = [row.attention, row.fusion, str(len(row.seeds))]
            cost += [f"{row.labelled:,}", f"{row.unlabelled:,}"]
            cost += [f"{row.parameters:,}", f"{row.images_per_s:.0f}"]
            errors = [_error(row.figures.get(name)) for name in metrics]
            lines.append(_line([row.name, *cost, *errors]))
        to_plain = [
            (row.name, [_difference(row.figures.get(name), "to_plain") for name in metrics])
            for row in self.rows
        ]
        to_reference = [
            (
                f"{row.name} − {row.reference}",
                [_difference(row.figures.get(name), "to_reference") for name in metrics],
            )
            for row in self.rows
            if row.reference != PLAIN
        ]
        lines += _section(f"row − {PLAIN}", titles, to_plain)
        lines += _section("row − its reference", titles, to_reference)
        return "\n".join(lines) + "\n"


def make_table(rows: Mapping[str, Row], results: Iterable[RunResult]) -> Table:
    """Bring the results of finished runs together.

    Rows without a result are left out.

    Raises:
        DataError: two runs were measured on different images, trained with different faces or
            for different face models.
    """
    results = list(results)
    _check_data(rows, results)
    by_row: dict[str, list[RunResult]] = {name: [] for name in rows}
    for result in results:
        by_row[result.row].append(result)
    errors = {name: _errors(runs) for name, runs in by_row.items() if runs}
    strata = _strata([result for runs in by_row.values() for result in runs])
    table: list[TableRow] = []
    for name, metrics in errors.items():
        runs, row = sorted(by_row[name], key=lambda result: result.seed), rows[name]
        network = row.config.network()
        figures = {
            metric: _figure(
                values,
                strata[metric],
                None if name == PLAIN else errors.get(PLAIN, {}).get(metric),
                None if row.reference is None else errors.get(row.reference, {}).get(metric),
            )
            for metric, values in metrics.items()
        }
        table.append(
            TableRow(
                name=name,
                attention=network.attention,
                fusion=network.fusion,
                reference=row.reference,
                parameters=runs[0].parameters,
                images_per_s=median(result.images_per_s for result in runs),
                labelled=runs[0].labelled,
                unlabelled=runs[0].unlabelled,
                seeds=tuple(result.seed for result in runs),
                figures=figures,
            )
        )
    return Table(tuple(table))


def _check_data(rows: Mapping[str, Row], results: list[RunResult]) -> None:
    """Whether all were trained with the same faces and face model, as far as they say it.

    Rows that are told less of their faces than others are compared with their like.
    """
    firsts: dict[tuple[str, object], RunResult] = {}
    for result in results:
        sources = rows[result.row].config.sources
        for field, what, like in (
            ("data", "other faces", sources),
            ("face_model", "other face models", None),
        ):
            if getattr(result, field) is None:
                continue
            telling = firsts.setdefault((field, like), result)
            if getattr(result, field) != getattr(telling, field):
                first = f"{telling.row}, seed {telling.seed}"
                raise DataError(
                    f"{result.row}, seed {result.seed}: {field}: {what} than those of {first}"
                )
    silent = [result for result in results if result.face_model is None]
    if 0 < len(silent) < len(results):
        raise DataError(
            f"{silent[0].row}, seed {silent[0].seed}: face_model: not told, as in others' results"
        )


def _errors(results: list[RunResult]) -> dict[str, Float[np.ndarray, "runs n"]]:
    """Errors by metric; a metric counts if all runs have it."""
    errors = {HELD_OUT: [result.held_out for result in results]}
    for name in results[0].likeness:
        if all(name in result.likeness for result in results):
            errors[name] = [result.likeness[name] for result in results]
    measured = [result.aflw2000 for result in results if result.aflw2000 is not None]
    if len(measured) == len(results):
        for annotation in measured[0].errors:
            errors[f"nme_2d_68_{annotation}"] = [each.errors[annotation] for each in measured]
    return {name: np.stack(values) for name, values in errors.items()}


def _strata(results: list[RunResult]) -> dict[str, Int[np.ndarray, "n"]]:
    """Stratum of each image by metric: the yaw bins for AFLW2000-3D, one for the others."""
    strata: dict[str, np.ndarray] = {}
    for result in results:
        alike = {HELD_OUT: result.held_out, **result.likeness}
        mine = {name: np.zeros(len(errors), np.int64) for name, errors in alike.items()}
        if result.aflw2000 is not None:
            bins = yaw_bin_index(result.aflw2000.yaw_deg)
            mine |= {f"nme_2d_68_{name}": bins for name in result.aflw2000.errors}
        for name, groups in mine.items():
            if not np.array_equal(strata.setdefault(name, groups), groups):
                raise DataError(f"{result.row}, seed {result.seed}: measured on other images")
    return strata


def _figure(
    values: Float[np.ndarray, "runs n"],
    strata: Int[np.ndarray, "n"],
    plain: Float[np.ndarray, "other n"] | None,
    reference: Float[np.ndarray, "other n"] | None,
) -> Figure:
    groups = np.unique(strata)
    runs = [mean(float(run[strata == k].mean()) for k in groups) for run in values]

    def difference(other: Float[np.ndarray, "other n"] | None) -> Difference | None:
        if other is None:
            return None
        return paired_difference(
            values.mean(axis=0), other.mean(axis=0), strata, confidence=CONFIDENCE
        )

    deviation = stdev(runs) if len(runs) > 1 else None
    return Figure(mean(runs), deviation, difference(plain), difference(reference))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _error(figure: Figure | None) -> str:
    if figure is None:
        return ""
    spread = "" if figure.deviation is None else f" ± {figure.deviation:.3f}"
    return f"{figure.mean:.3f}{spread}"


def _difference(figure: Figure | None, to: Literal["to_plain", "to_reference"]) -> str:
    difference: Difference | None = None if figure is None else getattr(figure, to)
    if difference is None:
        return ""
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _section(heading: str, titles: list[str], rows: list[tuple[str, list[str]]]) -> list[str]:
    """Lines of a table of the rows that are not empty; none without such rows."""
    filled = [_line([name, *cells]) for name, cells in rows if any(cells)]
    if not filled:
        return []
    return ["", _line([heading, *titles]), _line(["---"] * (1 + len(titles))), *filled]


BEGIN, END = "<!-- mlanet ablate: begin -->", "<!-- mlanet ablate: end -->"
"""Lines of a page between which the table stands."""

ROW_HEIGHT_IN, PANEL_WIDTH_IN = 0.34, 3.2


def write_report(table: Table, out: Path) -> list[Path]:
    """Write `table.md`, `table.json` and `differences.png` into a folder.

    Returns:
        The paths; without the picture if there is nothing to compare.
    """
    texts = {"table.md": table.markdown(), "table.json": json.dumps(table.as_dict(), indent=2)}
    for name, text in texts.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(text.rstrip() + "\n", encoding="utf-8")
    paths = [out / name for name in texts]
    if any(figure.to_plain for row in table.rows for figure in row.figures.values()):
        paths.append(out / "differences.png")
        draw_differences(table, paths[-1])
    return paths


def draw_differences(table: Table, path: Path) -> None:
    """Draw each row's difference to `PLAIN` with its interval, one panel for each metric."""
    from matplotlib.figure import Figure

    metrics = [name for name in TITLES if any(name in row.figures for row in table.rows)]
    names = [row.name for row in table.rows]
    size = (2.2 + PANEL_WIDTH_IN * len(metrics), 1.0 + ROW_HEIGHT_IN * len(names))
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels: Any = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for panel, metric in zip(panels, metrics, strict=True):
        for place, row in enumerate(table.rows):
            difference = row.figures[metric].to_plain if metric in row.figures else None
            if difference is not None:
                interval = [[difference.mean - difference.low], [difference.high - difference.mean]]
                better = difference.high < 0.0
                color = "tab:green" if better else "tab:red" if difference.low > 0.0 else "tab:gray"
                panel.errorbar(
                    difference.mean, place, xerr=interval, fmt="o", color=color, capsize=3
                )
        panel.axvline(0.0, color="black", linewidth=0.8)
        title, unit = TITLES[metric]
        panel.set_title(title, fontsize=10)
        panel.set_xlabel(f"{'points' if unit == '%' else unit} more than {PLAIN}", fontsize=9)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def write_block(page: Path, text: str) -> None:
    """Replace what stands between `BEGIN` and `END` in a page.

    Raises:
        DataError: the page cannot be read or does not have both marks, once each.
    """
    try:
        content = page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{page}: cannot be read ({error})") from error
    if content.count(BEGIN) != 1 or content.count(END) != 1:
        raise DataError(f"{page}: needs the lines {BEGIN} and {END}, once each")
    head, rest = content.split(BEGIN)
    tail = rest.split(END)[-1]
    with atomic_path(page) as temporary:
        temporary.write_text(f"{head}{BEGIN}\n{text.strip()}\n{END}{tail}", encoding="utf-8")
