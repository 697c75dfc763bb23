"""Turns at a Chroma store in, a file's ledger entry out, or kept.

An embedded store gives turns that exclude other processes (`chroma_embedded.py`), a server looks after itself
(`chroma_server.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from ingest_assets.stores.chroma.read import entry_in
from ingest_assets.stores.chroma.rows import Entry, ledger_row

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ingest_assets.stores.chroma.client import Handle

T = TypeVar("T")


class Turns(Protocol):
    """Turns at a store: `chroma_embedded.py` and `chroma_server.py`."""

    @property
    def location(self) -> str: ...
    @property
    def steady(self) -> bool: ...
    def reading(self) -> AbstractContextManager[Handle]: ...
    def writing(self) -> AbstractContextManager[Handle]: ...
    def owning(self, file_id: str) -> AbstractContextManager[None]: ...
    def compact(self) -> str: ...
    def close(self) -> None: ...


def ledger_entry(turns: Turns, file_id: str) -> Entry | None:
    """Read a file's ledger entry, also where its deletion has begun."""
    with turns.reading() as store:
        return entry_in(store, file_id)


def write_entry(turns: Turns, entry: Entry, *, known: bool) -> None:
    """Keep a ledger entry, in one write."""
    row, file_id = ledger_row(entry), entry.record.file_id
    with turns.writing() as store:
        if known:
            store.files.update(ids=[file_id], metadatas=[row])
        else:
            store.files.add(ids=[file_id], embeddings=[[1.0]], metadatas=[row])  # Chroma keeps no row without a vector


class Settled(Protocol):
    """Reads until no row goes away meanwhile."""

    def __call__(self, look: Callable[[Handle], T]) -> T: ...
