"""Reports for people: one page of tables, curves and pictures as Markdown, HTML, in the terminal.

The HTML file holds everything that it shows: pictures as data URIs, curves as SVG, no scripts.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from re import sub
from typing import Any

import numpy as np
from jaxtyping import UInt8
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mlanet.errors import DataError
from mlanet.evaluation.reporting.plots import NUM_Y_TICKS, Plot
from mlanet.evaluation.reporting.table import Table

WIDTH, HEIGHT = 560.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 16.0, 44.0
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, which readers with any colour vision tell apart."""

JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True, eq=False)
class PictureRow:
    """Pictures side by side, and what is written beside them."""

    caption: str
    tiles: tuple[UInt8[np.ndarray, "h w 3"], ...]


@dataclass(frozen=True, slots=True, eq=False)
class PictureGrid:
    """Rows of pictures under named columns.

    The note stands above them. A PNG file of that name, if it is not empty, holds all of them, too.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[PictureRow, ...]
    note: str = ""
    file: str = ""

    @property
    def whole(self) -> UInt8[np.ndarray, "h w 3"]:
        """All pictures as one."""
        return np.concatenate([np.concatenate(row.tiles, axis=1) for row in self.rows])


@dataclass(frozen=True, slots=True)
class Page:
    """Sections in the order in which they are shown."""

    title: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    grids: tuple[PictureGrid, ...] = ()


def markdown(page: Page) -> str:
    """The facts and tables of a page."""
    lines = [f"# {markdown_text(page.title)}", ""]
    lines += [f"- {markdown_text(name)}: {markdown_text(value)}" for name, value in page.facts]
    for table in page.tables:
        lines += ["", f"## {markdown_text(table.name)}", "", *markdown_table(table)]
        if table.note:
            lines += ["", markdown_text(table.note)]
    return "\n".join(lines) + "\n"


def markdown_text(text: str) -> str:
    """Text on one line that Markdown shows as it is: no HTML, no escapes."""
    return " ".join(escape(text, quote=False).replace("\\", "\\\\").split())


def markdown_table(table: Table) -> list[str]:
    """Lines of a table, without its name."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(markdown_text(cell).replace("|", "\\|") for cell in cells) + " |"

    rule = ["---"] + ["---:"] * (len(table.columns) - 1)
    return [line(table.headings), line(rule), *map(line, table.shown)]


def html(page: Page) -> str:
    """The whole page as one self-contained HTML file."""
    plots = [_drawn(plot) for plot in page.plots]
    return _template().render(page=page, plots=plots, data_uri=data_uri)


def data_uri(picture: UInt8[np.ndarray, "h w 3"]) -> str:
    """A picture as an address that needs no network."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")


def _drawn(plot: Plot) -> dict[str, Any]:
    """Coordinates of a plot in the SVG's units."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def across(x: float) -> float:
        return round(LEFT + (right - LEFT) * x / plot.x_limit, 2)

    def down(y: float) -> float:
        return round(bottom - (bottom - TOP) * y / plot.y_limit, 2)

    def ticks(limit: float, number: int) -> list[float]:
        return [limit * k / number for k in range(number + 1)]

    if plot.x_limit <= 0 or plot.y_limit <= 0:
        raise DataError(f"the plot {plot.title} needs positive limits")
    return {
        "plot": plot,
        "box": (LEFT, TOP, right, bottom),
        "size": (WIDTH, HEIGHT),
        "x_ticks": [(across(x), f"{x:g}") for x in ticks(plot.x_limit, plot.num_x_ticks)],
        "y_ticks": [(down(y), f"{y:g}") for y in ticks(plot.y_limit, NUM_Y_TICKS)],
        "lines": [
            {
                "name": line.name,
                "color": COLORS[k % len(COLORS)],
                "points": " ".join(
                    f"{across(x)},{down(y)}" for x, y in zip(line.x, line.y, strict=True)
                ),
            }
            for k, line in enumerate(plot.lines)
        ],
    }


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mlanet.evaluation.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


GAP = 2
"""Between columns."""


def print_page(page: Page) -> None:
    """Print facts and brief tables, not the versions; text is shown as it is, markup is none."""
    console = Console(markup=False, highlight=False)
    console.print(Text(page.title, style="bold"))
    for name, value in page.facts:
        if name != "versions":
            console.print(f"{name}: {value}")
    for table in page.tables:
        if table.brief:
            console.print(_rich_table(table, console.width))


def _rich_table(table: Table, width: int) -> RichTable:
    """The table; where it is too wide, headings are broken behind _ and -, then words are."""
    columns = list(zip(table.headings, *table.shown, strict=True))
    if sum(max(map(len, column)) + GAP for column in columns) > width:
        columns = [(sub("([_-])", r"\1\n", heading), *cells) for heading, *cells in columns]
    words = [
        max(len(word) for text in column for word in [*text.split(), ""]) for column in columns
    ]
    fits = sum(words) + GAP * len(words) <= width
    below = Text(table.note, style="table.caption") if table.note else None
    drawn = RichTable(
        title=Text(table.name, style="table.title"),
        caption=below,
        box=None,
        padding=(0, GAP, 0, 0),
    )
    for number, ((heading, *_), longest) in enumerate(zip(columns, words, strict=True)):
        drawn.add_column(
            Text(heading),
            justify="right" if number else "left",
            overflow="fold",
            min_width=longest if fits else None,
        )
    for row in table.shown:
        drawn.add_row(*map(Text, row))
    return drawn
