"""Test OpenDocument texts, sheets and slides: repeated, merged and anchored content, and hostile files."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given

from ingest_assets.errors import BadInput
from ingest_assets.parsers.contract import Limits, Parser
from ingest_assets.parsers.detection.media_type import detect
from ingest_assets.parsers.opendocument import odp, ods, odt
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.mutation import mutated, places, read_or_refuse, some_hundred
from ingest_assets_tests.parsers.reading import elements_of, parts_of, png, rewritten, texts_of

NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in [
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("style", "style"),
        ("presentation", "presentation"),
    ]
)
_KINDS = {"text": odt, "spreadsheet": ods, "presentation": odp}


def odf(folder: Path, body: str, *, kind: str = "text", prolog: str = "", **members: bytes) -> Path:
    content = (
        f'<?xml version="1.0"?>{prolog}<office:document-content {NAMES} xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<office:automatic-styles><style:style style:name="P1" style:parent-style-name="Title"/>'
        '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
        '<style:style style:name="T2"><style:text-properties style:text-position="-33% 58%"/></style:style>'
        "</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    path = folder / f"made-{kind}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr("content.xml", content)
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return path


def p(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def cell(text: str, attributes: str = "") -> str:
    return f"<table:table-cell {attributes}>{p(text)}</table:table-cell>"


def row(*texts: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(map(cell, texts))}</table:table-row>"


def sheet(name: str, *rows: str) -> str:
    return f'<table:table table:name="{name}">{"".join(rows)}</table:table>'


@pytest.mark.parametrize("kind", _KINDS)
def test_the_kind_is_found_from_the_content(tmp_path: Path, kind: str) -> None:
    assert detect(odf(tmp_path, "", kind=kind), filename="a.zip") == f"application/vnd.oasis.opendocument.{kind}"


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
    path = odf(tmp_path, p(f"Before.{frames}"), **{"Pictures__a.png": png(), "Object 1__content.xml": math})
    assert [(e.type, e.text) for e in elements_of(odt, path)] == [
        (ElementType.NARRATIVE_TEXT, "Before."),
        (ElementType.IMAGE, ""),
        (ElementType.NARRATIVE_TEXT, "In a box."),
        (ElementType.FORMULA, "a over b"),
    ]
    assert len(parts_of(odt, path)[0].pictures) == 1


def test_sheets_are_pages_with_their_rows(tmp_path: Path) -> None:
    body = sheet("Ducks", row("name", "age"), row("Anna", "3")) + sheet("Empty") + sheet("Geese", row("n"), row("m"))
    path = odf(tmp_path, body, kind="spreadsheet")
    assert ods.count_pages(path, limits=Limits()) == 3
    parts = parts_of(ods, path)
    assert [part.page_number for part in parts] == [1, 2, 3]
    assert [e.text for e in parts[0].elements] == ["Ducks", "| name | age |\n| --- | --- |\n| Anna | 3 |"]
    assert parts[1].elements == ()


def test_a_billion_repeated_rows_are_a_hundred(tmp_path: Path) -> None:
    many = 'table:number-rows-repeated="1000000000"'
    wide = '<table:table-row><table:table-cell table:number-columns-repeated="1000000000"/></table:table-row>'
    body = sheet("S", row("h", "i"), row(attributes=many), wide, row("x", "y", attributes=many), row("z", "z"))
    start = time.perf_counter()
    (part,) = parts_of(ods, odf(tmp_path, body, kind="spreadsheet"))
    assert time.perf_counter() - start < 2
    assert part.elements[1].text.count("| x | y |") == 100
    assert part.elements[1].text.endswith("| z | z |")
    assert "is repeated 1,000,000,000 times; 100 of them were kept" in part.warnings[0]


def test_an_int_of_a_million_digits_is_no_count(tmp_path: Path) -> None:
    body = sheet("S", row("x", attributes=f'table:number-rows-repeated="{"9" * 1_000_000}"'))
    assert parts_of(ods, odf(tmp_path, body, kind="spreadsheet"))[0].elements


def test_slides_are_pages_with_title_text_and_notes(tmp_path: Path) -> None:
    def frame(text: str, class_: str) -> str:
        box = f"<draw:text-box>{p(text)}</draw:text-box>"
        return f'<draw:frame presentation:class="{class_}">{box}</draw:frame>'

    notes = f"<presentation:notes>{frame('Say this.', 'notes')}{frame('7', 'page-number')}</presentation:notes>"
    slide = f"<draw:page>{frame('Point', 'outline')}{frame('Title', 'title')}{notes}</draw:page>"
    path = odf(tmp_path, slide * 3, kind="presentation")
    assert odp.count_pages(path, limits=Limits()) == 3
    parts = parts_of(odp, path)
    assert [(e.type, e.text, e.page_number) for e in parts[1].elements] == [
        (ElementType.TITLE, "Title", 2),
        (ElementType.NARRATIVE_TEXT, "Point", 2),
        (ElementType.NARRATIVE_TEXT, "Say this.", 2),
    ]
    assert parts_of(odp, path, start=2) == parts[1:]


def test_parts_are_the_same_from_any_start(tmp_path: Path) -> None:
    path = odf(tmp_path, "".join(p(f"Paragraph {number}.") for number in range(1_000)))
    parts = parts_of(odt, path)
    assert len(parts) == 5
    assert parts_of(odt, path, start=4) == parts[3:]
    path = odf(tmp_path, sheet("S", *(row(str(n), "x") for n in range(1_000))) * 2, kind="spreadsheet")
    parts = parts_of(ods, path)
    assert len(parts) == 10
    assert parts_of(ods, path, start=7) == parts[6:]


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_a_document_type_definition_is_refused(tmp_path: Path, kind: str, prolog: str) -> None:
    parser: Parser = _KINDS[kind]
    path = odf(tmp_path, "", kind=kind, prolog=prolog)
    with pytest.raises(BadInput, match="document type definition"):
        parts_of(parser, path)


@pytest.mark.parametrize("kind", _KINDS)
def test_an_encrypted_document_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    manifest = b"<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    path = odf(tmp_path, "", kind=kind, **{"META-INF__manifest.xml": manifest})
    with pytest.raises(BadInput, match="encrypted; upload it without a password"):
        parts_of(_KINDS[kind], path)


def test_a_bomb_and_a_package_without_content_are_refused(tmp_path: Path) -> None:
    path = odf(tmp_path, "", **{"Pictures__a.png": b"\0" * 50_000_000})
    with pytest.raises(BadInput, match="times its size"):
        parts_of(odt, path)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
    path.write_bytes(out.getvalue())
    with pytest.raises(BadInput, match=r"content\.xml is missing"):
        parts_of(odt, path)


def test_xml_that_breaks_off_costs_what_follows(tmp_path: Path) -> None:
    path = odf(tmp_path, "".join(p(f"Paragraph {number}.") for number in range(500)))
    with zipfile.ZipFile(path) as archive:
        content = archive.read("content.xml")
    parts = parts_of(odt, rewritten(path, tmp_path / "cut", {"content.xml": content[: len(content) // 2]}))
    assert parts[0].elements[0].text == "Paragraph 0."
    assert "damaged or truncated" in parts[-1].problem


def test_deep_lists_and_sections_end(tmp_path: Path) -> None:
    deep = "<text:list><text:list-item>" * 120 + p("Deep.") + "</text:list-item></text:list>" * 120
    assert texts_of(odt, odf(tmp_path, deep)) == ["Deep."]
    with pytest.raises(BadInput, match="damaged"):
        parts_of(odt, odf(tmp_path, "<text:section>" * 5_000 + "</text:section>" * 5_000))


@pytest.mark.slow
@some_hundred
@given(changes=places)
def test_damage_is_refused_or_read(tmp_path: Path, corpus: Path, changes: list[tuple[float, str, bytes]]) -> None:
    source = corpus / "odt" / "fake.odt"
    path = tmp_path / "made"
    path.write_bytes(mutated(source.read_bytes(), changes))
    read_or_refuse(path, "made.odt")
    slide = f"<draw:page><draw:frame><draw:text-box>{p('x')}</draw:text-box></draw:frame></draw:page>"
    for kind, body in (
        ("text", p("Text.") * 20),
        ("spreadsheet", sheet("S", row("a", "b"), row("c", "d")) * 3),
        ("presentation", slide * 3),
    ):
        made = odf(tmp_path, body, kind=kind)
        with zipfile.ZipFile(made) as archive:
            content = mutated(archive.read("content.xml"), changes)
        read_or_refuse(rewritten(made, path, {"content.xml": content}), "made")
