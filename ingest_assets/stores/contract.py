"""What every vector store promises (DESIGN: a search sees all of a document's old chunks or all of its new ones)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ingest_assets.records import Audit, Chunk, EmbeddedChunk, FileRecord, Hit, Scope

if TYPE_CHECKING:
    from ingest_assets.records import Vector


class VectorStore(Protocol):
    """The team's store: chunks with vectors, and the ledger of files beside them.

    Every method may raise OutsideError (the server is away) or ConfigError (it is there, but set up wrongly).
    """

    def prepare(self) -> None:
        """Make collections and indexes; any number of times."""
        ...

    def replace(self, record: FileRecord, chunks: Iterable[EmbeddedChunk]) -> FileRecord:
        """Make these chunks the file's only ones, at once, and keep the record; return it as kept.

        Killed at any point, the old generation or the new one is in force. `chunks` is written in batches and never
        held whole. The counts `chunks`, `embedded` and `reused` of the record kept are those of the rows written.

        Raises:
            ValueError: a vector is not finite, not of norm 1 ± 1e-3, or of another length than the others;
                or two chunks share an id. Nothing becomes visible then.
        """
        ...

    def note(self, record: FileRecord) -> FileRecord:
        """Keep the record of an attempt that published nothing; the chunks and generation in force stay."""
        ...

    def delete(self, file_id: str) -> int:
        """Remove a file's chunks and record; return how many rows went. Unknown file: 0."""
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
        """List a file's current chunks in document order."""
        ...

    def audit(self, file_id: str) -> Audit:
        """Count what is really there, from the rows, not from the record."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
