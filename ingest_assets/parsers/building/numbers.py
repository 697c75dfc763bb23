"""Write numbers as text: as a spreadsheet shows them, and as the label of a list item."""

from __future__ import annotations

_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_ROMAN_END = 4_000


def number_text(value: str | float) -> str:
    """Write a number with at most 15 digits, as Excel shows it; return other text unchanged."""
    try:
        number = float(value)
    except ValueError:
        return str(value)
    if number != number or number in (float("inf"), float("-inf")):
        return str(value)
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.15g}"


def list_label(count: int, kind: str) -> str:
    """Write item number `count` (from 1) in a list of this kind: "1", "a", "A", "i" or "I", as in HTML's `type`."""
    if kind in {"a", "A"} and count > 0:
        letters = ""
        while count:
            count, place = divmod(count - 1, 26)
            letters = chr(ord(kind) + place) + letters
        return letters
    if kind in {"i", "I"} and 0 < count < _ROMAN_END:
        written = ""
        for value, sign in _ROMAN:
            written += sign * (count // value)
            count %= value
        return written if kind == "i" else written.upper()
    return str(count)
