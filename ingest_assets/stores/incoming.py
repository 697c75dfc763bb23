"""Check what callers give to a store: values of filters, searches, and the chunks of a publication.

The stores differ in how they write. What they accept is the same, so it is decided here once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import EmbeddedChunk
from ingest_assets.vectors import NORM_TOLERANCE, fault, refuse_unsound

if TYPE_CHECKING:
    from ingest_assets.records import Vector

KEPT_BY_NOTE = ("generation", "chunks", "model", "dimension", "metadata")
"""Fields of a record that describe the chunks in force. An attempt that published nothing does not change them."""


def plain(value: object) -> str:
    """Return a value that may stand in a filter, so that a filter never matches all users' rows by accident.

    Raises:
        ValueError: it is empty, or not a text: a store would read a dict as an operator.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"a filter takes a text that is not empty, not {value!r}")
    return value


def require_search(vector: Vector, *, k: int) -> None:
    """Refuse a search that has no answer.

    Raises:
        ValueError: k is below 1, or the vector is not finite or not of norm 1.
    """
    if k < 1:
        raise ValueError(f"a search asks for at least one answer, not {k}")
    if found := fault(vector, dimension=vector.size):
        raise ValueError(f"the vector of a query is {found}; correct the embedder")


def noted(record: FileRecord, before: FileRecord | None) -> FileRecord:
    """Return the record of an attempt that published nothing; its fields about the chunks in force stay as before."""
    if before is None:
        return replace(record, generation=0, chunks=0)
    return replace(
        record,
        generation=before.generation,
        chunks=before.chunks,
        model=before.model,
        dimension=before.dimension,
        metadata=before.metadata,
    )


class IncomingChunks:
    """Check and count the chunks of one publication while they arrive; only their ids are kept."""

    def __init__(self, record: FileRecord, *, beside: FileRecord | None = None) -> None:
        """Take the record to publish; `beside` is the record of chunks that stay, so the new ones need its model."""
        self.record = record
        """The record, with model and dimension of the chunks."""
        self.seen: set[str] = set()
        """Chunk ids that have arrived."""
        self.reused = 0
        self._first_decides = beside is None
        if beside is not None:
            self.record = replace(record, model=beside.model, dimension=beside.dimension)

    def check(self, batch: Sequence[EmbeddedChunk]) -> None:
        """Accept a batch of chunks.

        Raises:
            ValueError: a chunk belongs to another file, has the id of an earlier one, another model, or a vector that
                is not finite, not of norm 1 or of another length.
        """
        if batch and self._first_decides:
            self.record = replace(self.record, model=batch[0].model, dimension=batch[0].vector.size)
            self._first_decides = False
        file_id, model, dimension = self.record.file_id, self.record.model, self.record.dimension
        for embedded, sound in zip(batch, _are_sound([each.vector for each in batch], dimension), strict=True):
            chunk = embedded.chunk
            if not sound:
                refuse_unsound(embedded, dimension=dimension)
            if chunk.file_id != file_id:
                raise ValueError(f"{file_id}: chunk {chunk.chunk_id} belongs to {chunk.file_id}")
            if embedded.model != model:
                raise ValueError(f"{file_id}: vectors of {model} and {embedded.model} in one file")
            if chunk.chunk_id in self.seen:
                raise ValueError(f"{file_id}: two chunks share the id {chunk.chunk_id}, the second at {chunk.index}")
            self.seen.add(chunk.chunk_id)
            self.reused += embedded.reused

    def counted(self, chunks: int) -> FileRecord:
        """Return the record with the number of chunks in force and of those that were embedded and reused."""
        return replace(self.record, chunks=chunks, embedded=len(self.seen) - self.reused, reused=self.reused)


def _are_sound(vectors: Sequence[Vector], dimension: int) -> list[bool]:
    """Tell which vectors certainly have no fault; checking a batch at once takes a tenth of the time."""
    import numpy as np

    if not vectors or any(vector.shape != (dimension,) for vector in vectors):
        return [False] * len(vectors)
    matrix = np.stack(vectors).astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    return list(np.abs(norms - 1.0) <= NORM_TOLERANCE / 2)  # a NaN or an infinity is not within any distance
