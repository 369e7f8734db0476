import pytest

from mlanet.evaluation.reporting import Column, Table, number


def test_values_are_shown_by_their_kind():
    column = Column("error", "mm", digits=2)
    assert column.heading == "error mm"
    shown = [column.shown(value) for value in (1.0, 1, "a", None, True, False)]
    assert shown == ["1.00", "1", "a", "-", "yes", "no"]
    assert [number(value) for value in (float("nan"), None, 2.0)] == [None, None, 2.0]


def test_values_are_found_by_names_of_rows_and_columns():
    table = Table("t", (Column("name"), Column("a"), Column("b")), (("x", 1, 2), ("y", 3, 4)))
    assert table.values("b") == [2, 4]
    assert table.value("y", "a") == 3
    for names in (("z", "a"), ("x", "c")):
        with pytest.raises(KeyError):
            table.value(*names)


@pytest.mark.parametrize(
    ("columns", "row"), [(("a", "b"), (1,)), (("a", "b"), (1, 2, 3)), (("a", "a"), (1, 2))]
)
def test_tables_that_do_not_fit_are_refused(columns, row):
    with pytest.raises(ValueError, match=r"^t: "):
        Table("t", tuple(map(Column, columns)), (row,))
