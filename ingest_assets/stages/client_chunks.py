"""Read a client's chunks from lines of JSON, holding one line in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, BinaryIO

import msgspec

from ingest_assets.records import texts_in

MAX_LINE_BYTES = 1_000_000
"""A chunk's text has some kilobytes; a longer line holds a whole document."""
MAX_TEXT_CHARS = 100_000
MAX_METADATA_CHARS = 20_000
"""Of a chunk's own fields as JSON: forty times what the fields of a chunk usually take."""
_DEEPEST = 16
"""Lists and objects inside each other; a store's JSON reader follows them by recursion."""
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
    if _depth(chunk.metadata) > _DEEPEST:
        return f"metadata holds more than {_DEEPEST} lists or objects inside each other; make it flatter"
    for name, value in (
        ("text", chunk.text),
        ("doc_id", chunk.doc_id),
        ("chunk_id", chunk.chunk_id),
        ("section", "".join(chunk.section)),
        ("metadata", "".join(texts_in(chunk.metadata))),
    ):
        if "\0" in value:
            return f"{name} holds the character NUL, which no store keeps; take it out"
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            return f"{name} holds half a surrogate pair, which is no character; take it out"
    if not chunk.text.strip():
        return "text is empty; hand in what is to be found"
    try:
        size = len(json.dumps(chunk.metadata, ensure_ascii=False, allow_nan=False))
    except ValueError:
        return "metadata holds a number that JSON does not have (NaN or Infinity); write null"
    if size > MAX_METADATA_CHARS:
        return f"metadata has {size} characters; at most {MAX_METADATA_CHARS} are kept"
    return ""


def _names(line: bytes) -> _Names:
    """Return the ids in a line that is not a chunk, if they can be read."""
    try:
        return msgspec.json.decode(line, type=_Names)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Names()


def _depth(value: object, *, so_far: int = 0) -> int:
    if so_far > _DEEPEST or not isinstance(value, dict | list):
        return so_far
    inside = value.values() if isinstance(value, dict) else value
    return max((_depth(each, so_far=so_far + 1) for each in inside), default=so_far + 1)
