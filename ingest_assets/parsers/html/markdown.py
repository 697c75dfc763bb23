"""Read Markdown: render it as HTML, section by section, and read that.

`markdown-it-py` renders it. The Python-Markdown that `unstructured` calls is not CommonMark: it loses lists that follow
a paragraph without a blank line or are indented by two spaces, and code fences in lists. A section has some tens of
kilobytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from ingest_assets.parsers.building.part_builder import PART_CHARS, PartBuilder
from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.detection import encoding
from ingest_assets.parsers.html import parser as html_parser
from ingest_assets.parsers.html import tree as html_tree
from ingest_assets.parsers.text.plain import lines
from ingest_assets.records import ElementType, Part

VERSION = "4"
PART = "block of text"

# A longer section is cut even where no blank line allows it.
_MAX_SECTION_CHARS = 1_000_000
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_QUOTES = re.compile(r"^(?:[ \t]*>){20,}", re.MULTILINE)


def read(path: Path, *, limits: Limits, start: int = 1) -> Iterator[Part]:
    """Yield the text in parts of some 32,000 characters that end with a block.

    Raises:
        BadInput: empty, or binary data.
    """
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    codec = encoding.detect(path)
    renderer = MarkdownIt("commonmark", {"maxNesting": 100}).enable(["table", "strikethrough"])
    # "_" and "*" in formulas are not emphasis; a dollar sign next to a digit is money.
    renderer.use(dollarmath_plugin, allow_space=False, allow_digits=False, allow_labels=False, renderer=_as_written)
    references: dict[str, dict[str, str]] = {}
    builder = PartBuilder(limits=limits, start=start)
    for section in _sections(_without_front_matter(lines(encoding.decode(path, codec)), builder)):
        # The renderer drops the text of quotes that are nested deeper than it follows.
        html = renderer.render(_QUOTES.sub("> " * 20, section), {"references": references})
        yield from html_parser.add(html_tree.parse(f"<body>{html}</body>"), builder=builder)
    yield from builder.rest()


def _as_written(formula: str, options: dict[str, bool]) -> str:
    mark = "$$" if options["display_mode"] else "$"
    return f"{mark}{escape(formula)}{mark}"


def _without_front_matter(source: Iterator[str], builder: PartBuilder) -> Iterator[str]:
    """Add YAML front matter as one piece of text, and yield the lines after it.

    Rendered as Markdown it would be a rule and a heading.
    """
    first = next(source, "")
    if first.rstrip() != "---":
        yield first
        yield from source
        return
    held: list[str] = []
    for line in source:
        if line.rstrip() in {"---", "..."} and all(re.match(r"[\w-]+\s*:|\s|#|- |$", item) for item in held):
            builder.add(ElementType.NARRATIVE_TEXT, "\n".join(held))
            break
        held.append(line)
        # Front matter is not longer; the text begins with a horizontal rule.
        if len(held) > 200:
            yield from [first, *held]
            break
    else:
        yield from [first, *held]
    yield from source


def _sections(source: Iterator[str]) -> Iterator[str]:
    """Yield sections that can be rendered alone: each ends at a blank line outside a code fence."""
    held: list[str] = []
    size = 0
    fence = ""
    for line in source:
        is_safe = not fence and (not held or not held[-1].strip()) and line[:1] not in {" ", "\t", "", "-", "*", ">"}
        if size > _MAX_SECTION_CHARS or (size > PART_CHARS and is_safe):
            yield "\n".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line) + 1
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip(" `~"):
            fence = ""
    if held:
        yield "\n".join(held)
