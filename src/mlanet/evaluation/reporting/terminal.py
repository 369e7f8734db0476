"""A report's page in the terminal."""

from re import sub

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mlanet.evaluation.reporting.page import Page
from mlanet.evaluation.reporting.table import Table

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
