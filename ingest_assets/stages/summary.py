"""The beginning of a document in, its summary out: its first sentences, or words, as many as fit."""

from __future__ import annotations

MAX_CHARS = 300


def summary_of(text: str) -> str:
    """Cut at the last sentence that fits; where none does, at the last word."""
    if len(text) <= MAX_CHARS:
        return text.strip()
    head = text[:MAX_CHARS]
    sentence = max(head.rfind(end) for end in (". ", "! ", "? ", "。"))
    return head[: sentence + 1].strip() if sentence > 0 else head.rsplit(None, 1)[0]
