from html.parser import HTMLParser

import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.evaluation.reporting import Column, Line, Plot, Table
from mlanet.evaluation.reporting.page import (
    Page,
    PictureGrid,
    PictureRow,
    html,
    markdown,
    markdown_table,
)

NME = Column("nme", "%", digits=1)


@pytest.fixture
def page():
    picture = np.full((8, 8, 3), 90, np.uint8)
    return Page(
        title="a & b <c>",
        facts=(("Protocol", "sqrt(w*h)"),),
        tables=(Table("Errors", (Column("|yaw|"), NME), (("0-30", 2.5),), "A <note>."),),
        plots=(Plot("Curve", "error", "share", 7.0, 1.0, (Line("m", [0, 7], [0, 1]),)),),
        grids=(PictureGrid("Faces", ("photo",), (PictureRow('x"y', (picture,)),)),),
    )


class Reader(HTMLParser):
    VOID = ("meta", "img", "link", "br", "line", "polyline", "path")

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_loads_nothing(page):
    read = Reader(html(page))
    assert read.open == []
    tags = [tag for tag, _ in read.tags]
    assert not {"script", "link", "iframe", "object"} & set(tags)
    for _, attributes in read.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "data"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "a & b <c>" in read.words
    assert tags.count("img") == 1
    assert next(a["alt"] for tag, a in read.tags if tag == "img") == 'x"y'


def test_curves_reach_from_corner_to_corner(page):
    (points,) = [a["points"] for tag, a in Reader(html(page)).tags if tag == "polyline"]
    (x0, y0), (x1, y1) = (map(float, pair.split(",")) for pair in points.split())
    assert (x0, y0, x1, y1) == (56.0, 276.0, 544.0, 16.0)


def test_plots_without_extent_are_refused(page):
    with pytest.raises(DataError, match="limits"):
        html(Page("t", (), (), (Plot("p", "x", "y", 0.0, 1.0, ()),)))


def test_markdown_has_the_tables(page):
    text = markdown(page)
    assert text.startswith("# a &amp; b &lt;c&gt;\n")
    assert markdown_table(page.tables[0]) == [
        "| \\|yaw\\| | nme % |",
        "| --- | ---: |",
        "| 0-30 | 2.5 |",
    ]
    assert "| 0-30 | 2.5 |" in text
    assert "A &lt;note&gt;." in text


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("two\n\nlines ", "two lines"),
        ("<b>&", "&lt;b&gt;&amp;"),
    ],
)
def test_cells_neither_end_their_row_nor_hold_html(cell, expected):
    table = Table("t", (Column("a"), Column("b")), ((cell, 1),))
    assert markdown_table(table)[2] == f"| {expected} | 1 |"
