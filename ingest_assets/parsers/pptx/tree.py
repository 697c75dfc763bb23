"""Simplify the XML of a slide or its notes to plain shapes, paragraphs and runs, which python-pptx can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_assets.parsers.building import superscripts
from ingest_assets.parsers.ooxml.drawing_text import A
from ingest_assets.parsers.ooxml.equations import NAMESPACE as MATH
from ingest_assets.parsers.ooxml.equations import math_text

if TYPE_CHECKING:
    from lxml import etree

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def simplify(root: etree._Element) -> None:
    """Simplify the tree in place: choose alternatives, write equations as text, and superscript numbers as powers."""
    for alternatives in [*root.iter(f"{_MC}AlternateContent")]:
        options = [child for child in alternatives if isinstance(child.tag, str)]
        parent = alternatives.getparent()
        if parent is None:
            continue
        place = parent.index(alternatives)
        # Ink is a `contentPart`, which python-pptx does not know; its alternative is a picture.
        drawn = [option for option in options if option.find("{*}contentPart") is None]
        for child in reversed(drawn[0] if drawn else ()):
            parent.insert(place, child)
        parent.remove(alternatives)
    for equation in [*root.iter("{http://schemas.microsoft.com/office/drawing/2010/main}m")]:
        run = equation.makeelement(f"{A}r")
        text = equation.makeelement(f"{A}t")
        text.text = f" {' '.join(math_text(child) for child in equation if str(child.tag).startswith(MATH))} "
        run.append(text)
        equation.getparent().replace(equation, run)
    for paragraph in root.iter(f"{A}p"):
        superscripts.mark_runs(paragraph, run=f"{A}r", text=f"{A}t", breaks=(f"{A}br",), is_raised=_is_raised)


def _is_raised(run: etree._Element) -> bool:
    look = run.find(f"{A}rPr")
    return look is not None and look.get("baseline", "0")[:1] in set("123456789")
