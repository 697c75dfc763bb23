"""What every vector store promises (DESIGN: a search sees all of a document's old chunks or all of its new ones)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import Audit, FileRecord, Flags, Hit, Scope, StoredChunk
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.ownership import StoreOwner

if TYPE_CHECKING:
    from ingest_assets.records import Vector


class Overtaken(OutsideError):
    """Somebody else published the file meanwhile: look again."""


class ChunkKnown(ValueError):
    """The file has a chunk of that id already."""


def require_generation(file_id: str, record: FileRecord | None, *, expecting: int | None) -> None:
    """Refuse to change a file whose generation in force is not the expected one; 0 stands for none.

    Raises:
        Overtaken: another one is in force.
    """
    now = record.generation if record is not None else 0
    if expecting is not None and now != expecting:
        raise Overtaken(f"{file_id}: generation {now} is in force, not {expecting}: somebody published it; look again")


class VectorStore(Protocol):
    """The team's store: chunks with vectors, and the ledger of files beside them.

    Every method may raise OutsideError (the server is away) or ConfigError (it is there, but set up wrongly).
    """

    def prepare(self, owner: StoreOwner | None = None, *, take_over: bool = False) -> None:
        """Make collections and indexes, and record `owner` as the bucket whose files this place holds.

        Any number of times. Without an owner nothing is recorded or compared. `take_over` puts the owner in the place
        of another one.

        Raises:
            ConfigError: the place belongs to another bucket, or holds something of another application's under a name
                that is needed here. Nothing is changed then.
        """
        ...

    def replace(
        self,
        record: FileRecord,
        chunks: Iterable[EmbeddedChunk],
        *,
        expecting: int | None = None,
        rewrite: Collection[str] = (),
    ) -> FileRecord:
        """Make these chunks the file's only ones, at once, and keep the record; return it as kept.

        Killed at any point, the old generation or the new one is in force. `chunks` is written in batches and never
        held whole. The counts `chunks`, `embedded` and `reused` of the record kept are those of the rows written. Rows
        named in `rewrite` are written anew even where they look right.

        Raises:
            Overtaken: not the generation `expecting` (0: none) is in force, or somebody published the file meanwhile.
            ValueError: a vector is not finite, not of norm 1 ± 1e-3, or of another length than the others;
                or two chunks share an id. Nothing becomes visible then.
        """
        ...

    def add(self, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
        """Put these chunks beside those that the file has, at once; return the record as kept.

        For documents whose chunks are handed in one by one (`Origin.CLIENT`). The record's `chunks` is the number in
        force afterwards, `embedded` and `reused` are those of this call.

        Raises:
            ChunkKnown: the file has a chunk of that id already. Nothing becomes visible then.
            ValueError: as `replace`.
        """
        ...

    def note(self, record: FileRecord) -> FileRecord:
        """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
        ...

    def delete(self, file_id: str, *, expecting: int | None = None) -> int:
        """Remove a file's chunks and record; return how many rows went. Unknown file: 0.

        Raises:
            Overtaken: not the generation `expecting` (0: none) is in force.
        """
        ...

    def vectors_for(self, model: str, text_sha256s: Sequence[str]) -> dict[str, Vector]:
        """Return the vectors that are there already, by text hash."""
        ...

    def search(self, vector: Vector, *, k: int, scope: Scope) -> list[Hit]:
        """Return the k nearest chunks of the scope's current generations, best first.

        Raises:
            ValueError: k is below 1, or the vector is not sound.
        """
        ...

    def file(self, file_id: str) -> FileRecord | None:
        """Return the ledger's entry of a file."""
        ...

    def files(self, scope: Scope | None = None, *, limit: int = 1000, offset: int = 0) -> list[FileRecord]:
        """List the ledger by file_id; without a scope, for the operator."""
        ...

    def chunks(self, file_id: str, *, limit: int = 100, offset: int = 0) -> list[Chunk]:
        """List a file's current chunks in document order: by index, then by chunk id."""
        ...

    def chunks_named(self, file_id: str, chunk_ids: Sequence[str]) -> dict[str, Chunk]:
        """Return those of a file's current chunks that have one of these ids, by id."""
        ...

    def audit(self, file_id: str) -> Audit:
        """Count what is really there, from the rows, not from the record (`audit.py`)."""
        ...

    def rows(self, file_id: str) -> Iterator[StoredChunk]:
        """Yield every row of a file, in force or not, by index and then by name; some hundred are held at a time.

        For whoever checks or copies: rows of a publication that is under way are among them.
        """
        ...

    def owners(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """List, in order, the file_ids behind `after` that the ledger or any row names; rows may have no entry."""
        ...

    def flag(self, file_id: str, flags: Mapping[str, Flags]) -> int:
        """Set `rag_strict` and `source_only` of a file's rows, by name; return how many rows changed."""
        ...

    def compact(self) -> str:
        """Give back space, renew statistics and indexes; say in a sentence what was done. Readers may have to wait."""
        ...

    def current_space(self) -> str:
        """Return the space of this place that is in use; "" is the first. Nothing need be prepared for it.

        A place holds one space for each model that is in use or being built: collections or tables `chunks` and
        `files`, with `_` and the space's name behind them for all but the first. A store object works on one space.
        """
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

    def close(self) -> None:
        """Let go of connections and files."""
        ...
