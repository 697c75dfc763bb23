"""An open Chroma store in, what its rows say out: a page of chunks, vectors by text, an audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ingest_assets.records import Chunk
from ingest_assets.soundness import Fault, fault
from ingest_assets.stored import Audit
from ingest_assets.stores.batches import batches
from ingest_assets.stores.chroma_client import Moved
from ingest_assets.stores.chroma_rows import Entry, chunk_of, entry_of, in_force

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.chroma_client import Handle

_PAGE = 500
"""Rows read at once with their vectors: 2 MB at 384 dimensions with their text."""


def entry_in(store: Handle, file_id: str) -> Entry | None:
    """Read a file's ledger entry, also where its deletion has begun."""
    rows = store.files.get(ids=[file_id], include=["metadatas"])["metadatas"]
    return entry_of(rows[0]) if rows else None


def row_names(store: Handle, file_id: str) -> list[str]:
    """Return the ids of all of a file's rows, in force or not."""
    names: list[str] = store.chunks.get(where={"file_id": file_id}, include=[])["ids"]
    return names


def page_of_chunks(store: Handle, file_id: str, *, limit: int, offset: int) -> list[Chunk]:
    """Return the chunks in force from `offset` on, in document order."""
    entry = entry_in(store, file_id)
    within: dict[str, Any] = {
        "$and": [
            {"file_id": file_id},
            {"position": {"$gte": offset}},
            {"position": {"$lt": offset + limit}},
        ]
    }
    found = store.chunks.get(where=within, include=["metadatas", "documents"])
    _stood_still(store, file_id, entry)
    rows = zip(found["metadatas"] or (), found["documents"] or (), strict=True)
    current = [(row, text) for row, text in rows if in_force(row, entry)]
    return [chunk_of(row, text) for row, text in sorted(current, key=lambda pair: pair[0]["position"])]


def vectors_of(store: Handle, *, model: str, hashes: Sequence[str]) -> dict[str, Vector]:
    """Return the sound vectors of one model by text hash, those of unfinished publications too."""
    import numpy as np

    found = store.chunks.get(where={"text_sha256": {"$in": list(hashes)}}, include=["metadatas"])
    # A text that stands in a thousand files has a thousand rows: one of them is read.
    chosen: dict[str, str] = {}
    for name, row in sorted(zip(found["ids"], found["metadatas"] or (), strict=True), key=lambda pair: pair[0]):
        if row["model"] == model:
            chosen.setdefault(row["text_sha256"], name)
    hash_of = {name: text_sha256 for text_sha256, name in chosen.items()}
    vectors: dict[str, Vector] = {}
    for names in batches(hash_of, _PAGE):
        answer = store.chunks.get(ids=names, include=["metadatas", "embeddings"])
        rows, embeddings = answer["metadatas"] or (), answer["embeddings"]
        for name, row, embedding in zip(answer["ids"], rows, () if embeddings is None else embeddings, strict=True):
            vector = np.asarray(embedding, dtype=np.float32)
            if fault(vector, dimension=row["dimension"]) is None:
                vectors[hash_of[name]] = vector
    return vectors


def audit_rows(store: Handle, file_id: str) -> Audit:
    """Count a file's rows and what is wrong with them."""
    entry = entry_in(store, file_id)
    counts: Counter[str] = Counter()
    positions: set[int] = set()
    for names in batches(sorted(row_names(store, file_id)), _PAGE):
        _audit_page(store, names, entry=entry, counts=counts, positions=positions)
    _stood_still(store, file_id, entry)
    return Audit(
        rows=counts["rows"],
        wrong_dimension=counts[Fault.WRONG_DIMENSION],
        not_finite=counts[Fault.NOT_FINITE],
        not_unit=counts[Fault.NOT_UNIT],
        wrong_model=counts["wrong model"],
        stray=counts["stray"],
        problems=tuple(_problems(entry, counts, positions)),
    )


def _audit_page(
    store: Handle, names: list[str], *, entry: Entry | None, counts: Counter[str], positions: set[int]
) -> None:
    found = store.chunks.get(ids=names, include=["metadatas"])
    vectors = _vectors_by_name(store, found["ids"], counts)
    for name, row in zip(found["ids"], found["metadatas"] or (), strict=True):
        if not in_force(row, entry):
            counts["stray"] += 1
            continue
        assert entry is not None
        counts["rows"] += 1
        positions.add(int(row["position"]))
        counts["wrong model"] += row["model"] != entry.record.model
        wrong = fault(vectors[name], dimension=entry.record.dimension) if name in vectors else None
        if wrong:
            counts[wrong] += 1


def _vectors_by_name(store: Handle, names: list[str], counts: Counter[str]) -> dict[str, Any]:
    from chromadb.errors import InternalError

    try:
        embeddings = store.chunks.get(ids=names, include=["embeddings"])
    except InternalError:  # one row without a vector spoils the answer for all
        if len(names) == 1:
            counts["without vector"] += 1
            return {}
        half = len(names) // 2
        left = _vectors_by_name(store, names[:half], counts)
        return left | _vectors_by_name(store, names[half:], counts)
    vectors = embeddings["embeddings"]
    return dict(zip(embeddings["ids"], () if vectors is None else vectors, strict=True))


def _problems(entry: Entry | None, counts: Counter[str], positions: set[int]) -> list[str]:
    problems = []
    if counts["without vector"]:
        problems.append(f"{counts['without vector']} rows have no vector")
    if entry is None:
        return problems
    if entry.gone:
        problems.append("its deletion was begun and not finished")
    elif counts["rows"] != entry.record.chunks:
        problems.append(f"the record says {entry.record.chunks} chunks, {counts['rows']} rows are in force")
    if positions != set(range(counts["rows"])):
        problems.append("places in the document are missing or taken twice")
    return problems


def _stood_still(store: Handle, file_id: str, before: Entry | None) -> None:
    after = entry_in(store, file_id)
    if (after and after.token) != (before and before.token):
        raise Moved(f"{file_id} was published meanwhile")
