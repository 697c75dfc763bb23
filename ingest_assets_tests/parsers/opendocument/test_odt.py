"""Test OpenDocument texts: headings, lists, notes, tables, frames, and damage in the middle."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ingest_assets.errors import BadInput
from ingest_assets.parsers.opendocument import ods, odt
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.opendocument.odf_files import cell, odf, p, row, sheet
from ingest_assets_tests.parsers.reading import elements_of, parts_of, png, rewritten, texts_of


def test_headings_paragraphs_and_lists_in_their_order(tmp_path: Path) -> None:
    items = "".join(f"<text:list-item>{p(text)}</text:list-item>" for text in ("bread", "wine"))
    inner = f"<text:list><text:list-item>{p('red')}</text:list-item></text:list>"
    body = (
        '<text:p text:style-name="P1">The book</text:p>'
        '<text:section><text:h text:outline-level="2">Needs</text:h></text:section>'
        '<text:p>One<text:s text:c="2"/>two<text:line-break/>three<text:span>!</text:span></text:p>'
        f"<text:list>{items}<text:list-item>{inner}</text:list-item></text:list>"
    )
    assert [(e.type, e.level, e.text) for e in elements_of(odt, odf(tmp_path, body))] == [
        (ElementType.TITLE, 1, "The book"),
        (ElementType.TITLE, 2, "Needs"),
        (ElementType.NARRATIVE_TEXT, 0, "One two\nthree!"),
        (ElementType.LIST_ITEM, 0, "bread"),
        (ElementType.LIST_ITEM, 0, "wine"),
        (ElementType.LIST_ITEM, 0, "red"),
    ]


def test_notes_follow_and_comments_and_deleted_text_do_not(tmp_path: Path) -> None:
    citation = "<text:note-citation>1</text:note-citation>"
    note = f"<text:note>{citation}<text:note-body>{p('A note.')}</text:note-body></text:note>"
    comment = f"<office:annotation>{p('who knows')}</office:annotation>"
    body = f"<text:tracked-changes>{p('deleted')}</text:tracked-changes>{p(f'Text{note} goes{comment} on.')}"
    elements = elements_of(odt, odf(tmp_path, body))
    assert [(e.type, e.text) for e in elements] == [
        (ElementType.NARRATIVE_TEXT, "Text goes on."),
        (ElementType.FOOTNOTE, "A note."),
    ]


def test_a_merged_cell_stands_in_each_place_that_it_covers(tmp_path: Path) -> None:
    covered = "<table:covered-table-cell/>"
    head = cell("Wide", 'table:number-columns-spanned="2" table:number-rows-spanned="2"')
    rows = f"<table:table-row>{head}{covered}{cell('x')}</table:table-row>"
    rows += f"<table:table-row>{covered}{covered}{cell('y')}</table:table-row>{row('a', 'b', 'c')}"
    (table,) = texts_of(odt, odf(tmp_path, f"<table:table>{rows}</table:table>"))
    assert table.split("\n") == [
        "| Wide | Wide | x |",
        "| --- | --- | --- |",
        "| Wide | Wide | y |",
        "| a | b | c |",
    ]


def test_pictures_text_boxes_and_formulas_in_frames(tmp_path: Path) -> None:
    frames = (
        '<draw:frame><draw:image xlink:href="Pictures/a.png"/></draw:frame>'
        f"<draw:frame><draw:text-box>{p('In a box.')}</draw:text-box></draw:frame>"
        '<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>'
    )
    math = b'<math xmlns="http://www.w3.org/1998/Math/MathML"><annotation>a over b</annotation></math>'
    path = odf(tmp_path, p(f"Before.{frames}"), {"Pictures/a.png": png(), "Object 1/content.xml": math})
    assert [(e.type, e.text) for e in elements_of(odt, path)] == [
        (ElementType.NARRATIVE_TEXT, "Before."),
        (ElementType.IMAGE, ""),
        (ElementType.NARRATIVE_TEXT, "In a box."),
        (ElementType.FORMULA, "a over b"),
    ]
    assert len(parts_of(odt, path)[0].pictures) == 1


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    path = odf(tmp_path, "".join(p(f"Paragraph {number}.") for number in range(1_000)))
    parts = parts_of(odt, path)
    assert len(parts) == 5
    assert parts_of(odt, path, start=4) == parts[3:]
    path = odf(tmp_path, sheet("S", *(row(str(n), "x") for n in range(1_000))) * 2, kind="spreadsheet")
    parts = parts_of(ods, path)
    assert len(parts) == 10
    assert parts_of(ods, path, start=7) == parts[6:]


def test_the_text_before_a_break_in_the_xml_is_kept(tmp_path: Path) -> None:
    path = odf(tmp_path, "".join(p(f"Paragraph {number}.") for number in range(500)))
    with zipfile.ZipFile(path) as archive:
        content = archive.read("content.xml")
    parts = parts_of(odt, rewritten(path, tmp_path / "cut", {"content.xml": content[: len(content) // 2]}))
    assert parts[0].elements[0].text == "Paragraph 0."
    assert "damaged or truncated" in parts[-1].problem


def test_deep_lists_and_sections_are_read_or_refused(tmp_path: Path) -> None:
    deep = "<text:list><text:list-item>" * 120 + p("Deep.") + "</text:list-item></text:list>" * 120
    assert texts_of(odt, odf(tmp_path, deep)) == ["Deep."]
    with pytest.raises(BadInput, match="damaged"):
        parts_of(odt, odf(tmp_path, "<text:section>" * 5_000 + "</text:section>" * 5_000))
