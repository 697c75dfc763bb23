"""Tables of PDFs are found in small files, one kind per file; similar content is not read as a table."""

from __future__ import annotations

from pathlib import Path

from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.pdf.pdf_files import PROSE, Line, Page, column, elements, write

ROWS = (("Month", "Rain", "Gusts"), ("January", "71.2", "104"), ("February", "68.0", "97"), ("March", "59.4", "88"))
XS = (80, 220, 320)


def texts(rows: tuple[tuple[str, ...], ...] = ROWS, *, top: float = 700, step: float = 16) -> list[Line]:
    return [Line(cell, x, top - step * i) for i, row in enumerate(rows) for cell, x in zip(row, XS, strict=False)]


def drawn(lines: list[Line], strokes: str) -> Page:
    """Return a page with lines of text and what is drawn, in PDF's own words."""
    shown = "\n".join(f"BT /{line.font} {line.size} Tf {line.x} {line.y} Td ({line.text}) Tj ET" for line in lines)
    return Page(content=f"{strokes}\n{shown}".encode("cp1252"))


def tables(path: Path) -> list[str]:
    return [element.text for element in elements(path) if element.type is ElementType.TABLE]


def markdown(*rows: tuple[str, ...]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"| {' | '.join(['---'] * len(rows[0]))} |", *lines[1:]])


def across(*ys: float, left: float = 70, right: float = 400) -> str:
    return " ".join(f"{left} {y} m {right} {y} l S" for y in ys)


def down(*xs: float, foot: float = 646, top: float = 714) -> str:
    return " ".join(f"{x} {foot} m {x} {top} l S" for x in xs)


def test_a_ruled_table_stands_between_the_text_above_and_below_it(tmp_path: Path) -> None:
    strokes = across(714, 696, 680, 664, 646) + " " + down(70, 210, 310, 400)
    lines = [*column(PROSE, x=70, top=780, rows=4), *texts(), *column(PROSE, x=70, top=600, rows=4)]
    found = elements(write(tmp_path / "a.pdf", [drawn(lines, strokes)]))
    assert [element.type for element in found] == [
        ElementType.NARRATIVE_TEXT,
        ElementType.TABLE,
        ElementType.NARRATIVE_TEXT,
    ]
    assert found[1].text == markdown(*ROWS)


def test_a_missing_rule_joins_cells_and_thin_areas_are_rules(tmp_path: Path) -> None:
    bars = " ".join(f"70 {y} 330 0.7 re f" for y in (714, 696, 680, 664, 646))
    sides = down(70, 210, 400) + " 310 646 m 310 696 l S"
    rows = (("Month", "Measured at the gauge", ""), *ROWS[1:])
    path = write(tmp_path / "a.pdf", [drawn(texts(rows), f"{bars} {sides}")])
    assert tables(path) == [markdown(("Month", "Measured at the gauge", "Measured at the gauge"), *ROWS[1:])]


def test_rows_without_rules_between_them_are_told_by_their_figures(tmp_path: Path) -> None:
    strokes = across(714, 696, 646) + " " + down(70, 210, 310, 400)
    path = write(tmp_path / "a.pdf", [drawn(texts(), strokes)])
    assert tables(path) == [markdown(*ROWS)]


def test_a_table_without_rules_is_found_by_its_columns(tmp_path: Path) -> None:
    lines = [*column(PROSE, x=70, top=780, rows=4), *texts()]
    assert tables(write(tmp_path / "a.pdf", [Page(tuple(lines))])) == [markdown(*ROWS)]


def test_a_cell_of_several_lines_without_rules_is_one(tmp_path: Path) -> None:
    rows = (("1", "07", "How the reading is"), ("2", "08", "Where it is sent"), ("3", "09", "Who has the watch"))
    lines = [*texts(rows, step=22), Line("taken at night", XS[2], 689)]
    assert tables(write(tmp_path / "a.pdf", [Page(tuple(lines))])) == [
        markdown(("1", "07", "How the reading is taken at night"), *rows[1:])
    ]


def test_a_column_of_descriptions_is_one_of_a_table(tmp_path: Path) -> None:
    words = "Screw of stainless steel with countersunk head and recess"
    rows = [("No.", "Description", "Unit", "Price")]
    rows += [(f"{number:04}", words, f"{number}00 pcs", f"{number}.25") for number in range(1, 9)]
    lines = [
        Line(cell, x, 700 - 36 * i if i else 678)
        for i, row in enumerate(rows)
        for cell, x in zip(row, (70, 110, 400, 470), strict=True)
    ]
    lines += [Line(f"with a cross on it, size M{number}", 110, 688 - 36 * number) for number in range(1, 9)]
    expected = [(a, f"{b} with a cross on it, size M{i}" if i else b, c, d) for i, (a, b, c, d) in enumerate(rows)]
    assert tables(write(tmp_path / "a.pdf", [Page(tuple(sorted(lines, key=lambda line: -line.y)))])) == [
        markdown(*expected)
    ]


def test_axes_frames_and_formulas_are_no_tables(tmp_path: Path) -> None:
    axes = across(650, 700, left=60, right=300) + " " + down(80, 200)
    plot = [Line("x", 290, 655), Line("y", 84, 706), Line("P", 150, 690)]
    frame = across(714, 500) + " " + down(70, 400, foot=500)
    formula = [Line(f"x{row} = {row}", 80, 700 - 16 * row) for row in range(4)]
    formula += [Line("if", 220, line.y) for line in formula] + [Line("n <= 2", 320, line.y) for line in formula]
    for name, page in (
        ("axes.pdf", drawn(plot, axes)),
        ("frame.pdf", drawn(column(PROSE, x=80), frame)),
        ("formula.pdf", Page(tuple(formula))),
    ):
        assert tables(write(tmp_path / name, [page])) == []


def test_a_page_with_more_paths_than_a_table_has_is_read_as_text(tmp_path: Path) -> None:
    strokes = across(*(714 - i / 100 for i in range(5_000))) + " " + down(70, 210, 310, 400)
    lines = [line for line in texts() if line.x != XS[1]]
    assert tables(write(tmp_path / "a.pdf", [drawn(lines, strokes)])) == []
