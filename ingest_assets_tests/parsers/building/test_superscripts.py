"""Raised numbers are written as powers: 10^7 does not become 107."""

from __future__ import annotations

import io
from pathlib import Path

import docx
import pptx
import pytest

from ingest_assets.parsers.docx import parser as docx_parser
from ingest_assets.parsers.html import parser as html
from ingest_assets.parsers.pdf import parser as pdf
from ingest_assets.parsers.pptx import parser as pptx_parser
from ingest_assets.parsers.rtf import parser as rtf
from ingest_assets.parsers.xml import parser as xml_text
from ingest_assets_tests.parsers.pdf import pdf_files
from ingest_assets_tests.parsers.pdf.pdf_files import Line, Page
from ingest_assets_tests.parsers.reading import file, texts_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WRITTEN = [
    ("5 × 10<sup>7</sup> cells", "5 × 10^7 cells"),
    ("10<sup>-3</sup> mol and 10<sup>\u22123</sup> mol", "10^-3 mol and 10^\u22123 mol"),
    ("In 2020<sup><i>3</i></sup> it rained", "In 2020^3 it rained"),
    ("40 m<sup>2</sup>, the 4<sup>th</sup> of H<sub>2</sub>O", "40 m2, the 4th of H2O"),
    ("10<sup>1</sup><sup>2</sup> and 10<sup>\u2212</sup><sup>3</sup>", "10^12 and 10^\u22123"),
    ("10<b><sup>7</sup></b> or 2<sup>1</sup>/<sub>2</sub> cups", "10^7 or 2 1/2 cups"),
    ("a note<sup>12</sup> and 3 <sup>4</sup>", "a note12 and 3 4"),
]


@pytest.mark.parametrize(("markup", "text"), WRITTEN)
def test_a_raised_number_behind_a_digit_is_a_power(tmp_path: Path, markup: str, text: str) -> None:
    assert texts_of(html, file(tmp_path, f"<p>{markup}</p>")) == [text]
    assert texts_of(xml_text, file(tmp_path, f"<article><p>{markup}.</p></article>")) == [f"{text}."]


def test_so_it_is_in_word(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("The sample held 5 × 10")
    for written in ("7", " cells on 40 m"):
        paragraph.add_run(written).font.superscript = written == "7"
    paragraph.add_run("2").font.superscript = True
    second = document.add_paragraph("In 2020")
    second.add_run().add_break()
    for written in ("1", "2"):
        second.add_run(written).font.superscript = True
    second.add_run(" of 10")
    for written in ("1", "2"):
        second.add_run(written).font.superscript = True
    document.save(str(tmp_path / "made.docx"))
    assert texts_of(docx_parser, tmp_path / "made.docx") == [
        "The sample held 5 × 10^7 cells on 40 m2",
        "In 2020\n12 of 10^12",
    ]


def test_so_it_is_in_rich_text(tmp_path: Path) -> None:
    raised = r"cells{\super 2} on 40 m{\super 2}, 10\super -3\nosupersub  mol, 4{\super 4th}, 10{\super 1}{\super 2}.}"
    source = r"{\rtf1\ansi The sample held 5 \'d7 10{\super 7} " + raised
    text = "The sample held 5 × 10^7 cells2 on 40 m2, 10^-3 mol, 44th, 10^12."
    assert texts_of(rtf, file(tmp_path, source)) == [text]


def test_so_it_is_in_powerpoint(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Counts"
    paragraph = slide.shapes.add_textbox(0, 3_000_000, 5_000_000, 900_000).text_frame.paragraphs[0]
    paragraph.add_run().text = "The sample held 5 × 10"
    raised = paragraph.add_run()
    raised.text = "7"
    raised.font._element.set("baseline", "30000")
    lowered = paragraph.add_run()
    lowered.text = "1"
    lowered.font._element.set("baseline", "-25000")
    note = slide.notes_slide.notes_text_frame.paragraphs[0]
    note.add_run().text = "Counted over 10"
    noted = note.add_run()
    noted.text = "3"
    noted.font._element.set("baseline", "30000")
    out = io.BytesIO()
    deck.save(out)
    assert texts_of(pptx_parser, file(tmp_path, out.getvalue())) == [
        "Counts",
        "The sample held 5 × 10^71",
        "Counted over 10^3",
    ]


def test_so_it_is_in_a_pdf(tmp_path: Path) -> None:
    lines = (
        *(Line("Some 10", 72, 700), Line("7", 106, 704, 7), Line(" grains of sand weigh 10", 110, 700)),
        *(Line("-3", 217, 704, 7), Line(" tons, and 10", 224, 700), Line("2", 281, 698, 7), Line(" is two", 286, 700)),
        Line("A field has 1107 flowers", 72, 600),
        *(Line("with 2", 72, 500), Line("1", 99, 504, 7), Line("/2 cups", 103, 500)),
        *(Line("or 10", 72, 400), Line("2.5", 95, 404, 7), Line("m on the 4", 104, 400), Line("4th", 153, 404, 7)),
    )
    path = pdf_files.write(tmp_path / "made.pdf", [Page(lines)])
    assert " ".join(texts_of(pdf, path)) == (
        "Some 10^7 grains of sand weigh 10^-3 tons, and 102 is two "
        "A field has 1107 flowers with 2 1/2 cups or 10^2.5m on the 44th"
    )
