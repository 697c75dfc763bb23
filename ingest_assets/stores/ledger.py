"""A store in, every record of its ledger out, a page in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator

from ingest_assets.ledger_records import FileRecord
from ingest_assets.stores.contract import VectorStore

_PAGE = 1000


def ledger(store: VectorStore) -> Iterator[FileRecord]:
    """Yield the records of all files, by file_id."""
    offset = 0
    while page := store.files(limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)
