"""Make documents with vectors: no two alike, and as near to each other as texts of one subject are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.records import Chunk, EmbeddedChunk

DIMENSION = 384
MODEL = "benchmark-model"
_SUBJECTS = 2_000
_WORDS = [f"word{number}" for number in range(4_000)]

Vector = npt.NDArray[np.float32]


def record_of(number: int, *, scopes: int = 1) -> FileRecord:
    """Return the record of a document; documents take turns with the scopes."""
    scope = number % scopes
    return FileRecord(
        file_id=f"user{scope % 20}:project{scope}:document-{number:05}.txt",
        user_id=f"user{scope % 20}",
        project_id=f"project{scope}",
        filename=f"document-{number:05}.txt",
        key=f"user{scope % 20}/project{scope}/document-{number:05}.txt",
        state=State.SUCCEEDED,
        version="1",
        media_type="text/plain",
        updated_at="2026-01-01T00:00:00+00:00",
    )


def chunks_of(
    record: FileRecord, count: int, *, edited: frozenset[int] = frozenset(), longer: str = ""
) -> Iterator[EmbeddedChunk]:
    """Yield a document's chunks of 150 words; the edited ones have another text, as long or so much longer.

    Beside edited ones the others are `reused`, as the embedding stage marks what it finds in the store.
    """
    place = 0
    for index in range(count):
        text = text_of(f"{record.file_id} {index}{' edited' if index in edited else ''}")
        text += longer if index in edited else ""
        text_sha256 = hashlib.sha256(text.encode()).hexdigest()
        chunk = Chunk(
            chunk_id=hashlib.sha256(f"{record.file_id} {text_sha256}".encode()).hexdigest()[:32],
            file_id=record.file_id,
            index=index,
            text=text,
            text_sha256=text_sha256,
            start=place,
            end=place + len(text),
            pages=(index // 3 + 1,),
            section=("Part", f"Section {index // 20}"),
            words=150,
        )
        place += len(text) + 2
        reused = bool(edited) and index not in edited
        yield EmbeddedChunk(chunk=chunk, vector=vector_of(text_sha256), model=MODEL, reused=reused)


def text_of(seed: str) -> str:
    """Return 150 words, always the same for a seed, of 1,500 characters."""
    numbers = np.random.default_rng(_number(seed)).integers(len(_WORDS), size=150)
    return " ".join(_WORDS[number] for number in numbers).ljust(1_499, ".")[:1_499] + "."


def vector_of(seed: str) -> Vector:
    """Return a unit vector near one of 2,000 subjects, always the same for a seed."""
    own = np.random.default_rng(_number(seed))
    subject = np.random.default_rng(int(own.integers(_SUBJECTS))).standard_normal(DIMENSION)
    vector = subject + 0.9 * own.standard_normal(DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _number(seed: str) -> int:
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
