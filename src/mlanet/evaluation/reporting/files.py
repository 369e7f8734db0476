"""Files of a report: written whole or not at all."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlanet.errors import DataError
from mlanet.evaluation.reporting.page import Page, html, markdown
from mlanet.evaluation.reporting.table import Table
from mlanet.files import atomic_path, read_json
from mlanet.image import write_image

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
