"""Test that CSV of every dialect becomes tables that can be read alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.text import csv_rows as tabular
from ingest_assets_tests.parsers.reading import file, parts_of, texts_of


@pytest.mark.parametrize(
    "source",
    [
        "name,city\nAda,London\n",
        "name;city\nAda;London\n",
        "name\tcity\r\nAda\tLondon\r\n",
        "name|city\nAda|London",
        '"name","city"\n"Ada","London"\n',
        "sep=;\nname;city\nAda;London\n",
        "\ufeffname,city\n\n\nAda,London\n",
    ],
)
def test_the_delimiter_is_found(tmp_path: Path, source: str) -> None:
    assert texts_of(tabular, file(tmp_path, source)) == ["| name | city |\n| --- | --- |\n| Ada | London |"]


def test_commas_in_values_do_not_outvote_the_delimiter(tmp_path: Path) -> None:
    source = "a;b\n1,5;2,5\n3,5;4,5\n"
    assert texts_of(tabular, file(tmp_path, source)) == ["| a | b |\n| --- | --- |\n| 1,5 | 2,5 |\n| 3,5 | 4,5 |"]


def test_quoted_line_ends_and_pipes_stay_in_their_cell(tmp_path: Path) -> None:
    source = 'a,b\n"one\ntwo","x|y"\n'
    assert texts_of(tabular, file(tmp_path, source)) == ["| a | b |\n| --- | --- |\n| one two | x\\|y |"]


def test_lines_above_the_header_are_text_and_no_header(tmp_path: Path) -> None:
    rows = "".join(f"2026-05-{day:02},rain,{day}\n" for day in range(1, 29)) * 8
    source = f"Statement of the station\n\nMay,,\nDate,Text,Amount\n{rows}"
    title, month, first, second = texts_of(tabular, file(tmp_path, source))
    assert (title, month) == ("Statement of the station", "May")
    assert first.splitlines()[0] == second.splitlines()[0] == "| Date | Text | Amount |"


def test_a_space_before_a_quote_is_no_part_of_the_cell(tmp_path: Path) -> None:
    source = 'name, title\n1, "Doe, John"\n2, "Roe, Jane"\n'
    assert texts_of(tabular, file(tmp_path, source)) == [
        "| name | title |\n| --- | --- |\n| 1 | Doe, John |\n| 2 | Roe, Jane |"
    ]


def test_a_quote_that_never_closes_swallows_no_rows_between_tabs(tmp_path: Path) -> None:
    (table,) = texts_of(tabular, file(tmp_path, 'id\tn\n"open\t0\nplain\t1\nlast\t2\n'))
    assert table.splitlines()[2:] == ['| "open | 0 |', "| plain | 1 |", "| last | 2 |"]
    (table,) = texts_of(tabular, file(tmp_path, 'id\tn\n1\t"two\nlines"\n2\tx\n3\ty\n'))
    assert table.splitlines()[2:] == ["| 1 | two lines |", "| 2 | x |", "| 3 | y |"]


def test_a_cell_quoted_against_excel_is_text(tmp_path: Path) -> None:
    assert texts_of(tabular, file(tmp_path, 'city,code\nLeipzig,="04109"\n'))[0].endswith("| Leipzig | 04109 |")


def test_a_backslash_before_a_quote_keeps_it_inside(tmp_path: Path) -> None:
    source = 'who,said\nAda,"it \\"works\\", she said"\nBob,"a ""b"" c"\nEve,x\n'
    (table,) = texts_of(tabular, file(tmp_path, source))
    assert table.splitlines()[2:] == ['| Ada | it "works", she said |', '| Bob | a "b" c |', "| Eve | x |"]
    source = '1,"a\\nb, with \\"quotes\\", ok","C:\\temp\\new"\n2,plain,C:\\Users\\bob\n3,x,y\n'
    (table,) = texts_of(tabular, file(tmp_path, source))
    assert table.splitlines()[0] == '| 1 | a\\nb, with "quotes", ok | C:\\temp\\new |'
    assert table.splitlines()[2] == "| 2 | plain | C:\\Users\\bob |"
    source = '1,"path \\\\"\n2,"say \\"a, b\\""\n3,"c"\n'
    assert len(texts_of(tabular, file(tmp_path, source))[0].splitlines()) == 4
    (path,) = texts_of(tabular, file(tmp_path, 'name,folder\nAda,"C:\\"\nBob,"D:\\"\n'))
    assert path.splitlines()[2:] == ["| Ada | C:\\ |", "| Bob | D:\\ |"]


def test_a_column_of_prose_is_one_column(tmp_path: Path) -> None:
    source = "comment\nIt rained, and it blew.\nQuiet\nFog, rain, and then, at last, sun\n"
    assert texts_of(tabular, file(tmp_path, source)) == [
        "| comment |\n| --- |\n| It rained, and it blew. |\n| Quiet |\n| Fog, rain, and then, at last, sun |"
    ]


def test_a_title_over_tables_of_several_widths_does_not_turn_them_into_prose(tmp_path: Path) -> None:
    source = "Bank statement\nAccount;DE12\nFrom;01.01\nTo;31.01\n\nDate;Text;Amount;Balance\n1;a;2;3\n2;a;2;3\n"
    assert "| Date | Text | Amount | Balance |" in "\n".join(texts_of(tabular, file(tmp_path, source)))


def test_only_a_line_end_ends_a_row(tmp_path: Path) -> None:
    (table,) = texts_of(tabular, file(tmp_path, "id,text\n1,first\u2028second\n2,third\n"))
    assert table.splitlines()[2:] == ["| 1 | first second |", "| 2 | third |"]


def test_ragged_rows_lose_nothing(tmp_path: Path) -> None:
    table = texts_of(tabular, file(tmp_path, "a,b\n1\n1,2,3\n"))[0]
    assert table.splitlines() == ["| a | b |  |", "| --- | --- | --- |", "| 1 |  |  |", "| 1 | 2 | 3 |"]


def test_each_part_repeats_the_header(tmp_path: Path) -> None:
    path = file(tmp_path, "id,name\n" + "".join(f"{number},name {number}\n" for number in range(1_000)))
    parts = parts_of(tabular, path)
    assert len(parts) == 5
    assert all(part.elements[0].text.startswith("| id | name |") for part in parts)
    assert "| 999 | name 999 |" in parts[-1].elements[0].text
    assert parts_of(tabular, path, start=4) == parts[3:]


def test_five_thousand_columns_are_read(tmp_path: Path) -> None:
    row = ",".join(f"c{number}" for number in range(5_000))
    texts = texts_of(tabular, file(tmp_path, f"{row}\n{row}\n"))
    assert "c4999" in texts[-1]


def test_a_header_alone_is_a_table(tmp_path: Path) -> None:
    assert texts_of(tabular, file(tmp_path, "a,b\n")) == ["| a | b |\n| --- | --- |"]


def test_an_open_quote_over_megabytes_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="quote may be open"):
        parts_of(tabular, file(tmp_path, 'a,b\n1,"' + "x y z\n" * 400_000))


def test_a_wide_header_is_cut_to_narrow_rows(tmp_path: Path) -> None:
    source = ",".join(f"c{number}" for number in range(9_000)) + "\n" + "1,2\n" * 9_000
    path = file(tmp_path, source)
    assert sum(map(len, texts_of(tabular, path))) < 6 * len(source)


def test_a_row_that_is_wider_than_its_table_stands_as_it_was_written(tmp_path: Path) -> None:
    texts = texts_of(tabular, file(tmp_path, "1,2\na,b\na,b,c\na,b\n"))
    assert [text for text in texts if "|" not in text] == ["a,b,c"]


def test_a_cell_longer_than_the_default_of_the_library_is_read(tmp_path: Path) -> None:
    csv.field_size_limit(131_072)  # another test may have raised it in this process
    texts = texts_of(tabular, file(tmp_path, f'id,text\n1,"{"The cell goes on. " * 9_000}"\n2,short\n'))
    assert "".join(texts).count("goes") == 9_000
    assert texts[-1].endswith("| 2 | short |")


def test_a_cell_without_end_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a quote may be open"):
        parts_of(tabular, file(tmp_path, f'id,text\n1,"{"The cell goes on. " * 60_000}\n'))
