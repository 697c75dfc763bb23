"""Find the headings that an author of a Word document made without styles: short lines in bold.

Many authors never use Word's styles. In a document without any heading in a style, a short paragraph that is all bold
is a heading. Larger ones are of a higher level and, of equal size, centred ones. In a document with heading styles only
these make headings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest_assets.parsers.docx.xml_names import W

if TYPE_CHECKING:
    from lxml import etree

_MAX_CHARS = 150
_MAX_WORDS = 20  # a longer line is an emphasised sentence
_MAX_SHARE = 0.4  # of the paragraphs with text; with more bold ones, bold does not mark headings
_ENDS = (".", ",", ";", ":", "!", "。", "：", "；")
_OFF = {"0", "false", "off"}


class LineLook(NamedTuple):
    """Size and alignment of a bold line. Smaller values are headings of a higher level."""

    size: int
    """Negative font size in half points; 0 for the default size of the document."""
    is_flush: bool
    """Whether it is not centred."""


def heading_styles(document: Any) -> set[str]:
    """Return the ids of the heading styles."""
    styles = document.styles.element.iterfind(W + "style")
    return {
        style.get(W + "styleId", "")
        for style in styles
        if (name := style.find(W + "name")) is not None
        and (
            name.get(W + "val", "").lower().startswith(("heading", "title"))
            or style.find(f".//{W}outlineLvl") is not None
        )
    }


def looks_of(body: etree._Element, *, heading_styles: Set[str]) -> tuple[LineLook, ...]:
    """Return the looks of the headings, the highest level first; () for a document with headings in a style."""
    paragraphs = [paragraph for paragraph in body.iterchildren(W + "p") if _text(paragraph)]
    if any(_style(paragraph) in heading_styles for paragraph in paragraphs):
        return ()
    looks = [look for look in map(_look, paragraphs) if look]
    return tuple(sorted(set(looks))) if len(looks) <= _MAX_SHARE * len(paragraphs) else ()


def level_by_look(paragraph: etree._Element, looks: Sequence[LineLook]) -> int:
    """Return the level of a heading without a style, from 1, or 0 for another paragraph."""
    look = _look(paragraph) if looks else None
    return looks.index(look) + 1 if look in looks else 0


def _look(paragraph: etree._Element) -> LineLook | None:
    text = _text(paragraph)
    if not 2 < len(text) <= _MAX_CHARS or len(text.split()) > _MAX_WORDS or text.endswith(_ENDS):
        return None
    if not any(char.isalpha() for char in text) or paragraph.find(f"{W}pPr/{W}numPr") is not None:
        return None
    runs = [run for run in paragraph.iter(W + "r") if _text(run)]
    if not all(_is_bold(run) for run in runs):
        return None
    sizes = [int(size) for run in runs for size in _values(run, "sz") if size.isascii() and size.isdigit()]
    alignment = paragraph.find(f"{W}pPr/{W}jc")
    is_centred = alignment is not None and alignment.get(W + "val") == "center"
    return LineLook(-max(sizes, default=0), not is_centred)


def _is_bold(run: etree._Element) -> bool:
    bold = run.find(f"{W}rPr/{W}b")
    return bold is not None and bold.get(W + "val", "1") not in _OFF


def _values(run: etree._Element, name: str) -> Iterator[str]:
    for node in run.iterfind(f"{W}rPr/{W}{name}"):
        yield node.get(W + "val", "")


def _style(paragraph: etree._Element) -> str:
    style = paragraph.find(f"{W}pPr/{W}pStyle")
    return "" if style is None else style.get(W + "val", "")


def _text(element: etree._Element) -> str:
    return "".join(node.text or "" for node in element.iter(W + "t")).strip()
