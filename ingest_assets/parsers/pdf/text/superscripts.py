"""Find raised numbers after digits on a page, and write a sign between them: 10^7 instead of 107.

Few numbers have a raised part, so only the first and the last character of each are measured first.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from math import hypot

from ingest_assets.parsers.building.superscripts import is_fraction
from ingest_assets.parsers.pdf.pdfium_calls import Characters

_NUMBER = re.compile(r"\d[\d.,]*[+\-\u2212\u2013]?\d+(?:[.,]\d+)?")
_EXPONENT = re.compile(r"[+\-\u2212\u2013]?\d+(?:[.,]\d+)?")
# Times the size of the digits before: a raised number is smaller than this, and higher by at least this.
_SMALLER = 0.9
_HIGHER = 0.15


def raised_numbers(text: str, characters: Characters) -> list[tuple[int, str]]:
    """Return, in order, where a raised number begins right after a digit, and the sign to write there: "^" or " "."""
    numbers = [found.span() for found in _NUMBER.finditer(text)]
    ends = _measured(list(chain.from_iterable((start, end - 1) for start, end in numbers)), characters)
    places: list[tuple[int, str]] = []
    for (start, end), first, last in zip(numbers, ends[0::2], ends[1::2], strict=True):
        if _is_raised(last, above=first):
            measured = _measured(range(start, min(end + 1, len(text))), characters)
            if text[end : end + 1].isalpha() and _is_raised(measured[-1], above=first):
                continue  # "4th", and not four to the fourth
            place = next(number for number, size in enumerate(measured) if _is_raised(size, above=first))
            if _EXPONENT.fullmatch(text, start + place, end) and text[start + place - 1].isdigit():
                places.append((start + place, " " if is_fraction(text, start + place) else "^"))
    return places


def with_signs(text: str, start: int, places: Sequence[tuple[int, str]]) -> str:
    """Insert the signs of `raised_numbers` into a piece of the page's text that begins at `start`."""
    first = bisect_left(places, (start + 1, ""))
    for place, sign in reversed(places[first : bisect_left(places, (start + len(text), ""))]):
        text = f"{text[: place - start]}{sign}{text[place - start :]}"
    return text


def _is_raised(character: tuple[float, float], *, above: tuple[float, float]) -> bool:
    (size, base), (size_before, base_before) = character, above
    return size < _SMALLER * size_before and base > base_before + _HIGHER * size_before


def _measured(indices: Sequence[int], characters: Characters) -> list[tuple[float, float]]:
    """Return the size of each character and the height of its baseline in points, for upright text."""
    matrices = characters.matrices(indices)
    scales = map(hypot, matrices[0::6], matrices[1::6])
    sizes = (size * scale for size, scale in zip(characters.sizes(indices), scales, strict=True))
    return list(zip(sizes, matrices[5::6], strict=True))
