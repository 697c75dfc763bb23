"""Replace the fields of a form by the text that a person sees in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

# Types of <input> (HTML, 4.10.5) that show no text of the page; every unknown type is a line of text.
_UNSEEN = {"hidden", "password", "submit", "button", "reset", "image", "file", "color", "range"}
_IN_LISTS = {"option", "optgroup", "hr"}


def write_out(field: etree._Element) -> None:
    """Replace an `input` or `select` by its text; passwords, buttons and hidden fields have none."""
    if field.tag == "select" and any(node.tag not in _IN_LISTS for node in field.iterdescendants()):
        field.tag = "div"  # the <select> was never closed, so the rest of the page stands in it
        for option in field.iter("option", "select"):
            option.tag = "p"
        return
    text, tail = f" {_chosen(field) if field.tag == 'select' else _typed(field)} ", field.tail
    field.clear()
    field.tag, field.text, field.tail = "span", text, tail


def _chosen(field: etree._Element) -> str:
    options = [*field.iter("option")]
    chosen = [option for option in options if option.get("selected") is not None]
    if not chosen and field.get("multiple") is None:
        chosen = options[:1]
    return ", ".join((option.text or "").strip() for option in chosen)


def _typed(field: etree._Element) -> str:
    kind = field.get("type", "").strip().lower()
    if kind in {"checkbox", "radio"}:
        return "\u2612" if field.get("checked") is not None else "\u2610"
    return "" if kind in _UNSEEN else field.get("value", "")
