"""What an evaluation found: one report for all protocols, and its files."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlanet.errors import DataError
from mlanet.evaluation.reporting.page import Page, PictureGrid, html, markdown
from mlanet.evaluation.reporting.plots import Plot
from mlanet.evaluation.reporting.table import Cell, Column, Table
from mlanet.files import atomic_path, parsing, read_json
from mlanet.image import write_image
from mlanet.metrics import YAW_BINS

MAX_ROWS = 200
"""So many single results are shown on the page, too."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is measured.

    Reports are compared only if they agree in its name; the definition is that of its figures.
    """

    name: str
    definition: str


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Figures of a method under a protocol: it prints, writes and reads itself.

    Attributes:
        protocol: what was measured.
        rows: single results, of which the tables are made, if there are such; `mlanet evaluate
            compare` pairs them.
        tables: the figures.
        method: name of what was tested.
        versions: of weights and assets.
        conditions: how the run was made.
        plots: curves; files do not keep them.
        pictures: for people; `report.json` does not hold them.
    """

    protocol: Protocol
    rows: Table | None
    tables: tuple[Table, ...]
    method: str = "mlanet"
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    conditions: Mapping[str, Cell] = field(default_factory=dict[str, Cell])
    plots: tuple[Plot, ...] = ()
    pictures: tuple[PictureGrid, ...] = ()

    def table(self, name: str) -> Table:
        """The table of that name.

        Raises:
            KeyError: there is none.
        """
        return {table.name: table for table in self.tables}[name]

    @property
    def page(self) -> Page:
        """All for people."""
        facts = [("Protocol", f"{self.protocol.name}: {self.protocol.definition}")]
        facts += [(name, Column(name).shown(value)) for name, value in self.conditions.items()]
        facts += [("versions", ", ".join(f"{k} {v}" for k, v in self.versions.items()) or "-")]
        title = f"{self.method}: {self.protocol.name}"
        tables = self.tables
        if self.rows is not None and len(self.rows.rows) <= MAX_ROWS:
            tables = (*tables, self.rows)
        return Page(title, tuple(facts), tables, self.plots, self.pictures)

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "format": FORMAT,
            "protocol": self.protocol.name,
            "definition": self.protocol.definition,
            "method": self.method,
            "conditions": dict(self.conditions),
            "versions": dict(self.versions),
            "tables": {table.name: _packed(table) for table in self.tables},
            "rows": {} if self.rows is None else {self.rows.name: _packed(self.rows)},
        }

    @classmethod
    def read(cls, path: Path) -> "Report":
        """A report from its `report.json`, without curves and pictures.

        Raises:
            DataError: the file is missing, no report, or malformed.
        """
        content = read_content(path)
        with parsing(path, "a malformed report.json", DataError):
            rows = [_unpacked(*table) for table in content["rows"].items()]
            return cls(
                protocol=Protocol(str(content["protocol"]), str(content["definition"])),
                method=str(content["method"]),
                versions={str(k): str(v) for k, v in content["versions"].items()},
                rows=rows[0] if rows else None,
                tables=tuple(_unpacked(*table) for table in content["tables"].items()),
                conditions={k: _cell(v) for k, v in content["conditions"].items()},
            )

    def write(self, folder: Path) -> list[Path]:
        """Write `report.json`, the rows as CSV, `report.md`, `report.html`, and pictures.

        Returns:
            The paths of all that was written, `report.json` first.

        Raises:
            DataError: the folder cannot be written.
        """
        return write_files(folder, self.as_dict(), self.rows, self.page)


def _packed(table: Table) -> dict[str, Any]:
    """A table's columns by name: what they are, and their values."""
    defaults = asdict(Column(""))
    columns: dict[str, Any] = {}
    for column in table.columns:
        told = {key: value for key, value in asdict(column).items() if value != defaults[key]}
        columns[told.pop("name")] = told | {"values": table.values(column.name)}
    return {"note": table.note, "brief": table.brief, "columns": columns}


def _unpacked(name: str, packed: dict[str, Any]) -> Table:
    """The table again.

    Raises:
        ValueError: the columns differ in length, or hold what such a column cannot.
    """
    columns = [_column(str(key), told) for key, told in packed["columns"].items()]
    values = [[_cell(value) for value in told["values"]] for told in packed["columns"].values()]
    for column, held in zip(columns, values, strict=True):
        if column.use == "figure" and any(isinstance(value, str) for value in held):
            raise ValueError(f"{column.name} holds text")
        if column.use == "yaw bin" and not set(held) <= {*YAW_BINS, None}:
            raise ValueError(f"{column.name} holds what is no yaw bin")
    rows = tuple(zip(*values, strict=True))
    return Table(name, tuple(columns), rows, str(packed["note"]), bool(packed["brief"]))


def _column(name: str, told: dict[str, Any]) -> Column:
    missing, limit = (told.get(key) for key in ("if_missing", "limit"))
    return Column(
        name,
        str(told.get("unit", "")),
        int(told.get("digits", 3)),
        told.get("use", ""),
        bool(told.get("alike", False)),
        None if missing is None else float(missing),
        None if limit is None else float(limit),
    )


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and abs(value) < float("inf"):
        return value
    raise ValueError(f"{value!r} is neither text nor a number")


FORMAT = 2
"""Of `report.json`."""


def write_files(
    folder: Path, content: Mapping[str, Any], rows: Table | None, page: Page
) -> list[Path]:
    """Write `report.json`, the rows as CSV, `report.md`, `report.html`, and pictures as PNG.

    Returns:
        The paths of all that was written.

    Raises:
        DataError: the folder cannot be written.
    """
    texts = {
        "report.json": json.dumps(content, indent=2, allow_nan=False) + "\n",
        "report.md": markdown(page),
        "report.html": html(page),
    }
    if rows is not None:
        texts[f"{rows.name}.csv"] = csv_text(rows)
    write_texts(folder, texts)
    written = [folder / name for name in texts]
    try:
        for grid in page.grids:
            if grid.file and grid.rows:
                written.append(folder / grid.file)
                write_image(written[-1], grid.whole)
    except OSError as error:
        raise DataError(f"{folder}: the report cannot be written ({error})") from error
    return written


def csv_text(table: Table) -> str:
    """A table as CSV: all digits, nothing where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows([int(v) if isinstance(v, bool) else v for v in row] for row in table.rows)
    return text.getvalue()


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write text files of a report into its folder.

    Raises:
        DataError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with atomic_path(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"{folder}: the report cannot be written ({error})") from error


def read_content(path: Path) -> dict[str, Any]:
    """Content of a `report.json`.

    Raises:
        DataError: the file is missing, or no report of this format.
    """
    content = read_json(path, DataError, what="a readable report.json", parse_int=_whole)
    if not isinstance(content, dict) or "protocol" not in content:
        raise DataError(f"{path}: not a report.json of mlanet evaluate")
    if content.get("format") != FORMAT:
        raise DataError(f"{path}: a report.json of another version of mlanet; evaluate again")
    return content


def _whole(digits: str) -> int | float:
    """JSON knows whole numbers that no float can hold; those become infinite."""
    number = float(digits)
    return int(number) if abs(number) < 2.0**53 else number
