"""Merge what a look at the bucket found into the index: new, changed, unfinished and missing files.

A listing comes in the order of its keys, and so do the rows here, so a stretch of one is compared with the same stretch
of the other. A listing of any length can therefore be taken in several ticks, each of which reads and writes only what
lies in its stretch. An event or a person names single keys; they are merged by the same rules.

A file counts as whole when its version was seen before and has rested for `settle_s` seconds, by the bucket's clock or
by this one. Two signs, because a copy can stall and a clock can be wrong. A missing file is noted with the first and
the last look that did not find it; `deletes.py` decides when it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from ingest_assets.batches import batches
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import file_id_of, key_of, owner_of
from ingest_assets.index.database import Database
from ingest_assets.index.file_table import FILES_TABLE, Listener, c, now_s, tell
from ingest_assets.index.state_change import FileState
from ingest_assets.records import BucketObject, UnreadablePlace

_AT_ONCE = 500
_COMPARED = (
    c.file_id, c.stored_key, c.bucket_version, c.size_bytes, c.modified_at, c.seen_at, c.is_whole, c.missing_since,
    c.in_ledger, c.ledger_version, c.ledger_state, c.state, c.writing_since,
)  # fmt: skip


@dataclass(slots=True)
class Look:
    """What one look found."""

    new: int = 0
    """Files whose version is new, and which are whole."""
    unsettled: int = 0
    """Files that may still be growing."""
    missing: int = 0
    """Files of the ledger that were not there."""
    unchanged: int = 0
    misplaced: list[UnreadablePlace] = field(default_factory=list)
    """Keys that name no user, project and file."""
    unreadable: list[UnreadablePlace] = field(default_factory=list)


class BucketLooks:
    """Merges looks at the bucket into the index."""

    def __init__(self, database: Database, *, settle_s: float, listeners: Sequence[Listener] = ()) -> None:
        """`settle_s` is 0 for buckets whose objects are whole as soon as they are seen."""
        self._database = database
        self._settle_s = settle_s
        self._listeners = tuple(listeners)

    def stretch(
        self,
        found: Sequence[BucketObject | UnreadablePlace],
        *,
        after: str,
        upto: str | None,
        may_miss: bool = True,
        listed_at: float | None = None,
        now: float | None = None,
    ) -> Look:
        """Merge all that the bucket lists behind the key `after`, up to and with `upto` (None: to its end).

        With `may_miss=False` a file that is not among them is not noted as missing; nor is one that was seen after
        `listed_at`, when the listing was asked for, in seconds since 1970.
        """
        look = Look(unreadable=[item for item in found if isinstance(item, UnreadablePlace)])
        objects = self._placed([item for item in found if isinstance(item, BucketObject)], look)
        within = (c.stored_key > after) if upto is None else (c.stored_key > after) & (c.stored_key <= upto)
        with self._database.begin() as connection:
            rows = {row.file_id: row for row in connection.execute(select(*_COMPARED).where(within))}
            moved = [file_id for file_id in objects if file_id not in rows]
            known = rows | self._rows(connection, moved)
            self._merge(connection, objects, known, look, now=now or now_s())
            if may_miss:
                since = (now or now_s()) if listed_at is None else listed_at
                absent = [row for file_id, row in rows.items() if file_id not in objects and row.seen_at <= since]
                self._miss(connection, absent, look, now=now)
        return look

    def keys(
        self, found: Mapping[str, BucketObject | None], *, may_miss: bool = True, now: float | None = None
    ) -> Look:
        """Merge single keys: the object at each, or None where the bucket has none.

        With `may_miss=False` a file that is not there is not noted as missing.
        """
        look = Look()
        objects = self._placed([each for each in found.values() if each is not None], look)
        absent = []
        for key in (key for key, each in found.items() if each is None):
            try:
                absent.append(file_id_of(key))
            except BadInput as error:
                look.misplaced.append(UnreadablePlace(key, str(error)))
        with self._database.begin() as connection:
            self._merge(connection, objects, self._rows(connection, list(objects)), look, now=now or now_s())
            if may_miss:
                self._miss(connection, self._rows(connection, absent).values(), look, now=now)
        return look

    def _placed(self, objects: Sequence[BucketObject], look: Look) -> dict[str, BucketObject]:
        placed = {}
        for item in objects:
            try:
                placed[file_id_of(item.key)] = item
            except BadInput as error:
                look.misplaced.append(UnreadablePlace(item.position, str(error)))
        return placed

    def _rows(self, connection: Connection, file_ids: Sequence[str]) -> dict[str, Row[Any]]:
        found: dict[str, Row[Any]] = {}
        for names in batches(file_ids, _AT_ONCE):
            rows = connection.execute(select(*_COMPARED).where(c.file_id.in_(names)))
            found |= {row.file_id: row for row in rows}
        return found

    def _merge(
        self,
        connection: Connection,
        objects: Mapping[str, BucketObject],
        rows: Mapping[str, Row[Any]],
        look: Look,
        *,
        now: float,
    ) -> None:
        added, changed, whole = [], [], []
        for file_id, item in objects.items():
            row = rows.get(file_id)
            stored_key = item.position
            is_same = row is not None and row.bucket_version == item.version and row.missing_since is None
            if row is not None and is_same and row.is_whole and row.stored_key == stored_key:
                look.unchanged += row.ledger_version == item.version
                continue
            seen_at = row.seen_at if row is not None and row.bucket_version == item.version else now
            is_whole = self._is_whole(item, seen_at=seen_at, now=now)
            is_known = row is not None and row.in_ledger and row.ledger_version == item.version
            values = {
                "stored_key": stored_key,
                "bucket_version": item.version,
                "size_bytes": item.size_bytes,
                "modified_at": item.modified_at,
                "seen_at": seen_at,
                "is_whole": is_whole or is_known,
                "missing_since": None,
                "missing_until": None,
            }
            if row is None:
                user_id, project_id, _ = owner_of(item.key)
                names = {"file_id": file_id, "key": item.key, "user_id": user_id, "project_id": project_id}
                added.append({**names, **values, "state": FileState.PENDING.value})
            else:
                is_busy = row.state == FileState.PROCESSING
                state = row.state if is_busy else row.ledger_state if is_known else FileState.PENDING.value
                changed.append({"named": file_id, **values, "state": state})
            if is_known:
                look.unchanged += 1
            elif is_whole:
                look.new += 1
                whole.append(file_id)
            else:
                look.unsettled += 1
        if added:
            connection.execute(FILES_TABLE.insert(), added)
        if changed:
            connection.execute(update(FILES_TABLE).where(c.file_id == bindparam("named")), changed)
        self._tell(connection, whole, FileState.PENDING)

    def _is_whole(self, item: BucketObject, *, seen_at: float, now: float) -> bool:
        if not self._settle_s:
            return True
        return now > seen_at and (now - item.modified_at >= self._settle_s or now - seen_at >= self._settle_s)

    def _miss(self, connection: Connection, rows: Iterable[Row[Any]], look: Look, *, now: float | None) -> None:
        """Note rows that the bucket did not list. Those below a place that could not be read stay as they are."""
        now = now or now_s()
        prefixes = tuple(f"{place.key}/" for place in look.unreadable)
        missing, dropped = [], []
        for row in rows:
            if prefixes and f"{key_of(row.file_id)}/".startswith(prefixes):
                continue
            if row.in_ledger:
                missing.append({"named": row.file_id, "missing_since": row.missing_since or now, "missing_until": now})
            elif row.bucket_version and row.state != FileState.PROCESSING and row.writing_since is None:
                dropped.append(row.file_id)
        look.missing += len(missing)
        if missing:
            connection.execute(
                update(FILES_TABLE).where(c.file_id == bindparam("named")).values(bucket_version=""), missing
            )
        self._tell(connection, dropped, FileState.REMOVED)
        for file_id in dropped:
            connection.execute(delete(FILES_TABLE).where(c.file_id == file_id))

    def _tell(self, connection: Connection, file_ids: Sequence[str], state: FileState) -> None:
        for names in batches(file_ids if self._listeners else (), _AT_ONCE):
            rows = connection.execute(select(FILES_TABLE).where(c.file_id.in_(names)).order_by(c.file_id)).all()
            for row in rows:
                tell(self._listeners, connection, row, state)
