"""Test, for every parser, that a warning after an exactly full part is kept."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import docx as python_docx
import pytest

from ingest_assets.parsers import families
from ingest_assets_tests.parsers.epub.test_parser import book, page
from ingest_assets_tests.parsers.mail.mails import message
from ingest_assets_tests.parsers.mail.test_outlook import BODY, SUBJECT, attachment, made
from ingest_assets_tests.parsers.mail.test_outlook import message as outlook_message
from ingest_assets_tests.parsers.office97.office_files import blip, word
from ingest_assets_tests.parsers.opendocument.odf_files import odf, p
from ingest_assets_tests.parsers.reading import file, parts_of, png, rewritten
from ingest_assets_tests.parsers.test_zip_archive import zipped

# spaCy, which unstructured loads to read HTML, gives DeprecationWarnings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Longer than a part of any format.
LONG = "The part is full of words. " * 4_000
PROGRAM = b"\x7fELF" + bytes(99)
NO_PICTURE = png()[:8] + b"damaged"


def _html(tmp_path: Path) -> Path:
    return file(tmp_path, f'<h1>Page</h1><p>{LONG}</p><img src="data:image/png;base64,AAAA">')


def _markdown(tmp_path: Path) -> Path:
    return file(tmp_path, f"# Page\n\n{LONG}\n\n![chart](data:image/png;base64,AAAA)\n")


def _docx(tmp_path: Path) -> Path:
    document = python_docx.Document()
    document.add_paragraph(LONG)
    document.add_picture(str(file(tmp_path, png(), "a.png")))
    document.save(str(tmp_path / "sound.docx"))
    return rewritten(tmp_path / "sound.docx", tmp_path / "damaged.docx", {"word/media/image1.png": NO_PICTURE})


def _odt(tmp_path: Path) -> Path:
    frame = '<draw:frame><draw:image xlink:href="Pictures/a.png"/></draw:frame>'
    return odf(tmp_path, p(LONG) + p(frame), {"Pictures/a.png": NO_PICTURE})


def _epub(tmp_path: Path) -> Path:
    return book(tmp_path, page(f'<p>{LONG}</p><img src="data:image/png;base64,AAAA"/>'))


def _rtf(tmp_path: Path) -> Path:
    return file(tmp_path, rf"{{\rtf1\ansi {LONG}\par {{\pict\pngblip {NO_PICTURE.hex()}}}\par}}")


def _doc(tmp_path: Path) -> Path:
    return file(tmp_path, word(f"{LONG}\r", picture=blip(NO_PICTURE)))


def _eml(tmp_path: Path) -> Path:
    mail = message(LONG)
    mail.add_attachment(PROGRAM, maintype="application", subtype="x", filename="tool")
    return file(tmp_path, bytes(mail))


def _outlook(tmp_path: Path) -> Path:
    return made(tmp_path, outlook_message({SUBJECT: "Plan", BODY: LONG}), attachment(0, "tool", PROGRAM))


def _zip_archive(tmp_path: Path) -> Path:
    return file(tmp_path, zipped({"a.txt": LONG, "tool": PROGRAM}))


_WITH_WARNINGS: dict[str, Callable[[Path], Path]] = {
    "html.parser": _html,
    "html.markdown": _markdown,
    "docx.parser": _docx,
    "opendocument.odt": _odt,
    "epub.parser": _epub,
    "rtf.parser": _rtf,
    "office97.doc": _doc,
    "mail.eml": _eml,
    "mail.outlook": _outlook,
    "zip_archive": _zip_archive,
}
# A text that fills a part of 32,000 characters with its second line.
TWO_LINES = "\n".join(["words " * 2_667] * 2)

# They warn of nothing: neither pictures nor documents stand in them.
_WITHOUT_WARNINGS = {
    "text.plain": TWO_LINES,
    "text.json_text": TWO_LINES,
    "text.source_code": TWO_LINES,
    "text.csv_rows": "name,text\n" + "a,b\n" * 200,
    "text.json_lines": '{"name": "a"}\n' * 200,
    "xml.parser": f"<article><p>{LONG}</p></article>",
}
# They close a part at the end of each page, slide or sheet, after everything that stands on it.
_PAGED = {
    *("pdf.parser", "pptx.parser", "xlsx.parser", "image", "opendocument.ods", "opendocument.odp"),
    *("office97.xls", "office97.ppt"),
}


def test_the_tests_below_know_every_parser() -> None:
    assert {*_WITH_WARNINGS, *_WITHOUT_WARNINGS, *_PAGED} == set(families._PARSERS.values())


@pytest.mark.parametrize("name", _WITH_WARNINGS)
def test_a_warning_after_an_exactly_full_part_is_kept(tmp_path: Path, name: str) -> None:
    parser = import_module(f"ingest_assets.parsers.{name}")
    *before, last = parts_of(parser, _WITH_WARNINGS[name](tmp_path))
    assert [part.warnings for part in before] == [()] * len(before)
    assert "".join(element.text for part in before for element in part.elements).count("full") == 4_000
    assert (len(last.warnings), last.elements) == (1, ())


@pytest.mark.parametrize("name", _WITHOUT_WARNINGS)
def test_no_empty_part_follows_an_exactly_full_one(tmp_path: Path, name: str) -> None:
    parser = import_module(f"ingest_assets.parsers.{name}")
    (part,) = parts_of(parser, file(tmp_path, _WITHOUT_WARNINGS[name]))
    assert part.elements
