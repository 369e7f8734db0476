"""Write reference/expressions.md's table of expressions: `python docs/make_expression_table.py`."""

import argparse
from pathlib import Path

import numpy as np

from mlanet.morphable import MorphableModel

PAGE = Path(__file__).resolve().parent / "reference/expressions.md"
START, END = "<!-- expressions: make_expression_table.py -->", "<!-- end of expressions -->"

ONE_SIDE = 0.75
"""Share of the squared displacements on one side of a face that makes an expression one-sided."""

MOVED_MM = 0.5
"""A part that moves less is not named."""

AREAS = (("jaw", 0), ("brow", 17), ("nose", 27), ("eye", 36), ("mouth", 48))
"""Names of areas, and the first of the landmarks in them."""


def main() -> None:
    """Replace the table between the page's two marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="instead of the embedded one")
    given = parser.parse_args()
    page = PAGE.read_text()
    before, rest = page.split(START)
    _, after = rest.split(END)
    table = "\n".join(table_lines(MorphableModel.load(given.model)))
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}")


def table_lines(model: MorphableModel) -> list[str]:
    """Markdown rows: name, largest displacement, its side, its part and area, parts that move."""
    rest, part = model.subdivide(model.shape.mean), parts_of(model)
    rows = [
        "| expression | largest displacement, mm | side | it lies on | near | parts that move |",
        "|---|---|---|---|---|---|",
    ]
    for k, name in enumerate(model.expression_names):
        moved = np.linalg.norm(model.subdivide(model.shape.expression[..., k]), axis=1)
        largest = int(moved.argmax())
        cells = (
            f"`{name}`",
            f"{moved[largest]:.1f}",
            side_of(rest, moved),
            f"`{model.part_names[part[largest]]}`",
            area_of(rest[largest], model.landmarks.mean),
            ", ".join(
                f"`{part_name}`"
                for number, part_name in enumerate(model.part_names)
                if moved[part == number].max() > MOVED_MM
            ),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def parts_of(model: MorphableModel) -> np.ndarray:
    """Number (w,) of the part of each decoded vertex."""
    part = np.zeros(model.topology.num_vertices, int)
    for number, name in enumerate(model.part_names):
        part[np.unique(model.topology.faces[model.faces_of(name)])] = number
    return part


def side_of(rest: np.ndarray, moved: np.ndarray) -> str:
    """On which of the subject's sides an expression lies: left is x > 0."""
    left, right = ((moved[way * rest[:, 0] > 0] ** 2).sum() for way in (1, -1))
    if max(left, right) < ONE_SIDE * (left + right):
        return "both"
    return "left" if left > right else "right"


def area_of(point: np.ndarray, landmarks: np.ndarray) -> str:
    """The area of the landmark nearest to a point (3,)."""
    nearest = int(np.linalg.norm(landmarks - point, axis=1).argmin())
    return [name for name, first in AREAS if first <= nearest][-1]


if __name__ == "__main__":
    main()
