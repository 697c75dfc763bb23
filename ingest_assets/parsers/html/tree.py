"""Parse HTML and prepare the tree for `unstructured`, which skips many elements and recurses without a limit.

`unstructured` 0.27 leaves out forms (whole pages of ASP.NET stand in one <form>), figures, details, labels, buttons and
everything outside the first <main>. They are renamed to elements that it reads. Elements without text of the page are
removed: scripts, styles, templates, hidden elements, navigation. Tables and pictures are read by `blocks.py`, because
`unstructured` drops spans of cells, pictures in tables, and some `data:` URIs.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser as TagReader
from typing import TYPE_CHECKING

from ingest_assets.parsers.building import superscripts
from ingest_assets.parsers.html import fields as html_fields

if TYPE_CHECKING:
    from lxml import etree

# Deeper than real pages; unstructured's parser calls itself once per level.
_MAX_DEPTH = 100

_RENAMED = {
    **dict.fromkeys(("form", "main", "figure", "details", "fieldset", "dialog", "object", "body", "frameset"), "div"),
    **dict.fromkeys(("figcaption", "summary", "legend", "optgroup", "noframes"), "p"),
    **dict.fromkeys(("label", "button", "audio", "video", "canvas", "output"), "span"),
    "menu": "ul",
    "hr": "br",
    "dir": "ul",
    "textarea": "pre",
    "listing": "pre",
    "xmp": "pre",
    "plaintext": "pre",
}
_REMOVED = {
    *("head", "script", "style", "template", "noscript", "link", "meta", "base", "datalist"),
    *("iframe", "noembed", "embed", "param", "source", "track", "map", "area", "svg", "nav", "del", "progress"),
}
# Characters, or references to them, that lxml parses but refuses to set as text (XML 1.0, 2.2).
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
    r"|&#(?:0*(?:[0-8]|1[1-24-9]|2\d|3[01]|6553[45])|x0*(?:[0-8bcef]|1[0-9a-f]|fff[ef]))(?![0-9a-f]);?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[a-z][\w.:-]*", re.ASCII)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def parse(html: str) -> etree._Element:
    """Parse HTML with errors of any kind, as a browser would. Nothing outside the text is read."""
    from lxml import etree

    parser = etree.HTMLParser(remove_comments=True, remove_pis=True, no_network=True, huge_tree=True, encoding="utf-8")
    root = _fromstring(html, parser)
    if any("depth" in entry.message for entry in parser.error_log):
        # libxml2 stops at 2,048 levels and drops the rest of the page: remove the containers and parse again.
        root = _fromstring(flat(html), parser)
    return root


def _fromstring(html: str, parser: etree.HTMLParser) -> etree._Element:
    from lxml import etree

    # Lone surrogates cannot be encoded, and NUL ends libxml2's input.
    data = _CONTROLS.sub("", html).encode("utf-8", "replace")
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        root = None
    return root if root is not None else etree.Element("html")


def flat(html: str) -> str:
    """Return the page without containers: texts, headings, list items, cells and pictures only."""
    reader = _Flat()
    reader.feed(html)
    reader.close()
    return "".join(reader.out)


class _Flat(TagReader):
    _KEPT = frozenset(
        {"p", "pre", "li", "dt", "dd", "img", "br", "title", "script", "style", *(f"h{level}" for level in range(1, 7))}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._KEPT:
            written = "".join(f' {name}="{escape(value or "")}"' for name, value in attrs if name in {"src", "alt"})
            self.out.append(f"<{tag}{written}>")
        elif tag in {"div", "section", "td", "th", "tr", "table", "ul", "ol", "blockquote"}:
            self.out.append("<p>")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._KEPT:
            self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        in_raw = self.out and self.out[-1].startswith(("<script", "<style"))
        self.out.append(data if in_raw else escape(data, quote=False))


def prepare(root: etree._Element) -> None:
    """Rename and remove elements in place, and turn elements that are nested too deep into plain text."""
    removed, fields = [], []
    for element in root.iter():
        tag = str(element.tag).lower()
        is_hidden = element.get("hidden") is not None or _HIDDEN.search(element.get("style", ""))
        if (tag in _REMOVED or is_hidden) and element is not root:
            removed.append(element)
        elif tag == "math" and not element.get("alttext"):
            _write_out(element)
        elif tag in {"input", "select"}:
            element.tag = tag
            fields.append(element)
        elif tag in {"rt", "rp"} and next(element.iter(*BLOCKS), None) is None:
            removed.append(element)  # the pronunciation of the characters under it
        else:
            # A damaged page has elements of any name; lxml parses "p<" but cannot write it.
            element.tag = _RENAMED.get(tag, tag) if _NAME.fullmatch(tag) else "span"
    for element in removed:
        remove(element)
    for element in fields:
        html_fields.write_out(element)
    superscripts.mark(root)
    _limit_depth(root)


def _write_out(formula: etree._Element) -> None:
    """Replace a formula that has no alternative text by its characters, so that they are read."""
    for annotation in [*formula.iter("annotation", "annotation-xml")]:
        remove(annotation)
    signs = inner_text(formula)
    tail = formula.tail
    formula.clear()
    formula.tag, formula.text, formula.tail = "span", signs, tail


def remove(element: etree._Element) -> None:
    """Remove an element and keep the text that follows it."""
    replace(element, None)


def replace(element: etree._Element, other: etree._Element | None) -> None:
    """Replace an element by another one, or by nothing, and keep the text that follows it."""
    parent = element.getparent()
    if parent is None:
        return
    tail, before = element.tail or "", element.getprevious()
    element.tail = None
    if other is not None:
        other.tail = tail
        parent.replace(element, other)
        return
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(element)


def _limit_depth(root: etree._Element) -> None:
    depths = {root: 0}
    deep = []
    for element in root.iterdescendants():
        parent = element.getparent()
        depth = depths.get(parent, _MAX_DEPTH) + 1
        if depth <= _MAX_DEPTH:
            depths[element] = depth
            if depth == _MAX_DEPTH:
                deep.append(element)
    for element in deep:
        text, tail = inner_text(element), element.tail
        element.clear()
        element.tag, element.text, element.tail = "p", text, tail


# Elements that begin and end a line, so that the texts before and after them are not one word.
BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "caption", "center", "dd", "div", "dl", "dt", "footer"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "li", "ol", "p", "pre", "section", "ul"),
        *("table", "tbody", "td", "tfoot", "th", "thead", "tr"),
    }
)


def inner_text(element: etree._Element) -> str:
    """Return the text inside an element on one line, with a space where a block begins or ends."""
    from lxml import etree

    pieces: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end")):
        is_break = node.tag in BLOCKS
        if event == "start":
            pieces.append(f"{' ' if is_break else ''}{node.text or ''}")
        else:
            tail = node.tail or "" if node is not element else ""
            pieces.append(f"{' ' if is_break else ''}{tail}")
    return " ".join("".join(pieces).split())
