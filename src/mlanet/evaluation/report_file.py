"""Files of a report: written whole or not at all, and read with all content checked."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlanet.errors import DataError
from mlanet.evaluation.page import Page, html, markdown
from mlanet.files import atomic_path, read_json

SINGLE_ERRORS = ("per_image", "per_head", "per_subject")
"""Parts of reports that hold errors in columns, one row for each image, head or subject."""


def save_report(
    folder: Path,
    content: Mapping[str, Any],
    table_name: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> Path:
    """Write `report.json` and, before it, a table of single results as CSV.

    Returns:
        The path of the report.

    Raises:
        DataError: the folder cannot be written.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_texts(folder, {table_name: table.getvalue()})
    return save_content(folder, content)


def save_content(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `report.json`.

    Returns:
        Its path.

    Raises:
        DataError: the folder cannot be written.
    """
    write_texts(folder, {"report.json": json.dumps(content, indent=2, allow_nan=False) + "\n"})
    return folder / "report.json"


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


def write_pages(folder: Path, page: Page) -> None:
    """Write `report.md` and `report.html`; both atomically.

    Raises:
        DataError: the folder cannot be written.
    """
    write_texts(folder, {"report.md": markdown(page), "report.html": html(page)})


def read_run(path: Path) -> dict[str, Any]:
    """Content of a report.json of mlanet evaluate.

    Raises:
        DataError: the file is missing, no report, or its errors of single images are no columns
            of one length: strings under `name`, numbers or nothing under the other names.
    """
    content = read_json(path, DataError, what="a readable report.json", parse_int=_whole)
    if not isinstance(content, dict) or "protocol" not in content:
        raise DataError(f"{path}: not a report.json of mlanet evaluate")
    for key in SINGLE_ERRORS:
        _check_columns(path, key, content.get(key))
    return content


def _whole(digits: str) -> int | float:
    """JSON knows whole numbers that no float can hold; those become infinite."""
    number = float(digits)
    return int(number) if abs(number) < 2.0**53 else number


def _check_columns(path: Path, key: str, table: object) -> None:
    if table is None:
        return
    if not isinstance(table, dict) or not all(isinstance(c, list) for c in table.values()):
        raise DataError(f"{path}: {key!r} must hold columns")
    if len({len(column) for column in table.values()}) > 1:
        raise DataError(f"{path}: the columns of {key!r} differ in length")
    names = table.get("name", [])
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise DataError(f"{path}: 'name' in {key!r} must hold different names")
    for name, column in table.items():
        if name != "name" and not all(_is_number_or_none(value) for value in column):
            raise DataError(f"{path}: {name!r} in {key!r} must hold numbers or null")


def _is_number_or_none(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
