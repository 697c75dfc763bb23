"""Bound the fields that clients send with chunks and with files, and write them as one JSON text.

Their names and values may be any that JSON has, so the stores keep them as a text and not as columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ingest_assets.records import texts_in

MAX_METADATA_CHARS = 20_000
"""Of a chunk's own fields as JSON: forty times what the fields of a chunk usually take."""
MAX_FILE_METADATA_CHARS = 4_000
"""Of a file's fields: every chunk of it carries them, and a chunk has some 3,000 characters of text."""
_DEEPEST = 16
"""Lists and objects inside each other; a store's JSON reader follows them by recursion."""


def metadata_fault(metadata: Mapping[str, Any], *, max_chars: int) -> str:
    """Say why no store can keep these fields; empty if one can."""
    if _depth(metadata) > _DEEPEST:
        return f"metadata holds more than {_DEEPEST} lists or objects inside each other; make it flatter"
    if fault := text_fault("metadata", "".join(texts_in(metadata))):
        return fault
    try:
        size = len(metadata_text(metadata))
    except ValueError:
        return "metadata holds a number that JSON does not have (NaN or Infinity); write null"
    if size > max_chars:
        return f"metadata has {size} characters; at most {max_chars} are kept; shorten it"
    return ""


def text_fault(name: str, value: str) -> str:
    """Say why no store can keep a text; empty if one can."""
    if "\0" in value:
        return f"{name} holds the character NUL, which no store keeps; take it out"
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return f"{name} holds half a surrogate pair, which is no character; take it out"
    return ""


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """Write fields as JSON; no fields are an empty text.

    Raises:
        ValueError: a number is not finite, or has more digits than Python writes.
    """
    return json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False) if metadata else ""


def _depth(value: object, *, so_far: int = 0) -> int:
    if so_far > _DEEPEST or not isinstance(value, dict | list):
        return so_far
    inside = value.values() if isinstance(value, dict) else value
    return max((_depth(each, so_far=so_far + 1) for each in inside), default=so_far + 1)
