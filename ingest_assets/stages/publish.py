"""Publish a file's embedded chunks in the store, and decide its state: succeeded, partial or empty.

The store replaces the file's chunks in one step (`stores/contract.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.contract import Publishing


def publish(record: FileRecord, chunks: Iterable[EmbeddedChunk], *, store: Publishing) -> FileRecord:
    """Publish a file's chunks and return its ledger entry: succeeded, partial or empty.

    A file with unreadable parts is partial even if nothing else was found in it: it may not be empty. If
    anything is raised, the old chunks stay in force.

    Raises:
        ValueError: a vector or a chunk id is not fit to be stored.
        OutsideError: the store is away, or another host published the same file meanwhile.
        ConfigError: the store is set up wrongly, or holds another model's vectors.
    """
    if record.quarantined or record.unread_pictures:
        return store.replace(replace(record, state=State.PARTIAL), chunks)
    # State and generation are written together, so whether there is a first chunk must be known before.
    iterator = iter(chunks)
    first = next(iterator, None)
    if first is None:
        return store.replace(replace(record, state=State.EMPTY), ())
    return store.replace(replace(record, state=State.SUCCEEDED), _after(first, iterator))


def _after(first: EmbeddedChunk, rest: Iterable[EmbeddedChunk]) -> Iterable[EmbeddedChunk]:
    yield first
    yield from rest


def carrying(chunks: Iterable[Chunk], record: FileRecord) -> Iterator[Chunk]:
    """Give each chunk of a file what an upload said of the file."""
    metadata = record.described
    return (replace(chunk, metadata=metadata) for chunk in chunks) if metadata else iter(chunks)


def is_published(record: FileRecord, found: FileRecord | None) -> bool:
    """Tell whether the store holds the result already, and the last attempt did not fail.

    The result is the same if the bytes, the fingerprint and what uploads said of the file are.
    """
    return (
        found is not None
        and not found.state.is_failure
        and (found.sha256, found.fingerprint, found.metadata) == (record.sha256, record.fingerprint, record.metadata)
    )
