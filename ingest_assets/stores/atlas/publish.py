"""Change a file's rows in MongoDB: write a new generation beside the old one, then bring it into force.

The entry in the ledger decides what is in force (`ledger.py`), so it works the same on every server:

1. the file is claimed, and rows that an earlier publication left are removed;
2. rows of chunks that are the same stay as they are; the others are written beside them, not in force yet;
3. if there is a search index, wait until it returns the new rows, so that no search misses both old and new;
4. the rows are counted as a reader will count them, and the publication is announced;
5. the entry gets the new generation, in one write: now every reader sees the new rows and none of the old;
6. the rows that were replaced are removed.

Killed before 5 the old generation is in force, after it the new one. Remaining rows are invisible in both cases.

Where the server has transactions, the announcement, 5 and 6 are one transaction: a reader's view of one moment shows no
replaced row, a kill leaves none, and the write waits for the majority once. Only up to `AT_ONCE` rows, since a
transaction must end within a minute and holds its changes in memory; and after a kill inside one, the next publication
waits until the server has ended it. Not over shards, where a reader may see the entry before the announcement. The rows
themselves are never written in a transaction: that takes as long as the document is long, and a search index sees rows
only once they are committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas import publication as atlas_publication
from ingest_assets.stores.atlas.entry import MongoEntry
from ingest_assets.stores.atlas.publication import (
    MongoPublication,
    NamedChunk,
    begin,
    checked,
    refuse_known,
    unwritten,
    write,
)
from ingest_assets.stores.atlas.remove import remove_rows
from ingest_assets.stores.contract import Overtaken

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.stores.atlas.client import MongoCollections
    from ingest_assets.stores.atlas.searching.search_index import SearchIndex

AT_ONCE = 1000
"""Rows that one transaction removes: MongoDB's manual advises a thousand documents at most."""


def publish(
    mongo: MongoCollections,
    record: FileRecord,
    chunks: Iterable[EmbeddedChunk],
    *,
    index: SearchIndex | None,
    expecting: int | None,
    rewrite: Collection[str],
) -> FileRecord:
    """Make these chunks the file's only ones."""
    publication = begin(mongo, record, adding=False, expecting=expecting, rewrite=rewrite)
    waiting: list[NamedChunk] = []
    for batch in batches(chunks, atlas_publication.BATCH):
        waiting += unwritten(mongo, publication, checked(mongo, publication, batch))
        if (
            len(waiting) >= atlas_publication.BATCH
        ):  # a write costs milliseconds however small: ten changes in a file are one
            write(mongo, publication, waiting)
            waiting = []
    write(mongo, publication, waiting)
    return _commit(mongo, publication, index=index)


def extend(
    mongo: MongoCollections, record: FileRecord, chunks: Iterable[EmbeddedChunk], *, index: SearchIndex | None
) -> FileRecord:
    """Put these chunks beside those that the file has."""
    publication = begin(mongo, record, adding=True)
    for batch in batches(chunks, atlas_publication.BATCH):
        named = checked(mongo, publication, batch)
        refuse_known(mongo, publication, named)
        write(mongo, publication, named)
    return _commit(mongo, publication, index=index)


def _commit(mongo: MongoCollections, publication: MongoPublication, *, index: SearchIndex | None) -> FileRecord:
    record, outgoing = publication.record, sorted(publication.outgoing.values())
    after = publication.before.followed_by(record.generation, lowest=publication.lowest, going=outgoing)
    if index is not None and publication.sample is not None:
        index.wait_for_rows(mongo, after, vector=publication.sample, starts=publication.starts)
    count = _counted(mongo, publication, after)
    record = publication.incoming.counted(count)
    if mongo.transactional and not mongo.sharded and len(outgoing) <= AT_ONCE:
        clean = replace(after, going=frozenset(), untidy=False)
        mongo.at_once(lambda session: _turn(mongo, clean, record, outgoing, session))
    else:
        _turn(mongo, after, record, outgoing)
        if outgoing:
            ledger.note_removed(mongo, after)
    return record


def _counted(mongo: MongoCollections, publication: MongoPublication, after: MongoEntry) -> int:
    """Count the rows that will be in force; raise Overtaken unless the store holds what it was given."""
    count, wanted = mongo.chunks.count_documents(after.rows()), len(publication.incoming.seen)
    if count < wanted or (count > wanted and not publication.adding):
        raise Overtaken(
            f"{after.file_id}: {mongo.where} holds {count} rows of generation {after.generation}, not {wanted}; "
            "is another host publishing this file? Run it again"
        )
    return count


def _turn(
    mongo: MongoCollections,
    after: MongoEntry,
    record: FileRecord,
    outgoing: Sequence[str],
    session: ClientSession | None = None,
) -> None:
    """Announce the new generation, bring it into force and remove the replaced rows, in this order or at once."""
    ledger.announce(mongo, Scope(record.user_id, record.project_id), session=session)
    ledger.keep(mongo, after, record, session=session)
    remove_rows(mongo, outgoing, session)
