"""Simplify the XML of a Word document to plain paragraphs, runs and tables.

`unstructured` and `python-docx` read only the runs directly in a paragraph and the paragraphs directly in the body.
Inserted text, content controls (a table of contents is one), fields, smart tags and equations are nested deeper; this
module moves them up. It removes text that was deleted under change tracking and pronunciations above characters (ruby),
and writes superscript numbers as powers. Fields and forms are in `fields.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingest_assets.parsers.building import superscripts
from ingest_assets.parsers.docx import fields as docx_fields
from ingest_assets.parsers.docx.xml_names import R, W, replace, text_beside, write
from ingest_assets.parsers.ooxml.drawing_text import DIAGRAM
from ingest_assets.parsers.ooxml.equations import NAMESPACE as MATH
from ingest_assets.parsers.ooxml.equations import math_text

if TYPE_CHECKING:
    from lxml import etree

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_V = "{urn:schemas-microsoft-com:vml}"

_DROPPED = [
    W + name for name in ("del", "moveFrom", "sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "instrText", "rt")
]
# Characters of other symbol fonts, by their codes.
_SIGNS = {
    "Wingdings": {0x6F: "☐", 0x71: "☐"},
    "Wingdings 2": {0x50: "✓", 0x4F: "✗", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "☐", 0x2A: "☐"},
}
_BREAKS = (W + "br", W + "cr", W + "tab")
_LIFTED = {
    W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "fldSimple", "dir", "bdo")
}


def simplify(root: etree._Element) -> None:
    """Simplify the tree in place: choose alternatives, show fields, move nested text up, remove deleted text."""
    for element in [*root.iter(_MC + "AlternateContent")]:
        _choose(element)
    docx_fields.show(root)
    for element in [*root.iter(*_DROPPED)]:
        if element.getparent() is not None:
            element.getparent().remove(element)
    # Innermost first, so that the elements that are moved up are simple already.
    for element in reversed([*root.iter(*_LIFTED)]):
        lift(element)
    for symbol in [*root.iter(W + "sym")]:
        _spell(symbol)
    for end in [*root.iter(W + "br")]:
        if end.get(W + "type") in {"page", "column"}:
            end.addnext(text_beside(end, " "))
    for ruby in [*root.iter(W + "ruby")]:
        replace(ruby, "".join(text.text or "" for text in ruby.iter(W + "t")))
    for element in [*root.iter(MATH + "oMathPara", MATH + "oMath")]:
        if element.getparent() is not None and element.getparent().tag != MATH + "oMathPara":
            _write(element)
    for paragraph in root.iter(W + "p"):
        superscripts.mark_runs(paragraph, run=W + "r", text=W + "t", breaks=_BREAKS, is_raised=_is_raised)


def _spell(symbol: etree._Element) -> None:
    """Write a character of a symbol font as text.

    An unknown one is written as its private use character; `building/cleaning.py` translates some of these.
    """
    written = symbol.get(W + "char", "")
    code = int(written, 16) if re.fullmatch("[0-9A-Fa-f]{2,4}", written) else 0
    if 0x20 <= code < 0xD800 or code >= 0xE000:
        known = _SIGNS.get(symbol.get(W + "font", ""), {}).get(code & 0xFF)
        write(symbol, known or chr(code | 0xF000 if code <= 0xFF else code))


def _is_raised(run: etree._Element) -> bool:
    place = run.find(f"{W}rPr/{W}vertAlign")
    return place is not None and place.get(W + "val") == "superscript"


def _choose(element: etree._Element) -> None:
    """Keep one alternative: the first with text or a picture, or the first if none has any."""
    options = [child for child in element if isinstance(child.tag, str)]
    useful = [option for option in options if _is_useful(option)]
    for option in options:
        if option is not (useful or options)[0]:
            element.remove(option)
    for option in options[:]:
        if option.getparent() is element:
            lift(option)
    lift(element)


def _is_useful(option: etree._Element) -> bool:
    marks = (W + "t", _A + "t", _A + "blip", _C + "chart", DIAGRAM + "relIds", _V + "imagedata", MATH + "t")
    return next(option.iter(*marks), None) is not None


def lift(element: etree._Element) -> None:
    """Replace an element by its children."""
    parent = element.getparent()
    if parent is None:
        return
    place = parent.index(element)
    for child in reversed(element):
        parent.insert(place, child)
    parent.remove(element)


def _write(equation: etree._Element) -> None:
    """Replace an equation by a run with its text."""
    run = equation.makeelement(W + "r")
    run.append(text_beside(equation, f" {math_text(equation) or _each(equation)} "))
    run.set("ours-formula", "1")
    parent = equation.getparent()
    if parent is not None:
        parent.replace(equation, run)


def _each(equation: etree._Element) -> str:
    return " ".join(math_text(child) for child in equation)


def is_formula(paragraph: etree._Element) -> bool:
    """Return whether a paragraph consists of equations only."""
    runs = [run for run in paragraph.iter(W + "r") if "".join(text.text or "" for text in run.iter(W + "t")).strip()]
    return bool(runs) and all(run.get("ours-formula") for run in runs)


def take_text_boxes(paragraph: etree._Element) -> list[etree._Element]:
    """Remove the outermost text boxes from a paragraph and return them in order."""
    boxes = []
    for box in [*paragraph.iter(W + "txbxContent")]:
        if not any(ancestor in boxes for ancestor in box.iterancestors(W + "txbxContent")):
            boxes.append(box)
    for box in boxes:
        parent = box.getparent()
        if parent is not None:
            parent.remove(box)
    return boxes


def relations(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield kind ("picture", "chart" or "diagram") and relationship id of each drawing in an element, in order."""
    for node in element.iter(_A + "blip", _V + "imagedata", _C + "chart", DIAGRAM + "relIds"):
        if node.tag == _C + "chart":
            yield "chart", node.get(R + "id", "")
        elif node.tag == DIAGRAM + "relIds":
            yield "diagram", node.get(R + "dm", "")
        else:
            yield "picture", node.get(R + "embed") or node.get(R + "id") or ""


def notes(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield kind ("footnote" or "endnote") and id of each note that a paragraph or table refers to."""
    for node in element.iter(W + "footnoteReference", W + "endnoteReference"):
        yield node.tag.removeprefix(W).removesuffix("Reference"), node.get(W + "id", "")


def is_layout(table: etree._Element, cells: list[etree._Element]) -> bool:
    """Return whether a table only lays out a page: one row or column with tables or many paragraphs in its cells."""
    rows = table.findall(W + "tr")
    is_strip = len(rows) == 1 or all(len(row.findall(W + "tc")) == 1 for row in rows)
    holds_blocks = any(cell.find(W + "tbl") is not None or len(cell.findall(W + "p")) > 5 for cell in cells)
    return is_strip and holds_blocks
