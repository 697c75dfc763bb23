"""The body of a Word document in, the same out with everything in plain paragraphs, runs and tables.

`unstructured` and `python-docx` see only the runs that stand directly in a paragraph and the paragraphs that stand
directly in the body. Inserted text, content controls (a table of contents is one), fields, tags and equations are
deeper; they are lifted here. What was deleted under change tracking goes, as do readings above characters (ruby);
raised numbers are written as powers, and a form's boxes and lists as what was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.parsers import powers
from ingest_assets.parsers.diagrams import DIAGRAM
from ingest_assets.parsers.omml import NAMESPACE as MATH
from ingest_assets.parsers.omml import math_text

if TYPE_CHECKING:
    from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_V = "{urn:schemas-microsoft-com:vml}"
_TRUE = {"1", "true", "on"}
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"

_DROPPED = [
    W + name for name in ("del", "moveFrom", "sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "instrText", "rt")
]
_MAX_FIELD_RUNS = 100
_WINGDINGS = {0x6F: "☐", 0x71: "☐", 0xA8: "☐", 0xFD: "☒", 0xFE: "☑"}
_WINGDINGS_2 = {0x50: "✓", 0x4F: "✗", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "☐", 0x2A: "☐"}
_BREAKS = (W + "br", W + "cr", W + "tab")
_LIFTED = {
    W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "fldSimple", "dir", "bdo")
}


def plain(root: etree._Element) -> None:
    """Lift and drop in place."""
    for element in [*root.iter(_MC + "AlternateContent")]:
        _choose(element)
    for placeholder in [*root.iter(W + "showingPlcHdr")]:
        if placeholder.get(W + "val", "1") in _TRUE:
            _empty(placeholder)
    for paragraph in root.iter(W + "p"):
        _drop_instructions(paragraph)
    for element in [*root.iter(*_DROPPED)]:
        if element.getparent() is not None:
            element.getparent().remove(element)
    # Innermost first, so that what is lifted is plain already.
    for element in reversed([*root.iter(*_LIFTED)]):
        lift(element)
    for symbol in [*root.iter(W + "sym")]:
        _spell(symbol)
    for end in [*root.iter(W + "br")]:
        if end.get(W + "type") in {"page", "column"}:
            end.addnext(_text_beside(end, " "))
    for ruby in [*root.iter(W + "ruby")]:
        _replace(ruby, "".join(text.text or "" for text in ruby.iter(W + "t")))
    for field in [*root.iter(W + "ffData")]:
        mark = field.getparent()
        if mark is not None and mark.tag == W + "fldChar" and not _has_result(mark):
            _replace(mark, _chosen(field))
    for element in [*root.iter(MATH + "oMathPara", MATH + "oMath")]:
        if element.getparent() is not None and element.getparent().tag != MATH + "oMathPara":
            _write(element)
    for paragraph in root.iter(W + "p"):
        powers.mark_runs(paragraph, run=W + "r", text=W + "t", breaks=_BREAKS, is_raised=_is_raised)


def _spell(symbol: etree._Element) -> None:
    """Write a character of a font of symbols as text, in the private area, where `cleaning.py` knows some of them."""
    written = symbol.get(W + "char", "")
    code = int(written, 16) if re.fullmatch("[0-9A-Fa-f]{2,4}", written) else 0
    if 0x20 <= code < 0xD800 or code >= 0xE000:
        signs = {"Wingdings": _WINGDINGS, "Wingdings 2": _WINGDINGS_2}.get(symbol.get(W + "font", ""), {})
        known = signs.get(code & 0xFF)
        symbol.tag, symbol.text = W + "t", known or chr(code | 0xF000 if code <= 0xFF else code)
        symbol.set(_SPACE, "preserve")


def _replace(element: etree._Element, text: str) -> None:
    """Put text in the place of an element of a run."""
    parent = element.getparent()
    if parent is not None and text:
        parent.replace(element, _text_beside(element, text))


def _text_beside(element: etree._Element, text: str) -> etree._Element:
    written: etree._Element = element.makeelement(W + "t")
    written.text = text
    written.set(_SPACE, "preserve")
    return written


def _empty(placeholder: etree._Element) -> None:
    """Take out what a content control asks its reader to fill in."""
    control = placeholder.getparent()
    control = control.getparent() if control is not None else None
    for content in control.findall(W + "sdtContent") if control is not None else ():
        for text in content.iter(W + "t"):
            if next(text.iterancestors(W + "sdt"), None) is control:
                text.text = ""


def _drop_instructions(paragraph: etree._Element) -> None:
    """Take out what a field is made from, fields in it too; what a field shows stands between its last two marks."""
    open_fields: list[list[etree._Element] | None] = []  # the texts of each instruction; None: the result has begun
    for node in paragraph.iter(W + "fldChar", W + "t"):
        kind = node.get(W + "fldCharType") if node.tag != W + "t" else ""
        if kind == "begin":
            open_fields.append([])
        elif kind and open_fields:
            made_from = open_fields[-1] or []
            for text in made_from:
                text.text = ""
            if kind == "separate":
                open_fields[-1] = None
            else:
                open_fields.pop()
        elif not kind:
            for field in open_fields:
                if field is not None:
                    field.append(node)
                    break


def _has_result(begin: etree._Element) -> bool:
    """Tell whether some program has written what a field shows behind it."""
    run, is_result = begin.getparent(), False
    for sibling in islice(run.itersiblings(), _MAX_FIELD_RUNS) if run is not None else ():
        mark = sibling.find(W + "fldChar")
        kind = mark.get(W + "fldCharType") if mark is not None else ""
        if kind == "end":
            break
        is_result = is_result or kind == "separate"
        if is_result and any(text.text for text in sibling.iter(W + "t")):
            return True
    return False


def _chosen(field: etree._Element) -> str:
    """Return what stands in a form's box or list; what was typed into a form is text already."""
    box, choice = field.find(W + "checkBox"), field.find(W + "ddList")
    if box is not None:
        state = next((mark for mark in (box.find(W + "checked"), box.find(W + "default")) if mark is not None), None)
        is_checked = state is not None and state.get(W + "val", "1") in _TRUE
        return "\u2612 " if is_checked else "\u2610 "
    if choice is None:
        return ""
    entries = [entry.get(W + "val", "") for entry in choice.iterfind(W + "listEntry")]
    numbers = [mark.get(W + "val", "") for name in ("result", "default") for mark in choice.iterfind(W + name)]
    number = int(numbers[0]) if numbers and re.fullmatch("[0-9]{1,4}", numbers[0]) else 0
    return entries[number] if number < len(entries) else ""


def _is_raised(run: etree._Element) -> bool:
    place = run.find(f"{W}rPr/{W}vertAlign")
    return place is not None and place.get(W + "val") == "superscript"


def _choose(element: etree._Element) -> None:
    """Keep one of the alternatives: the first, unless only a later one has something to read or to see."""
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
    """Put an element's children in its place."""
    parent = element.getparent()
    if parent is None:
        return
    place = parent.index(element)
    for child in reversed(element):
        parent.insert(place, child)
    parent.remove(element)


def _write(equation: etree._Element) -> None:
    """Put a run with the equation's text in its place."""
    run = equation.makeelement(W + "r")
    text = equation.makeelement(W + "t")
    text.text = f" {math_text(equation) or _each(equation)} "
    text.set(_SPACE, "preserve")
    run.append(text)
    run.set("ours-formula", "1")
    parent = equation.getparent()
    if parent is not None:
        parent.replace(equation, run)


def _each(equation: etree._Element) -> str:
    return " ".join(math_text(child) for child in equation)


def is_formula(paragraph: etree._Element) -> bool:
    """Tell whether a paragraph is an equation and nothing else."""
    runs = [run for run in paragraph.iter(W + "r") if "".join(text.text or "" for text in run.iter(W + "t")).strip()]
    return bool(runs) and all(run.get("ours-formula") for run in runs)


def take_text_boxes(paragraph: etree._Element) -> list[etree._Element]:
    """Take the text boxes out of a paragraph, outermost only, in order."""
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
    """Give, in order, the ids of what stands in a drawing: ("picture", id), ("chart", id) or ("diagram", id)."""
    for node in element.iter(_A + "blip", _V + "imagedata", _C + "chart", DIAGRAM + "relIds"):
        if node.tag == _C + "chart":
            yield "chart", node.get(R + "id", "")
        elif node.tag == DIAGRAM + "relIds":
            yield "diagram", node.get(R + "dm", "")
        else:
            yield "picture", node.get(R + "embed") or node.get(R + "id") or ""


def notes(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Give the notes that a paragraph or table refers to: ("footnote" or "endnote", id)."""
    for node in element.iter(W + "footnoteReference", W + "endnoteReference"):
        yield node.tag.removeprefix(W).removesuffix("Reference"), node.get(W + "id", "")


def is_layout(table: etree._Element, cells: list[etree._Element]) -> bool:
    """Tell a table that only places things: one row or column whose cells hold tables, or several paragraphs each."""
    rows = table.findall(W + "tr")
    is_strip = len(rows) == 1 or all(len(row.findall(W + "tc")) == 1 for row in rows)
    holds_blocks = any(cell.find(W + "tbl") is not None or len(cell.findall(W + "p")) > 5 for cell in cells)
    return is_strip and holds_blocks
