"""Each pipe table has the header, so that it can be read alone."""

from __future__ import annotations

from ingest_assets.parsers.building.pipe_tables import pipe_tables


def test_cells_are_escaped_and_rows_filled() -> None:
    assert list(pipe_tables([["a", "b|c"], ["x\ny"], ["", " "], ["1", "2"]])) == [
        "| a | b\\|c |\n| --- | --- |\n| x y |  |\n| 1 | 2 |"
    ]


def test_a_long_table_is_several_with_the_same_header() -> None:
    tables = list(pipe_tables([["id"], *([str(number)] for number in range(1_000))], max_chars=1_000))
    assert len(tables) > 5
    assert all(table.startswith("| id |\n| --- |\n") for table in tables)
    assert sum(table.count("\n") - 1 for table in tables) == 1_000


def test_nothing_is_no_table() -> None:
    assert list(pipe_tables([])) == []
    assert list(pipe_tables([["", " "]])) == []
