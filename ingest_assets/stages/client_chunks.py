"""Read a client's chunks from lines of JSON, holding one line in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, BinaryIO

import msgspec

from ingest_assets.stages.client_metadata import MAX_METADATA_CHARS, metadata_fault, text_fault

MAX_LINE_BYTES = 1_000_000
"""A chunk's text has some kilobytes; a longer line holds a whole document."""
MAX_TEXT_CHARS = 100_000
_ID = msgspec.Meta(min_length=1, max_length=256)  # an index entry of PostgreSQL has room for 2,700 bytes, for both ids


class _Line(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    doc_id: Annotated[str, _ID]
    chunk_id: Annotated[str, _ID]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARS)]
    index: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    pages: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)], ...], msgspec.Meta(max_length=10_000)] = ()
    section: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=1_000)], ...], msgspec.Meta(max_length=32)] = ()
    metadata: dict[str, Any] = {}


class _Names(msgspec.Struct, frozen=True):
    doc_id: str = ""
    chunk_id: str = ""


@dataclass(frozen=True, slots=True)
class ClientChunk:
    """A chunk as a client hands it in."""

    line: int
    """From 1."""
    doc_id: str
    chunk_id: str
    text: str
    index: int = 0
    """Place in the document."""
    pages: tuple[int, ...] = ()
    section: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Fields of the client's own."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is not a chunk, and why."""

    line: int
    reason: str
    doc_id: str = ""
    chunk_id: str = ""


def client_chunks(stream: BinaryIO) -> Iterator[ClientChunk | Refused]:
    """Read chunks, one JSON object a line; empty lines are skipped."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield Refused(number, f"the line is longer than {MAX_LINE_BYTES} bytes; cut the document into chunks first")
        elif line.strip():
            yield _read(line, number)


def _read(line: bytes, number: int) -> ClientChunk | Refused:
    try:
        read = msgspec.json.decode(line, type=_Line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        names = _names(line)
        return Refused(number, f"not a chunk: {error}", names.doc_id, names.chunk_id)
    chunk = ClientChunk(
        line=number,
        doc_id=read.doc_id,
        chunk_id=read.chunk_id,
        text=read.text,
        index=read.index,
        pages=read.pages,
        section=read.section,
        metadata=read.metadata,
    )
    if problem := problem_of(chunk):
        return Refused(number, problem, read.doc_id, read.chunk_id)
    return chunk


def problem_of(chunk: ClientChunk) -> str:
    """Say why no store can keep a chunk; empty if one can."""
    for name, value in (
        ("text", chunk.text),
        ("doc_id", chunk.doc_id),
        ("chunk_id", chunk.chunk_id),
        ("section", "".join(chunk.section)),
    ):
        if fault := text_fault(name, value):
            return fault
    if not chunk.text.strip():
        return "text is empty; hand in what is to be found"
    return metadata_fault(chunk.metadata, max_chars=MAX_METADATA_CHARS)


def _names(line: bytes) -> _Names:
    """Return the ids in a line that is not a chunk, if they can be read."""
    try:
        return msgspec.json.decode(line, type=_Names)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Names()
