"""Numbers as office programs keep them in, as a person would write them out: 0.30000000000000004 is 0.3."""

from __future__ import annotations


def number_text(value: str | float) -> str:
    """Write a number with at most 15 digits, which is what Excel itself shows; other text stays as it is."""
    try:
        number = float(value)
    except ValueError:
        return str(value)
    if number != number or number in (float("inf"), float("-inf")):
        return str(value)
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.15g}"
