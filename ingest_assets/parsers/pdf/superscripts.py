"""A page's characters in, the places of raised numbers behind digits out: 10^7 has the letters of 107.

Few numbers hold any, so their first and last characters are asked first.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from math import hypot

from ingest_assets.parsers.building import superscripts as powers
from ingest_assets.parsers.pdf.pdfium_calls import Characters

_NUMBER = re.compile(r"\d[\d.,]*[+\-\u2212\u2013]?\d+(?:[.,]\d+)?")
_EXPONENT = re.compile(r"[+\-\u2212\u2013]?\d+(?:[.,]\d+)?")
# Of the size of the digits before it: what is smaller, and set higher, is raised.
_SMALLER = 0.9
_HIGHER = 0.15


def raised(text: str, characters: Characters) -> list[tuple[int, str]]:
    """Return, in order, where in a page's text a raised number begins right behind a digit, and what parts the two."""
    numbers = [found.span() for found in _NUMBER.finditer(text)]
    ends = _looks(list(chain.from_iterable((start, end - 1) for start, end in numbers)), characters)
    places: list[tuple[int, str]] = []
    for (start, end), first, last in zip(numbers, ends[0::2], ends[1::2], strict=True):
        if _is_raised(last, above=first):
            looks = _looks(range(start, min(end + 1, len(text))), characters)
            if text[end : end + 1].isalpha() and _is_raised(looks[-1], above=first):
                continue  # "4th", and not four to the fourth
            place = next(number for number, look in enumerate(looks) if _is_raised(look, above=first))
            if _EXPONENT.fullmatch(text, start + place, end) and text[start + place - 1].isdigit():
                places.append((start + place, " " if powers.is_fraction(text, start + place) else "^"))
    return places


def written(text: str, start: int, places: Sequence[tuple[int, str]]) -> str:
    """Put into a text, which begins at a place of the page's, what parts raised numbers from the digits before."""
    first = bisect_left(places, (start + 1, ""))
    for place, sign in reversed(places[first : bisect_left(places, (start + len(text), ""))]):
        text = f"{text[: place - start]}{sign}{text[place - start :]}"
    return text


def _is_raised(look: tuple[float, float], *, above: tuple[float, float]) -> bool:
    (size, base), (size_before, base_before) = look, above
    return size < _SMALLER * size_before and base > base_before + _HIGHER * size_before


def _looks(indices: Sequence[int], characters: Characters) -> list[tuple[float, float]]:
    """Return the size of each character and the height of its base line, of upright text in points."""
    matrices = characters.matrices(indices)
    scales = map(hypot, matrices[0::6], matrices[1::6])
    sizes = (size * scale for size, scale in zip(characters.sizes(indices), scales, strict=True))
    return list(zip(sizes, matrices[5::6], strict=True))
