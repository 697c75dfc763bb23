"""A value in, the same value out if it may stand in a filter: nobody can ask for everybody's rows by accident."""

from __future__ import annotations


def plain(value: object) -> str:
    """Return a value that may stand in a filter.

    Raises:
        ValueError: it is empty, or no text: a dict there would be read as an operator.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"a filter takes a text that is not empty, not {value!r}")
    return value
