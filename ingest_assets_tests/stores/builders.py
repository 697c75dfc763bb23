"""Build records, chunks and vectors for tests; the same text always gets the same vector."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ingest_assets.ledger_records import FileRecord, Hit, Scope, State
from ingest_assets.records import Chunk, EmbeddedChunk
from ingest_assets.stores.contract import VectorStore

DIMENSION = 32
MODEL = "test-model"

Vector = npt.NDArray[np.float32]


def vector_of(text: str, dimension: int = DIMENSION) -> Vector:
    """Return the same unit vector for the same text, always."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def record_of(file_id: str, *, user_id: str = "ada", project_id: str = "engines", version: str = "v1") -> FileRecord:
    return FileRecord(
        file_id=file_id,
        user_id=user_id,
        project_id=project_id,
        filename=file_id.rsplit("/", 1)[-1],
        key=f"{user_id}/{project_id}/{file_id}",
        state=State.SUCCEEDED,
        version=version,
        media_type="text/plain",
    )


def scope_of(record: FileRecord) -> Scope:
    return Scope(user_id=record.user_id, project_id=record.project_id)


def chunks_of(record: FileRecord, texts: Sequence[str], *, model: str = MODEL) -> Iterator[EmbeddedChunk]:
    """Yield a chunk per text, as the chunk stage names them: by owner, content and which of equal ones."""
    times: dict[str, int] = {}
    start = 0
    for index, text in enumerate(texts):
        text_sha256 = hashlib.sha256(text.encode()).hexdigest()
        times[text] = times.get(text, 0) + 1
        identity = f"{record.file_id}\n{text_sha256}\n{times[text]}"
        chunk = Chunk(
            chunk_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
            file_id=record.file_id,
            index=index,
            text=text,
            text_sha256=text_sha256,
            start=start,
            end=start + len(text),
            prefix="",
            pages=(index // 3 + 1,),
            section=("Part", f"Section {index // 5}"),
            words=len(text.split()),
        )
        start += len(text) + 2
        yield EmbeddedChunk(chunk=chunk, vector=vector_of(text), model=model)


def with_vector(embedded: EmbeddedChunk, vector: Vector) -> EmbeddedChunk:
    return replace(embedded, vector=vector)


def texts_of(name: str, count: int) -> list[str]:
    return [f"{name}: paragraph {number} of this document" for number in range(count)]


def publish(store: VectorStore, record: FileRecord, texts: Sequence[str]) -> FileRecord:
    return store.replace(record, chunks_of(record, texts))


def texts_in(store: VectorStore, file_id: str) -> list[str]:
    return [chunk.text for chunk in store.chunks(file_id, limit=100_000)]


def found_texts(hits: Iterable[Hit]) -> set[str]:
    """Return the texts of what a search found."""
    return {hit.chunk.text for hit in hits}


class CountedChunks:
    """Yields chunks, and counts how many vectors of them were in memory at once."""

    def __init__(self, chunks: Iterable[EmbeddedChunk]) -> None:
        self._chunks, self._alive, self.most = chunks, 0, 0

    def __iter__(self) -> Iterator[EmbeddedChunk]:
        for each in self._chunks:
            weakref.finalize(each.vector, self._gone)
            self._alive += 1
            self.most = max(self.most, self._alive)
            yield each

    def _gone(self) -> None:
        self._alive -= 1
