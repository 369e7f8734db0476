"""report.json of unknown origin: checked content out, or an error."""

import json
import math
from pathlib import Path
from typing import Any

from mlanet.errors import DataError


def read_run(path: Path) -> dict[str, Any]:
    """Content of a report.json of mlanet evaluate.

    Raises:
        DataError: the file is missing, no report, or its errors of single images are no columns
            of one length: strings under `name`, numbers or nothing under the other names.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_int=_whole)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a readable report.json ({error})") from error
    if not isinstance(content, dict) or "protocol" not in content:
        raise DataError(f"{path}: not a report.json of mlanet evaluate")
    _check_columns(path, content.get("per_image"))
    return content


def _whole(digits: str) -> int | float:
    """JSON knows whole numbers that no float can hold; those become infinite."""
    number = float(digits)
    return int(number) if abs(number) < 2.0**53 else number


def _check_columns(path: Path, table: object) -> None:
    if table is None:
        return
    if not isinstance(table, dict) or not all(isinstance(c, list) for c in table.values()):
        raise DataError(f"{path}: 'per_image' must hold columns")
    if len({len(column) for column in table.values()}) > 1:
        raise DataError(f"{path}: the columns of 'per_image' differ in length")
    names = table.get("name", [])
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise DataError(f"{path}: 'name' in 'per_image' must hold different names")
    for key, column in table.items():
        if key != "name" and not all(_is_number_or_none(value) for value in column):
            raise DataError(f"{path}: {key!r} in 'per_image' must hold numbers or null")


def _is_number_or_none(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
