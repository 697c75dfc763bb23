"""Define what every vector store can do, as small protocols for callers that need a part of it.

The promise behind all of them: a search sees all of a document's old chunks or all of its new ones, whatever is killed
and when. `docs/design.md` has the promises; one test suite (`ingest_assets_tests/stores`) runs on every store.

A stage names the smallest protocol that it needs:

    Searching                          search
    LedgerReading                      file, files, projects
    RowReading                         chunks, chunks_named, chunks_within, vectors_for, rows, owners, audit
    StoreReading                       LedgerReading + RowReading
    Publishing                         replace, add, note, delete, flag
    StoreEditing                       StoreReading + Publishing
    Upkeep                             prepare, compact, connections, close
    ModelSpaces                        current_space, switch, drop
    VectorStore                        all of them
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import EVERYTHING, Audit, FileRecord, Filter, Flags, Hit, Scope, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.ownership import StoreOwner

if TYPE_CHECKING:
    from ingest_assets.records import Vector

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """The connections of one store object to its server."""

    in_use: int
    idle: int
    waiting: int
    """Calls that wait for a connection."""


class Overtaken(OutsideError):
    """Another process published the file in the meantime: read it again, then decide."""


class ChunkKnown(ValueError):
    """The file already has a chunk of that id."""


def require_generation(file_id: str, record: FileRecord | None, *, expecting: int | None) -> None:
    """Refuse to change a file whose generation in force is not the expected one; 0 means that it has none.

    Raises:
        Overtaken: another generation is in force.
    """
    now = record.generation if record is not None else 0
    if expecting is not None and now != expecting:
        raise Overtaken(f"{file_id}: generation {now} is in force, not {expecting}: it was published; read it again")


class Searching(Protocol):
    """Find the chunks nearest to a vector.

    Every method of every protocol may raise OutsideError (the server is away) or ConfigError (it is set up wrongly).
    """

    def search(self, vector: Vector, *, k: int, scope: Scope, filters: Filter = EVERYTHING) -> list[Hit]:
        """Return the k nearest chunks of the scope's current generations that the filter lets through, best first.

        Raises:
            ValueError: k is below 1, or the vector is not sound.
        """
        ...


class LedgerReading(Protocol):
    """Read the ledger: one record for each file."""

    def file(self, file_id: str) -> FileRecord | None:
        """Return the record of a file."""
        ...

    def files(self, scope: Scope | None = None, *, limit: int = 1000, offset: int = 0) -> list[FileRecord]:
        """List records by file_id; without a scope all users', which only an operator may see."""
        ...

    def projects(self, user_id: str) -> list[str]:
        """List in order the projects of a user that have a record."""
        ...


class RowReading(Protocol):
    """Read chunks, as a search sees them and as they really stand in the store."""

    def chunks(self, file_id: str, *, limit: int = 100, offset: int = 0) -> list[Chunk]:
        """List a file's current chunks in document order: by index, then by chunk id."""
        ...

    def chunks_named(self, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return a file's current chunks that have one of these ids, by id."""
        ...

    def chunks_within(self, scope: Scope, chunk_ids: Sequence[str]) -> list[Chunk]:
        """Return the current chunks of all files of a scope that have one of these ids, by id, then by file."""
        ...

    def vectors_for(self, model: str, text_sha256s: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that the store already has for these texts, by text hash."""
        ...

    def rows(self, file_id: str) -> Iterator[StoredChunk]:
        """Yield every row of a file, in force or not, by index and then by name; a few hundred are in memory at a time.

        Rows of a publication that is still being written are among them.
        """
        ...

    def owners(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """List in order the file_ids after `after` that the ledger or any row names; rows may have no record."""
        ...

    def audit(self, file_id: str) -> Audit:
        """Count what is really there, from the rows, not from the record (`audit.py`)."""
        ...


class StoreReading(LedgerReading, RowReading, Protocol):
    """Read records and rows."""


class Publishing(Protocol):
    """Change what a file has in the store."""

    def replace(
        self,
        record: FileRecord,
        chunks: Iterable[EmbeddedChunk],
        *,
        expecting: int | None = None,
        rewrite: Collection[str] = (),
    ) -> FileRecord:
        """Make these chunks the file's only ones, at once, and keep the record; return it as kept.

        Killed at any point, the old generation or the new one is in force. `chunks` is written in batches, so memory
        does not grow with the document. The counts `chunks`, `embedded` and `reused` of the record kept are those of
        the rows written. Rows named in `rewrite` are written again even where they look right.

        Raises:
            Overtaken: another generation than `expecting` (0: none) is in force, or another process published the
                file in the meantime.
            ValueError: a vector is not finite, not of norm 1 ± 1e-3, or of another length than the others;
                or two chunks share an id. Nothing becomes visible then.
        """
        ...

    def add(self, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
        """Put these chunks beside those that the file has, at once; return the record as kept.

        For documents whose chunks are handed in one by one (`Origin.CLIENT`). The record's `chunks` is the number in
        force afterwards, `embedded` and `reused` are those of this call.

        Raises:
            ChunkKnown: the file already has a chunk of that id. Nothing becomes visible then.
            ValueError: as `replace`.
        """
        ...

    def note(self, record: FileRecord) -> FileRecord:
        """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
        ...

    def delete(self, file_id: str, *, expecting: int | None = None) -> int:
        """Remove a file's chunks and record; return the number of rows removed. Unknown file: 0.

        Raises:
            Overtaken: another generation than `expecting` (0: none) is in force.
        """
        ...

    def flag(self, file_id: str, flags: Mapping[str, Flags]) -> int:
        """Set `rag_strict` and `source_only` of a file's rows, by row name; return how many rows changed."""
        ...


class StoreEditing(StoreReading, Publishing, Protocol):
    """Read records and rows, and change files."""


class Upkeep(Protocol):
    """Set a store up, and keep it small and fast."""

    def prepare(self, owner: StoreOwner | None = None, *, take_over: bool = False) -> None:
        """Make collections and indexes, and record `owner` as the bucket whose files this place holds.

        Any number of times. Without an owner nothing is recorded or compared. `take_over` replaces the owner that is
        recorded.

        Raises:
            ConfigError: the place belongs to another bucket, or another application uses a name that is needed here.
                Nothing is changed then.
        """
        ...

    def compact(self) -> str:
        """Free space, renew statistics and indexes; return a sentence about what was done. Readers may have to wait."""
        ...

    def connections(self) -> ConnectionCounts | None:
        """Count this object's connections, without a request; None where the store's library does not count them."""
        ...

    def close(self) -> None:
        """Close connections and files; the next call opens them again."""
        ...


class ModelSpaces(Protocol):
    """Keep the vectors of two models side by side while one replaces the other.

    A place holds one space for each model that is in use or being built: the collections or tables `chunks` and
    `files`, for all but the first space with `_` and the space's name appended. A store object works on one space.
    """

    def current_space(self) -> str:
        """Return the space of this place that is in use; "" is the first. The space need not be prepared."""
        ...

    def switch(self, space: str) -> None:
        """Make another space of this place the one in use, in one write."""
        ...

    def drop(self) -> None:
        """Remove this object's own space with all that is in it.

        Raises:
            ValueError: it is the space in use.
        """
        ...


class VectorStore(Searching, StoreEditing, Upkeep, ModelSpaces, Protocol):
    """The team's store: chunks with vectors, and beside them the ledger of files."""


def all_records(store: LedgerReading) -> Iterator[FileRecord]:
    """Yield the records of all files, by file_id; 1,000 are in memory at a time."""
    offset = 0
    while page := store.files(limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)
