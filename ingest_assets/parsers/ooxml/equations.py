"""Write an equation of Word or PowerPoint (OMML) on one line, as people type it: (a+b)/2, x^2."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

NAMESPACE = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
# Real formulas are nested less; a hostile one could be deeper than Python's stack.
_MAX_DEPTH = 50


def math_text(element: etree._Element, *, depth: int = 0) -> str:
    """Write an equation, or a part of one, on one line."""
    if depth > _MAX_DEPTH:
        return "".join(str(text) for text in element.itertext())
    if not isinstance(element.tag, str) or not element.tag.startswith(NAMESPACE):
        return ""
    name = element.tag.removeprefix(NAMESPACE)
    if name == "t":
        return element.text or ""
    parts = {_name(child): math_text(child, depth=depth + 1) for child in element if isinstance(child.tag, str)}
    form = _FORMS.get(name)
    if form is not None:
        return form(parts)
    if name == "d":
        return _delimited(element, depth=depth)
    if name == "nary":
        sign = _value(element, "chr", "∫")
        return f"{sign}{_script('_', parts, 'sub')}{_script('^', parts, 'sup')} {parts.get('e', '')}"
    if name == "m":
        rows = [[math_text(cell, depth=depth + 1) for cell in row] for row in element.findall(f"{NAMESPACE}mr")]
        return f"[{'; '.join(', '.join(row) for row in rows)}]"
    return "".join(math_text(child, depth=depth + 1) for child in element)


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _group(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _script(mark: str, parts: dict[str, str], name: str) -> str:
    return f"{mark}{_group(parts[name])}" if parts.get(name) else ""


def _root(parts: dict[str, str]) -> str:
    degree = parts.get("deg", "")
    return f"√({parts.get('e', '')})" if not degree else f"root_{_group(degree)}({parts.get('e', '')})"


_FORMS: dict[str, Callable[[dict[str, str]], str]] = {
    "f": lambda parts: f"{_group(parts.get('num', ''))}/{_group(parts.get('den', ''))}",
    "sSup": lambda parts: f"{_group(parts.get('e', ''))}{_script('^', parts, 'sup')}",
    "sSub": lambda parts: f"{_group(parts.get('e', ''))}{_script('_', parts, 'sub')}",
    "sSubSup": lambda parts: f"{_group(parts.get('e', ''))}{_script('_', parts, 'sub')}{_script('^', parts, 'sup')}",
    "rad": _root,
    "func": lambda parts: f"{parts.get('fName', '')} {parts.get('e', '')}",
    "limLow": lambda parts: f"{parts.get('e', '')}{_script('_', parts, 'lim')}",
    "limUpp": lambda parts: f"{parts.get('e', '')}{_script('^', parts, 'lim')}",
}


def _delimited(element: etree._Element, *, depth: int) -> str:
    inside = [math_text(child, depth=depth + 1) for child in element.findall(f"{NAMESPACE}e")]
    separator = _value(element, "sepChr", "|")
    return f"{_value(element, 'begChr', '(')}{separator.join(inside)}{_value(element, 'endChr', ')')}"


def _value(element: etree._Element, name: str, default: str) -> str:
    found = element.find(f"{NAMESPACE}{_name(element)}Pr/{NAMESPACE}{name}")
    return default if found is None else found.get(f"{NAMESPACE}val", "")
