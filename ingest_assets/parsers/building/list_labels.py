"""The number of an item in, the number, letter or Roman numeral out with which its list is counted."""

from __future__ import annotations

_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_ROMAN_END = 4_000


def label(count: int, kind: str) -> str:
    """Write a number as a list of this kind does: "1", "a", "A", "i" or "I"."""
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
