"""Merge what a look at the bucket found into the index: new, changed, unfinished and missing files.

A listing comes in the order of its keys, and so do the rows here, so a stretch of one is compared with the same stretch
of the other. A listing of any length can therefore be taken in several ticks, each of which reads and writes only what
lies in its stretch. An event or a person names single keys; they are merged by the same rules.

A file counts as whole when its version was seen before and has rested for `settle_s` seconds, by the bucket's clock or
by this one. Two signs, because a copy can stall and a clock can be wrong. A missing file is noted with the first and
the last look that did not find it; `deletes.py` decides when it is gone.

Several processes may look at one moment, on one host or on many. A look locks the rows that it would change, in the
order of their ids, so that no two looks wait for each other, and then compares them again. What another process saw
later than this one is not undone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from ingest_assets.batches import batches
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import file_id_of, key_of, owner_of
from ingest_assets.index.database import Database
from ingest_assets.index.file_details import forget_details
from ingest_assets.index.file_table import FILES_TABLE, Listener, c, now_s, tell
from ingest_assets.index.reservations import give_back_signed
from ingest_assets.index.state_change import FileState, PassingState
from ingest_assets.ledger_records import State
from ingest_assets.records import BucketObject, UnreadablePlace

_Rows = dict[str, Row[Any]]
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

    def count(self, sighting: _Sighting) -> None:
        """Count a file that differed from its row."""
        if sighting.is_known:
            self.unchanged += 1
        elif sighting.is_whole:
            self.new += 1
        else:
            self.unsettled += 1


@dataclass(frozen=True, slots=True)
class _Moment:
    """When the bucket was asked, and when its answer is merged; seconds since 1970."""

    asked_at: float
    now: float

    def is_overtaken(self, row: Row[Any]) -> bool:
        """Tell whether another process saw another version after the bucket was asked.

        A time in the future is that of a host whose clock is wrong, and says nothing.
        """
        return bool(self.asked_at < row.seen_at <= self.now)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A file in the bucket that differs from its row, or has none."""

    file_id: str
    item: BucketObject
    row: Row[Any] | None
    seen_at: float
    is_whole: bool

    @property
    def is_known(self) -> bool:
        """Whether the last attempt was at this version."""
        return self.row is not None and bool(self.row.in_ledger) and self.row.ledger_version == self.item.version

    @property
    def values(self) -> dict[str, Any]:
        """What its row is to hold."""
        if self.row is not None and self.row.state == PassingState.PROCESSING:
            state = self.row.state
        else:
            state = self.row.ledger_state if self.row is not None and self.is_known else PassingState.PENDING.value
        return {
            "stored_key": self.item.position,
            "bucket_version": self.item.version,
            "size_bytes": self.item.size_bytes,
            "modified_at": self.item.modified_at,
            "seen_at": self.seen_at,
            "is_whole": self.is_whole or self.is_known,
            "missing_since": None,
            "missing_until": None,
            "state": state,
        }

    @property
    def news(self) -> FileState | None:
        """What is told of it.

        A file that was told to be pending and has its earlier version again is as the ledger has it: no run follows.
        """
        if not self.is_known:
            return PassingState.PENDING if self.is_whole else None
        assert self.row is not None, "a known file has a row"
        was_told = self.row.is_whole and self.row.state == PassingState.PENDING
        return State(self.row.ledger_state) if was_told else None


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
        asked_at: float | None = None,
        now: float | None = None,
    ) -> Look:
        """Merge all that the bucket lists behind the key `after`, up to and with `upto` (None: to its end).

        `asked_at` is when the listing was asked for, in seconds since 1970. With `may_miss=False` a file that is not
        among them is not noted as missing.
        """
        look = Look(unreadable=[item for item in found if isinstance(item, UnreadablePlace)])
        objects = self._placed([item for item in found if isinstance(item, BucketObject)], look)
        within = (c.stored_key > after) if upto is None else (c.stored_key > after) & (c.stored_key <= upto)
        with self._database.begin() as connection:
            rows = {row.file_id: row for row in connection.execute(select(*_COMPARED).where(within))}
            absent = [file_id for file_id in rows if file_id not in objects] if may_miss else []
            known = rows | self._rows(connection, [file_id for file_id in objects if file_id not in rows])
            self._merge(connection, objects, known, absent=absent, look=look, moment=_moment(asked_at, now))
        return look

    def keys(
        self,
        found: Mapping[str, BucketObject | None],
        *,
        may_miss: bool = True,
        asked_at: float | None = None,
        now: float | None = None,
    ) -> Look:
        """Merge single keys: the object at each, or None where the bucket has none.

        `asked_at` is when the first was asked for, in seconds since 1970. With `may_miss=False` a file that is not
        there is not noted as missing.
        """
        look = Look()
        objects = self._placed([each for each in found.values() if each is not None], look)
        absent = []
        for key in (key for key, each in found.items() if each is None):
            try:
                absent.append(file_id_of(key))
            except BadInput as error:
                look.misplaced.append(UnreadablePlace(key, str(error)))
        absent = absent if may_miss else []
        with self._database.begin() as connection:
            known = self._rows(connection, list(objects))
            self._merge(connection, objects, known, absent=absent, look=look, moment=_moment(asked_at, now))
        return look

    def _placed(self, objects: Sequence[BucketObject], look: Look) -> dict[str, BucketObject]:
        placed = {}
        for item in objects:
            try:
                placed[file_id_of(item.key)] = item
            except BadInput as error:
                look.misplaced.append(UnreadablePlace(item.position, str(error)))
        return placed

    def _rows(self, connection: Connection, file_ids: Collection[str], *, are_locked: bool = False) -> _Rows:
        """Return the rows of these files; with `are_locked` no other process changes them in this transaction."""
        found: _Rows = {}
        for names in batches(sorted(file_ids), _AT_ONCE):
            query = select(*_COMPARED).where(c.file_id.in_(names)).order_by(c.file_id)
            rows = connection.execute(query.with_for_update() if are_locked else query)
            found |= {row.file_id: row for row in rows}
        return found

    def _merge(
        self,
        connection: Connection,
        objects: Mapping[str, BucketObject],
        known: Mapping[str, Row[Any]],
        *,
        absent: Collection[str],
        look: Look,
        moment: _Moment,
    ) -> None:
        """Write what differs from the known rows, and note the files of `absent`, which are not there."""
        differing = {file_id: item for file_id, item in objects.items() if not _is_same(known.get(file_id), item)}
        same = objects.keys() - differing.keys()
        look.unchanged += sum(known[file_id].ledger_version == objects[file_id].version for file_id in same)
        sightings = self._add(connection, {name: differing[name] for name in differing if name not in known}, moment)
        named = differing.keys() - {each.file_id for each in sightings}
        rows = self._rows(connection, [*named, *absent], are_locked=True)
        for file_id, row in rows.items():
            item = differing.get(file_id)
            if item is not None and not _is_same(row, item) and not moment.is_overtaken(row):
                sightings.append(self._sighting(file_id, item, row, moment))
        self._change(connection, [each for each in sightings if each.row is not None])
        give_back_signed(connection, [each.file_id for each in sightings])
        for each in sightings:
            look.count(each)
        self._tell(connection, {each.file_id: each.news for each in sightings if each.news is not None})
        self._miss(connection, [rows[file_id] for file_id in absent if file_id in rows], look, moment)

    def _sighting(self, file_id: str, item: BucketObject, row: Row[Any] | None, moment: _Moment) -> _Sighting:
        seen_at = row.seen_at if row is not None and row.bucket_version == item.version else moment.now
        return _Sighting(file_id, item, row, seen_at, self._is_whole(item, seen_at=seen_at, now=moment.now))

    def _is_whole(self, item: BucketObject, *, seen_at: float, now: float) -> bool:
        if not self._settle_s:
            return True
        return now > seen_at and (now - item.modified_at >= self._settle_s or now - seen_at >= self._settle_s)

    def _add(self, connection: Connection, items: Mapping[str, BucketObject], moment: _Moment) -> list[_Sighting]:
        """Add the rows of files that were not known, and return those that no other process added meanwhile."""
        sightings = [self._sighting(file_id, items[file_id], None, moment) for file_id in sorted(items)]
        if not sightings:
            return []
        statement = self._database.upsert(FILES_TABLE).on_conflict_do_nothing().returning(c.file_id)
        added = set(connection.execute(statement, [_names(each) | each.values for each in sightings]).scalars())
        return [each for each in sightings if each.file_id in added]

    def _change(self, connection: Connection, sightings: Sequence[_Sighting]) -> None:
        values = [{"named": each.file_id, **each.values} for each in sightings]
        if values:
            connection.execute(update(FILES_TABLE).where(c.file_id == bindparam("named")), values)

    def _miss(self, connection: Connection, rows: Iterable[Row[Any]], look: Look, moment: _Moment) -> None:
        """Note rows that the bucket did not show. Those below a place that could not be read stay as they are."""
        prefixes = tuple(f"{place.key}/" for place in look.unreadable)
        missing, dropped = [], []
        for row in rows:
            if moment.is_overtaken(row) or (prefixes and f"{key_of(row.file_id)}/".startswith(prefixes)):
                continue
            if row.in_ledger:
                since = row.missing_since or moment.now
                missing.append({"named": row.file_id, "missing_since": since, "missing_until": moment.now})
            elif row.bucket_version and row.state != PassingState.PROCESSING and row.writing_since is None:
                dropped.append(row.file_id)
        look.missing += len(missing)
        if missing:
            connection.execute(
                update(FILES_TABLE).where(c.file_id == bindparam("named")).values(bucket_version=""), missing
            )
        self._tell(connection, dict.fromkeys(dropped, PassingState.REMOVED))
        for file_id in dropped:
            connection.execute(delete(FILES_TABLE).where(c.file_id == file_id))
            forget_details(connection, file_id)

    def _tell(self, connection: Connection, news: Mapping[str, FileState]) -> None:
        for names in batches(news if self._listeners else (), _AT_ONCE):
            rows = connection.execute(select(FILES_TABLE).where(c.file_id.in_(names)).order_by(c.file_id)).all()
            for row in rows:
                tell(self._listeners, connection, row, news[row.file_id])


def _moment(asked_at: float | None, now: float | None) -> _Moment:
    now = now or now_s()
    return _Moment(now if asked_at is None else asked_at, now)


def _is_same(row: Row[Any] | None, item: BucketObject) -> bool:
    return (
        row is not None
        and row.bucket_version == item.version
        and row.missing_since is None
        and bool(row.is_whole)
        and row.stored_key == item.position
    )


def _names(sighting: _Sighting) -> dict[str, str]:
    user_id, project_id, _ = owner_of(sighting.item.key)
    return {"file_id": sighting.file_id, "key": sighting.item.key, "user_id": user_id, "project_id": project_id}
