"""Translate chunks and ledger entries into Chroma rows, and back.

A row's id says which generation wrote it and what it holds: `owner/chunk_id/digest@generation`. So a list of ids, which
Chroma returns without reading a row, is enough to tell which chunks of a new version are there already. And no id is
written twice: Chroma writes an id again ten times more slowly than a new one.

A chunk row is in force where `since <= generation of the file's ledger entry < until`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import msgspec

from ingest_assets.ledger_records import FileRecord, Hit, Scope
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores import rows
from ingest_assets.stores.incoming import plain
from ingest_assets.stores.rows import Row, described

OPEN = 2**53
"""`until` of a row that no later generation has removed. The largest integer that every JSON reader keeps exact."""


@dataclass(frozen=True, slots=True)
class ChromaEntry:
    """A file's ledger entry as Chroma holds it."""

    record: FileRecord
    token: str
    """Changes with every publication: equal tokens mean that nothing was published in between."""
    gone: bool
    """Its deletion has begun; none of its rows is in force."""

    @property
    def generation(self) -> int:
        """The generation in force."""
        return self.record.generation


def row_id(embedded: EmbeddedChunk, record: FileRecord, *, position: int) -> str:
    """Name the row of a chunk in generation `record.generation`."""
    content = digest(embedded, record, position=position)
    return f"{owner(record.file_id)}/{embedded.chunk.chunk_id}/{content}@{record.generation}"


def parts_of(name: str) -> tuple[str, str, int]:
    """Split a row's id into chunk id, digest and the generation that wrote it."""
    head, _, generation = name.rpartition("@")
    head, _, content = head.rpartition("/")
    return head.partition("/")[2], content, int(generation)


def owner(file_id: str) -> str:
    """Return the part of a row id that differs between two files, whose chunk ids may be equal."""
    return hashlib.sha256(file_id.encode()).hexdigest()[:16]


def digest(embedded: EmbeddedChunk, record: FileRecord, *, position: int) -> str:
    """Hash all of a row except its generations and its vector; a row with the same hash can stay.

    Raises:
        ValueError: the text holds half a surrogate pair, which no store can write.
    """
    content = json.dumps(_described(embedded, record, position=position), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256((content + "\n" + embedded.chunk.text).encode()).hexdigest()[:16]


def chunk_row(embedded: EmbeddedChunk, record: FileRecord, *, position: int) -> dict[str, Any]:
    """Return a chunk's metadata as generation `record.generation` writes it."""
    described = _described(embedded, record, position=position)
    return described | {"since": record.generation, "until": OPEN}


def _described(embedded: EmbeddedChunk, record: FileRecord, *, position: int) -> dict[str, Any]:
    chunk = embedded.chunk
    return described(embedded, record) | {
        "scope": scope_key(Scope(record.user_id, record.project_id)),
        "position": position,
        "pages": json.dumps(chunk.pages),
        "section": json.dumps(chunk.section, ensure_ascii=False),
    }


def in_force(row: Row, entry: ChromaEntry | None) -> bool:
    """Tell whether a row belongs to the generation in force."""
    if entry is None or entry.gone:
        return False
    return bool(row.get("since", 0) <= entry.generation < row.get("until", 0))  # a foreign row has neither


def read(row: Row, text: str) -> Row:
    """Return a row's values as every store has them; Chroma keeps no lists, and the text separately."""
    lists = {name: json.loads(row.get(name, "[]")) for name in ("pages", "section")}
    return {**row, **lists, "text": text, "generation": row.get("since", 0)}


def hit_of(row: Row, text: str, *, distance: float) -> Hit:
    """Read an answer; Chroma's cosine distance is 1 - cosine."""
    return rows.hit_of(read(row, text), score=min(1.0, max(-1.0, 1.0 - distance)))


def ledger_row(entry: ChromaEntry) -> dict[str, Any]:
    """Return a ledger entry's metadata: the whole record as JSON, and its plain fields for people who filter."""
    record = entry.record
    fields = msgspec.to_builtins(record).items()
    single = {name: value for name, value in fields if isinstance(value, str | int | float)}
    return single | {
        "record": msgspec.json.encode(record).decode(),
        "scope": scope_key(Scope(record.user_id, record.project_id)),
        "token": entry.token,
        "gone": int(entry.gone),
    }


def entry_of(row: Row) -> ChromaEntry:
    """Read a ledger entry back."""
    record = msgspec.json.decode(row["record"], type=FileRecord)
    return ChromaEntry(record=record, token=row["token"], gone=bool(row["gone"]))


def scope_key(scope: Scope) -> str:
    """Return a scope as one value: Chroma answers one condition a third faster than two."""
    return json.dumps([plain(scope.user_id), plain(scope.project_id)], ensure_ascii=False)
