"""Read from a Chroma store until the answer is a consistent snapshot.

An embedded store is locked while it is read (`embedded/`). A server is not (`server.py`): rows can be deleted between
two requests, and the read is then repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ingest_assets.errors import OutsideError
from ingest_assets.stores.chroma.client import RowsMoved

if TYPE_CHECKING:
    from ingest_assets.stores.chroma.client import ChromaCollections
    from ingest_assets.stores.chroma.embedded.embedded_chroma import EmbeddedChroma
    from ingest_assets.stores.chroma.server import ServedChroma

    ChromaAccess: TypeAlias = EmbeddedChroma | ServedChroma

READS = 100
"""Reads of rows that a server is changing; the change that a read can meet lasts milliseconds."""

T = TypeVar("T")


def settled(access: ChromaAccess, read: Callable[[ChromaCollections], T]) -> T:
    """Call `read` until no row is deleted during it, and return its answer.

    Raises:
        OutsideError: rows were deleted during each of 100 reads.
    """
    for _ in range(READS):
        try:
            with access.reading() as store:
                return read(store)
        except RowsMoved:
            continue
    raise restless(access)


def restless(access: ChromaAccess) -> OutsideError:
    """Say that the rows changed during every read."""
    return OutsideError(f"{access.location}: the rows changed {READS} times while they were read; try again")
