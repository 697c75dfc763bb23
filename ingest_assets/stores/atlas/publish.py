"""A record and its embedded chunks in, a new generation in force out: how a file's rows change in MongoDB.

The entry in the ledger decides what is in force (`atlas_ledger.py`), so it works the same on every server:

1. the file is claimed, and what an earlier attempt left behind is removed;
2. rows of chunks that are the same stay untouched, the others are written beside them, in force for nobody yet;
3. a search index is waited for until it returns them, so that nobody finds neither the old nor the new;
4. the rows are counted as a reader will count them, and the publication is announced;
5. the entry gets the new generation, in one write: now every reader sees the new rows and none of the old;
6. the rows that went are removed.

Killed before 5 the old generation is in force, after it the new one; what is left over is invisible either way.

Where the server has transactions, announcement, 5 and 6 are one: a reader's view of one moment shows no row that went,
a kill leaves none behind, and the majority is waited for once. Only up to `AT_ONCE` rows, since a transaction must end
within a minute and holds what it changes in memory; and after a kill inside one, the next attempt waits until the
server has ended it. Not over shards, where a reader may see the entry before the announcement. The writing itself is in
no transaction on any server: it lasts as long as the document is long, and a search index sees rows only once they are
committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ingest_assets.batches import batches
from ingest_assets.ledger_records import FileRecord, Scope
from ingest_assets.records import EmbeddedChunk
from ingest_assets.stores.atlas import attempt as atlas_attempt
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas.attempt import Attempt, Named, begin, checked, refuse_known, unwritten, write
from ingest_assets.stores.atlas.entry import Entry
from ingest_assets.stores.atlas.remove import remove_rows
from ingest_assets.stores.contract import Overtaken

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.stores.atlas.client import Handle
    from ingest_assets.stores.atlas.search_index import SearchIndex

AT_ONCE = 1000
"""Rows that one transaction removes: MongoDB's manual advises a thousand documents at most."""


def publish(
    handle: Handle,
    record: FileRecord,
    chunks: Iterable[EmbeddedChunk],
    *,
    index: SearchIndex | None,
    expecting: int | None,
    rewrite: Collection[str],
) -> FileRecord:
    """Make these chunks the file's only ones."""
    attempt = begin(handle, record, adding=False, expecting=expecting, rewrite=rewrite)
    waiting: list[Named] = []
    for batch in batches(chunks, atlas_attempt.BATCH):
        waiting += unwritten(handle, attempt, checked(handle, attempt, batch))
        if (
            len(waiting) >= atlas_attempt.BATCH
        ):  # a write costs milliseconds however small: ten changes in a file are one
            write(handle, attempt, waiting)
            waiting = []
    write(handle, attempt, waiting)
    return _commit(handle, attempt, index=index)


def extend(
    handle: Handle, record: FileRecord, chunks: Iterable[EmbeddedChunk], *, index: SearchIndex | None
) -> FileRecord:
    """Put these chunks beside those that the file has."""
    attempt = begin(handle, record, adding=True)
    for batch in batches(chunks, atlas_attempt.BATCH):
        named = checked(handle, attempt, batch)
        refuse_known(handle, attempt, named)
        write(handle, attempt, named)
    return _commit(handle, attempt, index=index)


def _commit(handle: Handle, attempt: Attempt, *, index: SearchIndex | None) -> FileRecord:
    record, going = attempt.record, sorted(attempt.going.values())
    after = attempt.before.followed_by(record.generation, lowest=attempt.lowest, going=going)
    if index is not None and attempt.sample is not None:
        index.wait_for_rows(handle, after, vector=attempt.sample, starts=attempt.starts)
    count = _counted(handle, attempt, after)
    record = replace(record, chunks=count, embedded=len(attempt.seen) - attempt.reused, reused=attempt.reused)
    if handle.transactional and not handle.sharded and len(going) <= AT_ONCE:
        clean = replace(after, going=frozenset(), untidy=False)
        handle.at_once(lambda session: _turn(handle, clean, record, going, session))
    else:
        _turn(handle, after, record, going)
        if going:
            ledger.tidied(handle, after)
    return record


def _counted(handle: Handle, attempt: Attempt, after: Entry) -> int:
    """Count the rows that will be in force; raise OutsideError unless the store holds what it was given."""
    count, wanted = handle.chunks.count_documents(after.rows()), len(attempt.seen)
    if count < wanted or (count > wanted and not attempt.adding):
        raise Overtaken(
            f"{attempt.record.file_id}: {handle.where} holds {count} rows of generation {attempt.record.generation}, "
            f"not {wanted}; is another host publishing this file? Run it again"
        )
    return count


def _turn(
    handle: Handle, after: Entry, record: FileRecord, going: Sequence[str], session: ClientSession | None = None
) -> None:
    """Announce the new generation, bring it into force and remove what went, in this order or at once."""
    ledger.announce(handle, Scope(record.user_id, record.project_id), session=session)
    ledger.keep(handle, after, record, session=session)
    remove_rows(handle, going, session)
