"""Tables of a report: named columns with units, one value a row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Cell: TypeAlias = str | float | int | None
"""A value; None where there is none. Truth values are whole numbers, too."""

ColumnUse: TypeAlias = Literal["", "case", "group", "yaw bin", "figure"]


@dataclass(frozen=True, slots=True)
class Column:
    """What the values of a column are.

    Attributes:
        name: of the quantity, as the protocol calls it.
        unit: of the values.
        digits: behind the point, for people; files hold all digits.
        use: when runs are compared. A `figure` is compared; in the report's rows, `case` says which
            rows of two runs belong together, `group` which of them are compared apart, and
            `yaw bin` in which bin of `YAW_BINS` a row lies.
        alike: the figure is averaged over all cases alike, whatever their yaw bins.
        if_missing: value that counts where the figure is missing; without it such a case is left
            out.
        limit: where curves of cumulative errors end; without it, beyond the largest one.
    """

    name: str
    unit: str = ""
    digits: int = 3
    use: ColumnUse = ""
    alike: bool = False
    if_missing: float | None = None
    limit: float | None = None

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f"{self.name} {self.unit}".strip()

    def shown(self, value: Cell) -> str:
        """A value for people."""
        if value is None:
            return "-"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:.{self.digits}f}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns; the first one names the rows.

    The note stands below the table; a terminal shows `brief` ones alone.

    Raises:
        ValueError: a row has another length, or two columns have one name.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    brief: bool = True

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.name}: a row has not {len(self.columns)} values")
        if len({column.name for column in self.columns}) != len(self.columns):
            raise ValueError(f"{self.name}: two columns have one name")

    @property
    def headings(self) -> tuple[str, ...]:
        """Of all columns."""
        return tuple(column.heading for column in self.columns)

    @property
    def shown(self) -> list[tuple[str, ...]]:
        """All rows for people."""
        return [
            tuple(c.shown(v) for c, v in zip(self.columns, row, strict=True)) for row in self.rows
        ]

    def used(self, use: ColumnUse) -> list[Column]:
        """Columns of that use."""
        return [column for column in self.columns if column.use == use]

    def values(self, name: str) -> list[Any]:
        """A column's values.

        Raises:
            KeyError: there is no such column.
        """
        index = {column.name: k for k, column in enumerate(self.columns)}[name]
        return [row[index] for row in self.rows]

    def value(self, row: str, column: str) -> Any:
        """The value of the row of that name in a column.

        Raises:
            KeyError: there is no such row or column.
        """
        return dict(zip((r[0] for r in self.rows), self.values(column), strict=True))[row]


def number(value: float | None) -> float | None:
    """A float as files can hold it: None if it is not a number."""
    return None if value is None or math.isnan(value) else float(value)


def text_table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    """A table of names and texts, for pages and files."""
    kept = tuple(tuple(row) for row in rows)
    return Table(name, tuple(Column(column) for column in columns), kept, brief=False)
