"""Write a publication's rows beside those in force, where no reader sees them yet.

Only names of rows are kept in memory: for a document of 50,000 chunks some 15 MB.
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
from ingest_assets.stores.atlas.entry import MongoEntry, entry_of, record_of
from ingest_assets.stores.atlas.remove import names_in_force
from ingest_assets.stores.atlas.rows import chunk_id_of, new_row, parts_of, row_name, unpacked
from ingest_assets.stores.contract import ChunkKnown, require_generation
from ingest_assets.stores.incoming import IncomingChunks
from ingest_assets.vectors import fault

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import MongoCollections

BATCH = 500
"""Rows per write: 2 MB at 384 dimensions with their text, far below the 48 MB of a message."""


@dataclass(slots=True)
class MongoPublication:
    """The state of one publication while it is written: names, never rows."""

    incoming: IncomingChunks
    before: MongoEntry
    """The entry as it was claimed."""
    adding: bool
    """The chunks that are there stay."""
    outgoing: dict[str, str] = field(default_factory=dict)
    """Names of the rows in force whose chunk has not arrived again yet, by chunk id."""
    lowest: int = 0
    """The oldest generation of a row that stays."""
    written: int = 0
    starts: list[int] = field(default_factory=list)
    """The lowest index in each batch of rows written."""
    sample: Vector | None = None
    """One of the vectors written."""

    @property
    def record(self) -> FileRecord:
        """The record as it will be kept, except for its counts."""
        return self.incoming.record


@dataclass(frozen=True, slots=True)
class NamedChunk:
    """A chunk with the name that its row would have."""

    name: str
    embedded: EmbeddedChunk


def begin(
    mongo: MongoCollections,
    record: FileRecord,
    *,
    adding: bool,
    expecting: int | None = None,
    rewrite: Collection[str] = (),
) -> MongoPublication:
    """Claim the file, remove what an earlier publication left, and list the rows in force."""
    row = ledger.claim(mongo, record.file_id)
    before, known = entry_of(row), record_of(row)
    require_generation(record.file_id, known, expecting=expecting)
    beside = known if adding and known and known.chunks else None
    incoming = IncomingChunks(replace(record, generation=before.claimed), beside=beside)
    publication = MongoPublication(incoming, before=before, adding=adding)
    publication.lowest = before.floor if adding and before.generation else before.claimed
    clean = not before.gone and not before.untidy and before.claimed == before.generation + 1
    if not (adding and clean):  # to add one chunk to 50,000, their names are not needed
        names = names_in_force(mongo, before)
        for name in names if not adding else ():
            chunk_id = chunk_id_of(name)
            # A second row of a chunk is removed too: it is listed by its own name, which no chunk id equals.
            publication.outgoing[name if name in rewrite or chunk_id in publication.outgoing else chunk_id] = name
    return publication


def checked(mongo: MongoCollections, publication: MongoPublication, batch: Sequence[EmbeddedChunk]) -> list[NamedChunk]:
    """Check a batch of chunks and name their rows.

    Raises:
        ConfigError: the store holds vectors of another length.
        ValueError: a chunk cannot be kept (`IncomingChunks.check`).
    """
    if batch and not publication.incoming.seen:
        refuse_other_length(mongo, batch[0].vector)
    publication.incoming.check(batch)
    record, incarnation = publication.record, publication.before.incarnation
    return [NamedChunk(row_name(embedded, record, incarnation=incarnation), embedded) for embedded in batch]


def refuse_other_length(mongo: MongoCollections, vector: Vector) -> None:
    """Raise ConfigError if a vector has another length than the store's."""
    if vector.ndim == 1 and vector.size != mongo.dimension:
        raise ConfigError(
            f"MongoDB at {mongo.where} holds vectors of another length: {mongo.dimension}, not {vector.size}. One "
            "store holds one model's vectors; choose an empty database (MONGO_DB) for the new model, or go back to the "
            "old one"
        )


def unwritten(mongo: MongoCollections, publication: MongoPublication, named: Sequence[NamedChunk]) -> list[NamedChunk]:
    """Return the chunks of a batch that have no row yet; rows of the others stay."""
    broken = _broken(mongo, publication, named)
    new = []
    for each in named:
        chunk_id = each.embedded.chunk.chunk_id
        there = publication.outgoing.get(chunk_id, "")
        if there and there not in broken and there.rpartition("@")[0] == each.name.rpartition("@")[0]:
            publication.lowest = min(publication.lowest, parts_of(there)[2])
            del publication.outgoing[chunk_id]
        else:
            new.append(each)
    return new


def _broken(mongo: MongoCollections, publication: MongoPublication, named: Sequence[NamedChunk]) -> set[str]:
    """Find rows whose vector is damaged, so that a chunk that was embedded again replaces its row."""
    anew = [each.embedded.chunk.chunk_id for each in named if not each.embedded.reused]
    names = [publication.outgoing[chunk_id] for chunk_id in anew if chunk_id in publication.outgoing]
    sound = set()
    for row in mongo.chunks.find({"_id": {"$in": names}}, {"embedding": 1}) if names else ():
        vector = unpacked(row.get("embedding"))
        if vector is not None and fault(vector, dimension=mongo.dimension) is None:
            sound.add(row["_id"])
    return set(names) - sound


def refuse_known(mongo: MongoCollections, publication: MongoPublication, named: Sequence[NamedChunk]) -> None:
    """Raise ChunkKnown if the file already has a chunk of one of these ids."""
    ids = [each.embedded.chunk.chunk_id for each in named]
    rows = mongo.chunks.find({**publication.before.rows(), "chunk_id": {"$in": ids}}, {"chunk_id": 1})
    if known := sorted(row["chunk_id"] for row in rows):
        raise ChunkKnown(f"{publication.record.file_id}: it has a chunk of the id {known[0]} already; replace the file")


def write(mongo: MongoCollections, publication: MongoPublication, rows: Sequence[NamedChunk]) -> None:
    """Write rows in any order; a row that the server refuses is an error (`errors.py`), and so is a short count."""
    for batch in batches(rows, BATCH):
        documents = [new_row(each.embedded, publication.record, name=each.name) for each in batch]
        taken = len(mongo.chunks.insert_many(documents, ordered=False).inserted_ids)
        if taken != len(batch):
            raise OutsideError(
                f"{publication.record.file_id}: {mongo.where} took {taken} of {len(batch)} rows; run again"
            )
        publication.written += taken
        publication.starts.append(min(each.embedded.chunk.index for each in batch))
        publication.sample = batch[0].embedded.vector
