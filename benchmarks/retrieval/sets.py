"""Read a retrieval set: its questions, its labels, and the chunks of this project placed in the raw files."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ingest_assets.parsers.contract import Limits
from ingest_assets.parsers.text import plain as text_parser
from ingest_assets.records import Chunk, Element, ElementType, Part
from ingest_assets.stages.chunking.chunk import ChunkSizes, chunk
from ingest_assets.stages.parse import parse


@dataclass(frozen=True, slots=True)
class Placed:
    """A chunk and the characters of the raw file that it covers."""

    chunk: Chunk
    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the documents, and the characters in them, that answer it."""

    text: str
    documents: frozenset[str]
    spans: tuple[tuple[str, int, int], ...] = ()


def scifact_questions(folder: Path) -> list[Question]:
    """The 300 claims of the test split."""
    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, score = line.split("\t")
        if int(score) > 0:
            relevant.setdefault(query, set()).add(document)
    rows = [row for row in _rows(folder / "queries.jsonl") if row["_id"] in relevant]
    return [Question(row["text"], frozenset(relevant[row["_id"]])) for row in rows]


def scifact_chunks(folder: Path, sizes: ChunkSizes) -> Iterator[Placed]:
    """Title and abstract as one paragraph, as the set asks for."""
    for row in _rows(folder / "corpus.jsonl"):
        element = Element(ElementType.NARRATIVE_TEXT, f"{row['title']} {row['text']}".strip())
        for piece in chunk([Part(1, (element,))], file_id=row["_id"], captions={}, sizes=sizes):
            yield Placed(piece, row["_id"], piece.start, piece.end)


def covid_questions(folder: Path) -> list[Question]:
    """The 1,035 questions with their answer spans."""
    spans = {row["query_id"]: row["spans"] for row in _rows(folder / "spans.jsonl")}
    found = []
    for row in _rows(folder / "queries.jsonl"):
        answers = tuple((str(span["doc"]), span["start"], span["end"]) for span in spans[row["_id"]])
        found.append(Question(row["text"], frozenset(document for document, _, _ in answers), answers))
    return found


def covid_chunks(folder: Path, sizes: ChunkSizes) -> Iterator[Placed]:
    """The whole papers, read by the text parser."""
    for path in sorted((folder / "docs").glob("*.txt")):
        parts = list(parse(path, parser=text_parser, limits=Limits(), keep=lambda *_: None))
        place = partial(_place, *_alignment(parts, path.read_bytes().decode("utf-8"), name=path.name))
        for piece in chunk(parts, file_id=path.stem, captions={}, sizes=sizes):
            yield Placed(piece, path.stem, place(piece.start), place(piece.end - 1) + 1)


def _alignment(parts: list[Part], raw: str, *, name: str) -> tuple[list[int], list[int]]:
    """Find each visible character of the document's text in the raw file, in order.

    The parser changes white space, drops bullets and replaces a few signs; it neither adds nor moves anything. Where
    that does not hold, the benchmark stops.
    """
    visible = [(at, sign) for at, sign in enumerate(raw) if not sign.isspace()]
    ours, theirs = [], []
    start = position = lost = 0
    for element in (element for part in parts for element in part.elements if element.text.strip()):
        for offset, character in enumerate(element.text):
            if character.isspace():
                continue
            near = [sign for _, sign in visible[position : position + 6]]
            lost = 0 if character in near else lost + 1
            if lost > 3:
                raise SystemExit(f"{name}: lost the place at character {visible[position][0]}: {near}")
            position += near.index(character) if character in near else 0
            ours.append(start + offset)
            theirs.append(visible[position][0])
            position += character in near
        start += len(element.text) + 2
    return ours, theirs


def _place(ours: list[int], theirs: list[int], position: int) -> int:
    return theirs[bisect_right(ours, position) - 1]


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
