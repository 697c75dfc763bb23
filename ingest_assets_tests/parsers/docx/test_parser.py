"""Test that everything an author writes in Word is read, wherever Word stores it."""

from __future__ import annotations

import io
from pathlib import Path

import docx as python_docx
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Inches

from ingest_assets.parsers.docx import parser as docx
from ingest_assets.records import ElementType
from ingest_assets_tests.parsers.docx.word_files import body, run, saved
from ingest_assets_tests.parsers.reading import elements_of, parts_of, png, rewritten, texts_of


def test_types_levels_and_pictures_in_order(tmp_path: Path) -> None:
    made = python_docx.Document()
    made.add_heading("Chapter", 1)
    made.add_paragraph("A sentence of text.")
    made.add_heading("Section", 2)
    made.add_paragraph("item", style="List Bullet")
    made.add_picture(io.BytesIO(png()), width=Inches(1))
    made.add_picture(io.BytesIO(png()), width=Inches(1))
    made.sections[0].header.paragraphs[0].text = "at the top"
    made.sections[0].footer.paragraphs[0].text = "at the bottom"
    (part,) = parts_of(docx, saved(made, tmp_path))
    assert [(element.type.value, element.level, element.text) for element in part.elements] == [
        ("Header", 0, "at the top"),
        ("Title", 1, "Chapter"),
        ("NarrativeText", 0, "A sentence of text."),
        ("Title", 2, "Section"),
        ("ListItem", 0, "item"),
        ("Image", 0, ""),
        ("Image", 0, ""),
        ("Footer", 0, "at the bottom"),
    ]
    assert len(part.pictures) == 1


def test_merged_and_nested_cells(tmp_path: Path) -> None:
    made = python_docx.Document()
    table = made.add_table(3, 3)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"c{number}"
    table.cell(0, 1).merge(table.cell(0, 2)).text = "wide"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "high"
    table.cell(2, 2).add_table(1, 2).cell(0, 1).text = "inner"
    assert texts_of(docx, saved(made, tmp_path)) == [
        "| c0 | wide | wide |\n| --- | --- | --- |\n| high | c4 | c5 |\n| high | c7 | c8 inner |"
    ]


@pytest.mark.parametrize(
    ("xml", "texts"),
    [
        (f"<w:sdt><w:sdtContent><w:p>{run('in control')}</w:p></w:sdtContent></w:sdt>", ["in control"]),
        (f"<w:p>{run('a ')}<w:sdt><w:sdtContent>{run('b')}</w:sdtContent></w:sdt></w:p>", ["a b"]),
        (f"<w:p>{run('a ')}<w:ins w:id='1' w:author='x'>{run('new')}</w:ins></w:p>", ["a new"]),
        (f"<w:p>{run('a')}<w:del w:id='1' w:author='x'><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>", ["a"]),
        (f"<w:p>{run('page ')}<w:fldSimple w:instr='PAGE'>{run('7')}</w:fldSimple></w:p>", ["page 7"]),
        (f"<w:p><w:smartTag w:element='x'>{run('tagged')}</w:smartTag></w:p>", ["tagged"]),
        (f"<w:customXml w:element='x'><w:p>{run('custom')}</w:p></w:customXml>", ["custom"]),
        (
            f"<w:p>{run('outside')}<w:r><w:pict><v:shape xmlns:v='urn:schemas-microsoft-com:vml'><v:textbox>"
            f"<w:txbxContent><w:p>{run('in the box')}</w:p></w:txbxContent></v:textbox></v:shape></w:pict></w:r></w:p>",
            ["outside", "in the box"],
        ),
        (
            f"<w:p>{run('x')}<w:bogus w:val='1'/></w:p>"
            f"<w:p><w:pPr><w:numPr><w:ilvl w:val='zz'/></w:numPr></w:pPr>{run('y')}</w:p>",
            ["x", "y"],
        ),
        (
            f"<w:p>{run('in ')}<w:r><w:ruby><w:rubyPr/><w:rt>{run('かんじ')}</w:rt><w:rubyBase>{run('漢字')}"
            f"</w:rubyBase></w:ruby></w:r>{run(' spelt')}</w:p>",
            ["in 漢字 spelt"],
        ),
        (f"<w:p>{run('before')}<w:r><w:br w:type='page'/></w:r>{run('after')}</w:p>", ["before after"]),
        (
            "<w:p><w:r><w:sym w:font='Wingdings 2' w:char='F052'/>"
            "<w:sym w:font='Wingdings' w:char='F0A8'/></w:r></w:p>",
            ["☑☐"],
        ),
        (f"<w:tbl><w:tr><w:tc><w:p>{run('alone')}</w:p></w:tc></w:tr></w:tbl>", ["alone"]),
    ],
)  # fmt: skip
def test_text_is_read_wherever_word_stores_it(tmp_path: Path, xml: str, texts: list[str]) -> None:
    assert texts_of(docx, body(tmp_path, xml)) == texts


def test_symbols_and_headers_are_read_wherever_word_stores_them(tmp_path: Path) -> None:
    document = python_docx.Document()
    symbols = (
        '<w:r><w:sym w:font="Symbol" w:char="F061"/><w:t xml:space="preserve"> = 5 </w:t><w:sym w:char="F0B0"/></w:r>'
    )
    control = "<w:sdt><w:sdtContent><w:r><w:t>Contract 4711</w:t></w:r></w:sdtContent></w:sdt>"
    inserted = "<w:ins><w:r><w:t>Page two</w:t></w:r></w:ins>"
    section = document.sections[0]
    places = (document.add_paragraph("Angle "), section.header.paragraphs[0], section.footer.paragraphs[0])
    for paragraph, xml in zip(places, (symbols, control, inserted), strict=True):
        for child in parse_xml(f"<w:p {nsdecls('w')}>{xml}</w:p>"):
            paragraph._p.append(child)
    path = saved(document, tmp_path)
    assert texts_of(docx, path) == ["Contract 4711", "Angle α = 5 °", "Page two"]


def test_an_equation_alone_is_a_formula(tmp_path: Path) -> None:
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    xml = (
        f"<w:p><m:oMathPara {m}><m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r>"
        "</m:den></m:f></m:oMath></m:oMathPara></w:p>"
    )
    (element,) = elements_of(docx, body(tmp_path, xml))
    assert (element.type, element.text) == (ElementType.FORMULA, "(a+b)/2")


def test_a_span_of_millions_stays_small(tmp_path: Path) -> None:
    cell = f"<w:tc><w:tcPr><w:gridSpan w:val='100000000'/></w:tcPr><w:p>{run('wide')}</w:p></w:tc>"
    texts = texts_of(docx, body(tmp_path, f"<w:tbl><w:tr>{cell}{cell}</w:tr></w:tbl>"))
    assert "wide" in texts[0]
    assert len(texts[0]) < 100_000


def test_parts_are_of_two_hundred_blocks_from_any_start(tmp_path: Path) -> None:
    styles = ["<w:pPr><w:pStyle w:val='ListNumber'/></w:pPr>", *[""] * 6]
    path = body(tmp_path, "".join(f"<w:p>{styles[n % 7]}{run(f'Paragraph {n}.')}</w:p>" for n in range(450)))
    parts = parts_of(docx, path)
    assert [len(part.elements) for part in parts] == [200, 200, 50]
    assert parts_of(docx, path, start=2) == parts[1:]


def test_a_drawing_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    made = python_docx.Document()
    made.add_paragraph("text")
    made.add_picture(io.BytesIO(png()), width=Inches(1))
    path = saved(made, tmp_path)
    path = rewritten(path, tmp_path / "new.docx", {"word/media/image1.png": b"\x01\0\0\0" + b"\0" * 36 + b" EMF"})
    (part,) = parts_of(docx, path)
    assert [element.text for element in part.elements] == ["text"]
    assert "EMF" in part.warnings[0]


def test_bold_lines_are_headings_in_a_document_without_heading_styles(tmp_path: Path) -> None:
    made = python_docx.Document()
    for text, bold in (
        ("Keeping the light", True),
        ("It burns all night.", False),
        ("Oil", True),
        ("A can a week.", False),
    ):
        made.add_paragraph().add_run(text).bold = bold
    made.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
    made.add_paragraph("Nothing else is needed.")
    found = [(element.type.value, element.level) for element in elements_of(docx, saved(made, tmp_path))]
    assert found[:4] == [("Title", 1), ("NarrativeText", 0), ("Title", 2), ("NarrativeText", 0)]
    made.add_paragraph("A heading in a style", style="Heading 1")
    titles = [element.text for element in elements_of(docx, saved(made, tmp_path)) if element.level]
    assert titles == ["A heading in a style"]
