"""Write a raised number after a digit as a power in mark-up: 10^7 instead of 107."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

_NUMBER = re.compile(r"[+\-\u2212]?\d+(?:[.,]\d+)?")
_OVER_SLASH = re.compile(rf"{_NUMBER.pattern}\s*[/\u2044]")
RAISED = "\ue0b2"
"""Marks the start of raised text in formats that have no tree; it is a private-use character."""
_RAISED_NUMBER = re.compile(rf"(?<=\d){RAISED}(?={_NUMBER.pattern}(?![^\W\d_]))")
_AGAIN = re.compile(rf"(?<={RAISED}){RAISED}+|(?<={RAISED}[\d+\-\u2212]){RAISED}")
_INLINE = {"a", "b", "bold", "em", "font", "i", "italic", "span", "strong", "u"}


def is_power(before: str, raised: str) -> bool:
    """Tell whether raised text is a number right after a digit, so that it needs a sign between them."""
    return before[-1:].isdigit() and _NUMBER.fullmatch(raised.strip()) is not None


def marked(text: str) -> str:
    """Replace each `RAISED` in a text by "^" before a power, by a space before a fraction, or by nothing."""
    if RAISED not in text:
        return text
    return _RAISED_NUMBER.sub(_sign, _AGAIN.sub("", text)).replace(RAISED, "")


def _sign(mark: re.Match[str]) -> str:
    return " " if is_fraction(mark.string, mark.end()) else "^"


def is_fraction(text: str, at: int) -> bool:
    """Tell whether the number at `at` is the numerator of a fraction: two and a half, not two to the first."""
    return _OVER_SLASH.match(text, at) is not None


def mark(root: etree._Element) -> None:
    """Put "^" before the text of each `sup` that is a number after a digit, in place; any namespace.

    Adjacent `sup` elements count as one. The numerator of a fraction gets a space instead.
    """
    for element in root.iter("{*}sup"):
        before = element.getprevious()
        if before is not None and not before.tail and _is_sup(before):
            continue
        raised, last = _raised(element)
        if is_power(_text_before(element), raised):
            is_fraction = (last.tail or "").lstrip()[:1] in {"/", "\u2044"}
            element.text = f"{' ' if is_fraction else '^'}{(element.text or '').lstrip()}"


def mark_runs(
    paragraph: etree._Element,
    *,
    run: str,
    text: str,
    breaks: Sequence[str],
    is_raised: Callable[[etree._Element], bool],
) -> None:
    """Write powers in an Office paragraph in the same way; `run`, `text` and `breaks` are the XML tags to look for."""
    before = ""
    raised: list[etree._Element] = []
    for element in [*paragraph.iter(run, *breaks), None]:
        texts = [*element.iter(text)] if element is not None and element.tag == run else []
        if texts and is_raised(element):
            raised += texts
            continue
        if element is not None and element.tag == run and not texts:
            continue  # the elements in it come later in the iteration
        if raised and is_power(before, "".join(node.text or "" for node in raised)):
            raised[0].text = f"^{(raised[0].text or '').lstrip()}"
        raised = []
        before = "".join(node.text or "" for node in texts)


def _is_sup(element: etree._Element) -> bool:
    return isinstance(element.tag, str) and element.tag.rpartition("}")[2] == "sup"


def _raised(first: etree._Element) -> tuple[str, etree._Element]:
    """Return the text of a `sup` and of those right after it, and the last of them."""
    texts, last = ["".join(map(str, first.itertext()))], first
    while not last.tail and (after := last.getnext()) is not None and _is_sup(after):
        texts.append("".join(map(str, after.itertext())))
        last = after
    return "".join(texts), last


def _text_before(element: etree._Element) -> str:
    """Return the text right before an element, also if the element is the first thing in inline mark-up."""
    while True:
        previous, parent = element.getprevious(), element.getparent()
        if previous is not None:
            return previous.tail or "".join(map(str, previous.itertext()))
        if parent is None or parent.text or str(parent.tag).rpartition("}")[2] not in _INLINE:
            return (parent.text or "") if parent is not None else ""
        element = parent
