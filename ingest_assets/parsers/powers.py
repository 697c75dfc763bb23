"""Mark-up in, the same out with raised numbers behind a digit written as powers: 10^7, and not 107."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

_NUMBER = re.compile(r"[+\-\u2212]?\d+(?:[.,]\d+)?")
RAISED = "\ue0b2"
"""Stands before raised text where no tree says it: a character of no script."""
_RAISED_NUMBER = re.compile(rf"(?<=\d){RAISED}(?={_NUMBER.pattern})")


def is_power(before: str, raised: str) -> bool:
    """Tell whether a raised text has to be told from the digit before it."""
    return before[-1:].isdigit() and _NUMBER.fullmatch(raised.strip()) is not None


def marked(text: str) -> str:
    """Write the powers of a text in which `RAISED` says where raised text begins."""
    return _RAISED_NUMBER.sub("^", text).replace(RAISED, "") if RAISED in text else text


def mark(root: etree._Element) -> None:
    """Put "^" before the text of each `sup` that is a number behind a digit, in place; of any namespace."""
    for element in root.iter("{*}sup"):
        if is_power(_text_before(element), "".join(map(str, element.itertext()))):
            element.text = f"^{(element.text or '').lstrip()}"


def mark_runs(paragraph: etree._Element, *, run: str, text: str, is_raised: Callable[[etree._Element], bool]) -> None:
    """The same for the runs of an Office paragraph, given the tags of a run and of its text."""
    before = ""
    for element in paragraph.iter(run):
        texts = [*element.iter(text)]
        written = "".join(node.text or "" for node in texts)
        if written and is_raised(element) and is_power(before, written):
            texts[0].text = f"^{(texts[0].text or '').lstrip()}"
        before = written or before


def _text_before(element: etree._Element) -> str:
    previous = element.getprevious()
    if previous is not None:
        return previous.tail or "".join(map(str, previous.itertext()))
    parent = element.getparent()
    return (parent.text or "") if parent is not None else ""
