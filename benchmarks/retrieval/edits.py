"""Measure how many chunks of a long text change after one edit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.text import plain as text_parser
from ingest_assets.stages.chunking.chunk import ChunkSizes, chunk
from ingest_assets.stages.parse import parse

NEW = "\n\n" + "This paragraph was not here before, and it says so. " * 8
EDITS: dict[str, Callable[[str], str]] = {
    "one word added in the first paragraph": lambda text: text.replace(" ", " also ", 1),
    "a paragraph of 88 words added at 5 %": lambda text: (
        at := text.index("\n\n", len(text) // 20),
        text[:at] + NEW + text[at:],
    )[1],
    "a paragraph removed at 10 %": lambda text: _without(text, len(text) // 10),
    "ten words added at 50 %": lambda text: text[: (at := text.index(" ", len(text) // 2))] + " word" * 10 + text[at:],
    "the first 1,000 characters removed": lambda text: text[1000:],
}


def edits_table(path: Path) -> list[str]:
    """Return the rows of table 3."""
    whole = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    before = _texts(whole)
    rows = ["| edit | chunks | new texts |", "| --- | ---: | ---: |"]
    for name, change in EDITS.items():
        after = _texts(change(whole))
        rows.append(f"| {name} | {len(after):,} | {len(set(after) - set(before))} |")
    return rows


def _without(text: str, position: int) -> str:
    start = text.index("\n\n", position)
    return text[:start] + text[text.index("\n\n", start + 2) :]


def _texts(text: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text(text, encoding="utf-8")
        parts = parse(path, parser=text_parser, limits=Limits(), keep=lambda *_: None)
        return [piece.text_sha256 for piece in chunk(parts, file_id="f", captions={}, sizes=ChunkSizes())]
