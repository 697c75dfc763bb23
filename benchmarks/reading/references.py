"""Read a file of the corpus with the tool that the corpus's manifest names for it; its text is the reference.

The column `phrase_checked_with` says which tool the people who collected the corpus used for a file. They chose it
before anything here was measured. Form feeds separate sheets of a workbook, shapes of a slide, pages of a book or PDF,
and subject and body of a mail, because names and notes may be between them. It runs as a program under an interpreter
with beautifulsoup4, lxml, openpyxl, python-docx, python-pptx, striprtf, odfpy and extract-msg.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-be", "cp866", "cp932", "cp1252")
_UNDECLARED = {"testMSG_chinese.msg": "big5"}  # as the manifest describes it
_MARKS = re.compile("[\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT_WORD = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"

_MATHS = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def pdftotext(path: Path, _: str) -> str:
    return subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True).stdout.decode()


def decoded(path: Path, phrase: str) -> str:
    """Decode with the first encoding that shows the manifest's phrase; replace the entities of XML.

    Raises:
        ValueError: no encoding shows the phrase.
    """
    for encoding in ENCODINGS:
        try:
            text = path.read_bytes().decode(encoding)
        except UnicodeError:
            continue
        if shows(text, phrase):
            return html.unescape(text) if text.lstrip().startswith("<") else text
    raise ValueError("no encoding tried shows the phrase")


def docx(path: Path, _: str) -> str:
    """Return each paragraph of the body in its final version; alternative content for old readers counts once."""
    from lxml import etree

    with zipfile.ZipFile(path) as archive:
        tree = etree.fromstring(archive.read("word/document.xml"))
    for fallback in tree.iter("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"):
        for child in list(fallback):
            fallback.remove(child)
    lines: list[str] = []
    for element in tree.iter():
        name = str(element.tag).replace(_STRICT_WORD, _WORD)
        if name == _WORD + "p":
            lines.append("\n")
        elif name in (_WORD + "tab", _WORD + "br"):
            lines.append(" ")
        elif name in (_WORD + "t", _MATHS + "t"):
            lines.append(element.text or "")
    return "".join(lines)


def openpyxl(path: Path, _: str) -> str:
    import openpyxl

    book = openpyxl.load_workbook(path, data_only=True)
    rows = [sheet.iter_rows(values_only=True) for sheet in book.worksheets]
    return "\f".join(
        "\n".join(" ".join(str(value) for value in row if value is not None) for row in sheet) for sheet in rows
    )


def html_text(data: bytes | str, encoding: str | None = None) -> str:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(data, "lxml", from_encoding=encoding)
    for left_out in soup(["script", "style", "head", "template", "noscript"]):
        left_out.decompose()
    return str(soup.get_text("\n"))


def html_page(path: Path, phrase: str) -> str:
    """Return the body of a page, decoded with the first encoding that shows the phrase."""
    for encoding in ENCODINGS:
        try:
            text = html_text(path.read_bytes().decode(encoding))
        except UnicodeError:
            continue
        if shows(text, phrase):
            return text
    raise ValueError("no encoding tried shows the phrase")


def arabic_html(path: Path, _: str) -> str:
    return html_text(path.read_bytes(), "windows-1256")


def epub(path: Path, _: str) -> str:
    with zipfile.ZipFile(path) as archive:
        pages = [name for name in archive.namelist() if re.search(r"\.x?html?$", name)]
        return "\f".join(html_text(archive.read(name)) for name in pages)


def striprtf(path: Path, phrase: str) -> str:
    from striprtf.striprtf import rtf_to_text

    for encoding in ("cp1252", "cp932", "utf-8"):
        text = str(rtf_to_text(path.read_bytes().decode("latin-1"), encoding=encoding, errors="replace"))
        if shows(text, phrase):
            return text
    raise ValueError("no encoding tried shows the phrase")


def pptx(path: Path, _: str) -> str:
    from pptx import Presentation

    return "\f".join(text for slide in Presentation(str(path)).slides for text in _shapes(slide.shapes))


def _shapes(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            yield "\n".join(cell.text for row in shape.table.rows for cell in row.cells)


def outlook(path: Path, _: str) -> str:
    import extract_msg

    message = extract_msg.openMsg(str(path), overrideEncoding=_UNDECLARED.get(path.name))
    return f"{message.subject}\f{message.body or html_text(message.htmlBody or b'')}"


def mail(path: Path, _: str) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    text = str(body.get_content()) if body is not None else ""
    plain = body is not None and body.get_content_type() == "text/plain"
    return f"{message['subject']}\f{text if plain else html_text(text)}"


def odf(path: Path, _: str) -> str:
    from odf import teletype
    from odf.opendocument import load
    from odf.text import H, P

    document = load(str(path))
    return "\n".join(teletype.extractText(element) for kind in (H, P) for element in document.getElementsByType(kind))


TOOLS: dict[str, Callable[[Path, str], str]] = {
    "pdftotext": pdftotext,
    "bytes read": decoded,
    "decoded as UTF-16BE": decoded,
    "decoded as windows-1256": arabic_html,
    "python-docx / raw XML": docx,
    "raw XML": docx,
    "openpyxl": openpyxl,
    "BeautifulSoup": html_page,
    "unzip + BeautifulSoup": epub,
    "striprtf": striprtf,
    "python-pptx": pptx,
    "extract-msg": outlook,
    "python email": mail,
    "odfpy": odf,
}


def shows(text: str, phrase: str) -> bool:
    """Tell whether a text has a phrase, as the corpus compares them: normalised, without white space and marks."""
    plain, wanted = ("".join(_MARKS.sub("", unicodedata.normalize("NFKC", words)).split()) for words in (text, phrase))
    return wanted in plain


def main(file: Path, tool: str, phrase: str) -> None:
    """Print the reference of a file as JSON."""
    try:
        found = {"text": TOOLS[tool](file, phrase)}
        if not shows(found["text"], phrase):
            found = {"text": "", "error": "the manifest's phrase is not in it"}
    except Exception as error:  # noqa: BLE001 - a tool that fails gives no reference, and the table says so
        found = {"text": "", "error": f"{type(error).__name__}: {error}"[:300]}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
