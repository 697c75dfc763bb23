"""A field of a form in a page in, what a person sees in it as text in its place out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

_TYPED = {"text", "email", "number", "date", "time", "datetime-local", "month", "week", "tel", "url", "search"}


def write_out(field: etree._Element) -> None:
    """Put text in the place of an `input` or `select`: passwords, buttons and what is hidden are nothing."""
    text, tail = f" {_shown(field)} ", field.tail
    field.clear()
    field.tag, field.text, field.tail = "span", text, tail


def _shown(field: etree._Element) -> str:
    if str(field.tag).lower() == "select":
        options = [*field.iter("option")]
        chosen = [option for option in options if option.get("selected") is not None]
        if not chosen and field.get("multiple") is None:
            chosen = options[:1]
        return ", ".join(" ".join(map(str, option.itertext())).strip() for option in chosen)
    kind = field.get("type", "text").strip().lower()
    if kind in {"checkbox", "radio"}:
        return "\u2612" if field.get("checked") is not None else "\u2610"
    return field.get("value", "") if kind in _TYPED else ""
