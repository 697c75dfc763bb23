"""Replace the fields and forms of a Word document by the text that they show.

A field consists of its instruction, which may contain other fields, and its result; a mark stands before each and at
the end (ECMA-376 part 1, 17.16.18).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest_assets.parsers.docx.xml_names import W, is_on, replace

if TYPE_CHECKING:
    from lxml import etree


def show(root: etree._Element) -> None:
    """Remove instructions and the prompts of empty form fields, and write what was ticked or chosen, in place."""
    for placeholder in root.iter(W + "showingPlcHdr"):
        if is_on(placeholder):
            _empty(placeholder)
    for paragraph in root.iter(W + "p"):
        _show_fields(paragraph)


@dataclass(slots=True)
class _Field:
    begin: etree._Element
    instruction: list[etree._Element] = field(default_factory=list)
    """Texts of the instruction."""
    in_result: bool = False
    """Whether the mark before the result was read."""
    has_result: bool = False
    """Whether the result has any text."""

    def end(self) -> None:
        data = self.begin.find(W + "ffData")
        if data is not None and not self.has_result:
            replace(self.begin, _chosen(data))


def _show_fields(paragraph: etree._Element) -> None:
    """Remove the instructions of the fields in a paragraph; a field that does not end in it keeps its texts."""
    fields: list[_Field] = []
    for node in [*paragraph.iter(W + "fldChar", W + "t")]:
        kind = node.get(W + "fldCharType") if node.tag == W + "fldChar" else "text"
        if kind == "begin":
            fields.append(_Field(node))
        elif kind == "text":
            _place(node, fields)
        elif fields:
            for text in fields[-1].instruction:
                text.text = ""
            fields[-1].in_result = True
            if kind == "end":
                fields.pop().end()
    for left in fields:
        left.end()


def _place(text: etree._Element, fields: list[_Field]) -> None:
    for each in fields:
        if not each.in_result:
            each.instruction.append(text)
            return
        each.has_result = each.has_result or bool(text.text)


def _empty(placeholder: etree._Element) -> None:
    """Remove the texts of an empty content control, but not those of the controls inside it."""
    control = next(placeholder.iterancestors(W + "sdt"), None)
    for text in control.iter(W + "t") if control is not None else ():
        if next(text.iterancestors(W + "sdt"), None) is control:
            text.text = ""


def _chosen(data: etree._Element) -> str:
    """Return the text of a check box or list of a form; text that was typed into a form is text already."""
    box, choice = data.find(W + "checkBox"), data.find(W + "ddList")
    if box is not None:
        state = next((mark for mark in (box.find(W + "checked"), box.find(W + "default")) if mark is not None), None)
        return "\u2612 " if state is not None and is_on(state) else "\u2610 "
    if choice is None:
        return ""
    entries = [entry.get(W + "val", "") for entry in choice.iterfind(W + "listEntry")]
    numbers = [mark.get(W + "val", "") for name in ("result", "default") for mark in choice.iterfind(W + name)]
    number = int(numbers[0]) if numbers and re.fullmatch("[0-9]{1,4}", numbers[0]) else 0
    return entries[number] if number < len(entries) else ""
