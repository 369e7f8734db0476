"""The ablation's files: table as Markdown and JSON, plot, block in a page of documentation."""

import json
from pathlib import Path
from typing import Any

from mlanet.errors import DataError
from mlanet.experiments.rows import PLAIN
from mlanet.experiments.table import TITLES, Table
from mlanet.files import atomic_path

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
            found = row.figures[metric].to_plain if metric in row.figures else None
            if found is not None:
                interval = [[found.mean - found.low], [found.high - found.mean]]
                better = found.high < 0.0
                color = "tab:green" if better else "tab:red" if found.low > 0.0 else "tab:gray"
                panel.errorbar(found.mean, place, xerr=interval, fmt="o", color=color, capsize=3)
        panel.axvline(0.0, color="black", linewidth=0.8)
        panel.set_title(TITLES[metric], fontsize=10)
        panel.set_xlabel(f"points of NME to {PLAIN}", fontsize=9)
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
