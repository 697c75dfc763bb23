"""A claimed file and its embedded chunks in, rows beside those in force out: the part of a publication nobody sees.

Only names are kept of what is written: a document of 50,000 chunks costs some 15 MB.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.errors import ConfigError, OutsideError
from ingest_assets.ledger_records import FileRecord
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas.entry import Entry, entry_of, record_of
from ingest_assets.stores.atlas.remove import names_in_force
from ingest_assets.stores.atlas.rows import chunk_id_of, new_row, parts_of, row_name, unpacked
from ingest_assets.stores.contract import ChunkKnown, require_generation
from ingest_assets.vectors import NORM_TOLERANCE, fault, refuse_unsound

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import Handle

BATCH = 500
"""Rows per write: 2 MB at 384 dimensions with their text, far below the 48 MB of a message."""


@dataclass(slots=True)
class Attempt:
    """What is known of one publication while it is written: names, never rows."""

    record: FileRecord
    """As it will be kept."""
    before: Entry
    """As it was claimed."""
    adding: bool
    """The chunks that are there stay, whatever comes."""
    model: str = ""
    """Of the chunks that there are or have come."""
    going: dict[str, str] = field(default_factory=dict)
    """Names of the rows in force that the new generation has not asked for yet, by chunk id."""
    seen: set[str] = field(default_factory=set)
    """Chunk ids that have come so far."""
    lowest: int = 0
    """The oldest generation of a row that stays."""
    written: int = 0
    starts: list[int] = field(default_factory=list)
    """The lowest index in each batch of rows written."""
    sample: Vector | None = None
    """A vector of those written."""
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A chunk with the name of the row that would hold it."""

    name: str
    embedded: EmbeddedChunk


def begin(
    handle: Handle,
    record: FileRecord,
    *,
    adding: bool,
    expecting: int | None = None,
    rewrite: Collection[str] = (),
) -> Attempt:
    """Claim the file, remove what an earlier attempt left, and note what is in force."""
    row = ledger.claim(handle, record.file_id)
    before, known = entry_of(row), record_of(row)
    require_generation(record.file_id, known, expecting=expecting)
    attempt = Attempt(record=replace(record, generation=before.claimed), before=before, adding=adding)
    attempt.lowest = before.floor if adding and before.generation else before.claimed
    if adding and known and known.chunks:
        attempt.record = replace(attempt.record, model=known.model, dimension=known.dimension)
        attempt.model = known.model
    clean = not before.gone and not before.untidy and before.claimed == before.generation + 1
    if not (adding and clean):  # one chunk beside 50,000 needs no list of them
        names = names_in_force(handle, before)
        for name in names if not adding else ():
            chunk_id = chunk_id_of(name)
            # A second row of a chunk goes too; under its own name, which no chunk asks for.
            attempt.going[name if name in rewrite or chunk_id in attempt.going else chunk_id] = name
    return attempt


def checked(handle: Handle, attempt: Attempt, batch: Sequence[EmbeddedChunk]) -> list[Named]:
    """Name the rows of a batch; raise ValueError where a chunk is not fit, ConfigError where the store is another's."""
    named = []
    if batch and not attempt.seen:
        refuse_other_length(handle, batch[0].vector)
        attempt.model = attempt.model or batch[0].model
        attempt.record = replace(attempt.record, model=attempt.model, dimension=handle.dimension)
    for embedded, sound in zip(batch, _sound([each.vector for each in batch], handle.dimension), strict=True):
        chunk = embedded.chunk
        if not sound:
            refuse_unsound(embedded, dimension=handle.dimension)
        if chunk.file_id != attempt.record.file_id:
            raise ValueError(f"{attempt.record.file_id}: chunk {chunk.chunk_id} belongs to {chunk.file_id}")
        if embedded.model != attempt.model:
            raise ValueError(f"{chunk.file_id}: vectors of {attempt.model} and {embedded.model} in one file")
        if chunk.chunk_id in attempt.seen:
            raise ValueError(f"{chunk.file_id}: two chunks share the id {chunk.chunk_id}, the second at {chunk.index}")
        attempt.seen.add(chunk.chunk_id)
        attempt.reused += embedded.reused
        named.append(Named(row_name(embedded, attempt.record, incarnation=attempt.before.incarnation), embedded))
    return named


def _sound(vectors: Sequence[Vector], dimension: int) -> list[bool]:
    """Tell of vectors at once whether nothing at all is wrong with them: a tenth of the time of one by one."""
    import numpy as np

    if any(vector.shape != (dimension,) for vector in vectors):
        return [False] * len(vectors)
    matrix = np.stack(vectors).astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    return list(np.abs(norms - 1.0) <= NORM_TOLERANCE / 2)  # what is not finite is not within any distance


def refuse_other_length(handle: Handle, vector: Vector) -> None:
    """Raise ConfigError where a vector is of another length than the store's."""
    if vector.ndim == 1 and vector.size != handle.dimension:
        raise ConfigError(
            f"MongoDB at {handle.where} holds vectors of another length: {handle.dimension}, not {vector.size}. One "
            "store holds one model's vectors; choose an empty database (MONGO_DB) for the new model, or go back to the "
            "old one"
        )


def unwritten(handle: Handle, attempt: Attempt, named: Sequence[Named]) -> list[Named]:
    """Return what of a batch has no row yet, and leave alone what has one."""
    broken = _broken(handle, attempt, named)
    new = []
    for each in named:
        chunk_id = each.embedded.chunk.chunk_id
        there = attempt.going.get(chunk_id, "")
        if there and there not in broken and there.rpartition("@")[0] == each.name.rpartition("@")[0]:
            attempt.lowest = min(attempt.lowest, parts_of(there)[2])
            del attempt.going[chunk_id]
        else:
            new.append(each)
    return new


def _broken(handle: Handle, attempt: Attempt, named: Sequence[Named]) -> set[str]:
    """Find rows that would do but for their vectors, so that a chunk embedded anew heals its row."""
    anew = [each.embedded.chunk.chunk_id for each in named if not each.embedded.reused]
    names = [attempt.going[chunk_id] for chunk_id in anew if chunk_id in attempt.going]
    sound = set()
    for row in handle.chunks.find({"_id": {"$in": names}}, {"embedding": 1}) if names else ():
        vector = unpacked(row.get("embedding"))
        if vector is not None and fault(vector, dimension=handle.dimension) is None:
            sound.add(row["_id"])
    return set(names) - sound


def refuse_known(handle: Handle, attempt: Attempt, named: Sequence[Named]) -> None:
    """Raise ValueError where the file has a chunk of one of these ids."""
    ids = [each.embedded.chunk.chunk_id for each in named]
    rows = handle.chunks.find({**attempt.before.rows(), "chunk_id": {"$in": ids}}, {"chunk_id": 1})
    if known := sorted(row["chunk_id"] for row in rows):
        raise ChunkKnown(f"{attempt.record.file_id}: it has a chunk of the id {known[0]} already; replace the file")


def write(handle: Handle, attempt: Attempt, rows: Sequence[Named]) -> None:
    """Write rows in no order; what the server did not take is an error (`atlas_errors.py`), and so is a short count."""
    for batch in batches(rows, BATCH):
        documents = [new_row(each.embedded, attempt.record, name=each.name) for each in batch]
        taken = len(handle.chunks.insert_many(documents, ordered=False).inserted_ids)
        if taken != len(batch):
            raise OutsideError(f"{attempt.record.file_id}: {handle.where} took {taken} of {len(batch)} rows; run again")
        attempt.written += taken
        attempt.starts.append(min(each.embedded.chunk.index for each in batch))
        attempt.sample = batch[0].embedded.vector
