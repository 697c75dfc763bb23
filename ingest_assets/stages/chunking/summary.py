"""Make a document's summary from its first sentences."""

from __future__ import annotations

MAX_CHARS = 300


def summary_of(text: str) -> str:
    """Return as many first sentences as fit into 300 characters; if none fits, as many words."""
    if len(text) <= MAX_CHARS:
        return text.strip()
    head = text[:MAX_CHARS]
    sentence = max(head.rfind(end) for end in (". ", "! ", "? ", "。"))
    return head[: sentence + 1].strip() if sentence > 0 else head.rsplit(None, 1)[0]
