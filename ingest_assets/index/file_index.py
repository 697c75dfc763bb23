"""Keep what the ledger says of each file where it is found at once, and say when a file's state changes.

Reading the ledger out of the vector store takes half a millisecond a file in embedded Chroma, so 50 s at 100,000 files;
a sensor has 60 s. The store stays the truth. Each process that writes it announces the file here first and copies the
record here afterwards (`indexed_store.py`). What was announced and never copied, because the process was killed, is
read again from the store at the next look. `rebuild` copies the whole ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select, update

from ingest_assets.batches import batches
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import composed, file_id_of, is_in_bucket, key_of, owner_of
from ingest_assets.index.database import ABOUT, Database
from ingest_assets.index.file_table import FILES_TABLE, Listener, c, now_s, tell
from ingest_assets.index.state_change import FileState
from ingest_assets.ledger_records import FileRecord, Origin, State
from ingest_assets.records import BucketObject

_PAGE = 1000
_BUILT_FOR = "built for"
_LEDGER_ROW = (c.file_id, c.ledger_version, c.ledger_state, c.generation)
_FRESH_S = 600.0
"""A process outside of a run writes within this time of its announcement, or was killed."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What the index knows of a file's record."""

    file_id: str
    version: str
    state: str
    generation: int


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """The ids of the files that the index knows."""

    in_ledger: set[str]
    all: set[str]
    """With those that the bucket shows and the ledger does not know yet."""


class FileIndex:
    """The index of one project's files."""

    def __init__(self, database: Database, *, listeners: Sequence[Listener] = ()) -> None:
        """Take the database, and what is told of each change in the change's own transaction."""
        self.database = database
        self.listeners = tuple(listeners)
        self._progress = ("", "", 0)

    def will_write(self, file_id: str) -> None:
        """Announce that this process is about to write the file's record; documents of clients are not indexed."""
        if not is_in_bucket(file_id):
            return
        now = now_s()
        added = self.database.upsert(FILES_TABLE).values(**_names(file_id), writing_since=now)
        with self.database.begin() as connection:
            connection.execute(
                added.on_conflict_do_update(index_elements=[c.file_id], set_={"writing_since": now}),
            )

    def record(self, record: FileRecord) -> None:
        """Copy a record that the store has now."""
        if record.origin is Origin.BUCKET:
            with self.database.begin() as connection:
                self._record(connection, record, is_news=True)

    def forget(self, file_id: str) -> None:
        """Note that the store has no record of a file any more."""
        with self.database.begin() as connection:
            self._forget(connection, file_id)

    def progress(self, file_id: str, *, stage: str, percent: int = 0) -> None:
        """Note which asset of a file is being made, and how much of it is done, 0 to 100."""
        if self._progress == (file_id, stage, percent):
            return
        self._progress = (file_id, stage, percent)
        named = c.file_id == file_id
        values = {"state": FileState.PROCESSING.value, "stage": stage, "percent": percent, "stage_at": now_s()}
        with self.database.begin() as connection:
            connection.execute(
                self.database.upsert(FILES_TABLE)
                .values(**_names(file_id), **values)
                .on_conflict_do_update(index_elements=[c.file_id], set_=values)
            )
            tell(
                self.listeners,
                connection,
                connection.execute(select(FILES_TABLE).where(named)).one(),
                FileState.PROCESSING,
            )

    def on_their_way(self) -> list[str]:
        """Return the files that a process announced or works on, so that the ledger may say more than this index."""
        query = select(c.file_id).where(or_(c.writing_since.is_not(None), c.state == FileState.PROCESSING.value))
        with self.database.begin(writes=False) as connection:
            return list(connection.execute(query.limit(_PAGE)).scalars())

    def copy(self, file_id: str, record: FileRecord | None) -> None:
        """Make a file's row agree with the ledger. A fresh announcement stays: its process may be about to write."""
        with self.database.begin() as connection:
            before = self._row(connection, file_id)
            if record is not None:
                self._record(connection, record, is_news=True)
            else:
                self._forget(connection, file_id)
            announced = before.writing_since if before is not None else None
            if announced is not None and now_s() - announced < _FRESH_S:
                kept = update(FILES_TABLE).where(c.file_id == file_id).values(writing_since=announced)
                connection.execute(kept)

    def rebuild(self, records: Iterable[FileRecord], *, ledger: str, again: Callable[[str], FileRecord | None]) -> int:
        """Make the index agree with the whole ledger, whose records come by file_id; return how many rows differed.

        `ledger` is the ledger's name. A record that is not among them, or differs, is read `again`: files may be
        written and removed meanwhile. Files that the index did not know are added without telling the listeners: what
        was lost is the index. Nothing is told either if the index was made from another ledger.
        """
        differed, after = 0, ""
        is_news = self.built_for() in {"", ledger}
        ours = (record for record in records if record.origin is Origin.BUCKET)
        for page in batches(ours, _PAGE):
            upto = page[-1].file_id
            known = {record.file_id: record for record in page}
            differed += self._copy_page(known, after=after, upto=upto, again=again, is_news=is_news)
            after = upto
        differed += self._copy_page({}, after=after, upto=None, again=again, is_news=is_news)
        self.set_built_for(ledger)
        return differed

    def built_for(self) -> str:
        """Return the name of the ledger that the index was last made from; empty if it was never made."""
        with self.database.begin(writes=False) as connection:
            return (
                connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == _BUILT_FOR)).scalar_one_or_none() or ""
            )

    def set_built_for(self, ledger: str) -> None:
        """Note which ledger the index agrees with; empty: with none, so that it is made again."""
        with self.database.begin() as connection:
            connection.execute(
                self.database.upsert(ABOUT)
                .values(name=_BUILT_FOR, value=ledger)
                .on_conflict_do_update(index_elements=[ABOUT.c.name], set_={"value": ledger})
            )

    def sample(self, count: int, *, behind: str) -> list[LedgerRow]:
        """Return some rows that claim to be in the ledger, to be compared with it: those behind a sha256."""
        query = select(*_LEDGER_ROW).where(c.in_ledger, c.sha256 > behind, c.writing_since.is_(None))
        with self.database.begin(writes=False) as connection:
            return [LedgerRow(*row) for row in connection.execute(query.order_by(c.sha256).limit(count))]

    def row(self, file_id: str) -> LedgerRow | None:
        """Return what the index knows of one file's record; None while a process writes it, or if there is none."""
        query = select(*_LEDGER_ROW).where(c.file_id == file_id, c.in_ledger, c.writing_since.is_(None))
        with self.database.begin(writes=False) as connection:
            found = connection.execute(query).one_or_none()
        return LedgerRow(*found) if found is not None else None

    def stale(self, current_fingerprint: Callable[[FileRecord], str]) -> list[str]:
        """Return the files whose result was made by other code, settings or models; failed ones come last.

        A fingerprint follows from a file's media type and the end of its name, so few are computed.

        A file of an earlier release whose id is in decomposed letters is named by its composed id: a run refuses the
        other, and the run under the composed one makes a record of its own.
        """
        query = select(c.file_id, c.key, c.media_type, c.fingerprint, c.ledger_state).where(
            c.in_ledger,
            c.missing_since.is_(None),
            c.bucket_version.in_(["", c.ledger_version]),
            # What failed by no fault of its own is pending, not out of date.
            or_(c.ledger_state != State.FAILED.value, c.fingerprint != ""),
            c.ledger_state != State.CANCELLED.value,
        )
        current: dict[tuple[str, str], str] = {}
        sound: list[str] = []
        failed: list[str] = []
        with self.database.begin(writes=False) as connection:
            for row in connection.execute(query.order_by(c.updated_at.desc(), c.file_id)).yield_per(_PAGE):
                kind = (row.media_type, PurePosixPath(row.key).suffix)
                if kind not in current:
                    current[kind] = current_fingerprint(_as_record(row))
                if row.fingerprint != current[kind]:
                    (failed if State(row.ledger_state).is_failure else sound).append(composed(row.file_id))
        return list(dict.fromkeys(sound + failed))

    def failed(self) -> list[str]:
        """Return the files whose last attempt failed, the latest first."""
        states = [state.value for state in State if state.is_failure]
        query = select(c.file_id).where(c.in_ledger, c.ledger_state.in_(states))
        with self.database.begin(writes=False) as connection:
            return list(connection.execute(query.order_by(c.updated_at.desc(), c.file_id)).scalars())

    def seconds_of(self, file_ids: Sequence[str]) -> dict[str, float]:
        """Return what the last run of each of these files took, in seconds."""
        found: dict[str, float] = {}
        with self.database.begin(writes=False) as connection:
            for names in batches(file_ids, _PAGE // 2):
                rows = connection.execute(select(c.file_id, c.seconds).where(c.file_id.in_(names)))
                found |= {row.file_id: row.seconds for row in rows}
        return found

    def problems(self, *, limit: int) -> list[str]:
        """Return files whose last attempt failed, or that were published without parts; the latest first."""
        states = [state.value for state in (State.FAILED, State.PARTIAL, State.OUT_OF_MEMORY, State.QUARANTINED)]
        query = (
            select(c.file_id).where(c.in_ledger, c.ledger_state.in_(states)).order_by(c.updated_at.desc(), c.file_id)
        )
        with self.database.begin(writes=False) as connection:
            return list(connection.execute(query.limit(limit)).scalars())

    def bucket_version(self, file_id: str) -> str:
        """Return the version that the bucket showed last; empty if it shows none."""
        query = select(c.bucket_version).where(c.file_id == file_id)
        with self.database.begin(writes=False) as connection:
            return connection.execute(query).scalar_one_or_none() or ""

    def on_the_way(self, file_id: str) -> str:
        """Return `pending`, or `processing` with the stage and its percent; empty for a file that is at rest."""
        states = [FileState.PENDING.value, FileState.PROCESSING.value]
        query = select(c.state, c.stage, c.percent).where(c.file_id == file_id, c.state.in_(states))
        with self.database.begin(writes=False) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return ""
        return f"{row.state}: {row.stage}, {row.percent} %" if row.stage else str(row.state)

    def file_ids(self) -> KnownFiles:
        """Return the ids of all files; 100,000 take about 20 MB."""
        with self.database.begin(writes=False) as connection:
            rows = connection.execute(select(c.file_id, c.in_ledger)).all()
        in_ledger = {file_id for file_id, is_in_ledger in rows if is_in_ledger}
        return KnownFiles(in_ledger, {file_id for file_id, _ in rows})

    def is_known_by(self, objects: Iterable[BucketObject]) -> bool:
        """Tell whether a bucket without a mark is the one of this index.

        It is if nothing is known yet, or if it holds a file as the ledger knows it, or most of the names, as a restored
        backup does.
        """
        with self.database.begin(writes=False) as connection:
            versions = {
                row.file_id: row.ledger_version
                for row in connection.execute(select(c.file_id, c.ledger_version).where(c.in_ledger))
            }
        if not versions:
            return True
        there = 0
        for item in objects:
            with suppress(BadInput):
                version = versions.get(file_id_of(item.key))
                if version == item.version:
                    return True
                there += version is not None
        return 2 * there > len(versions)

    def _copy_page(
        self,
        page: dict[str, FileRecord],
        *,
        after: str,
        upto: str | None,
        again: Callable[[str], FileRecord | None],
        is_news: bool,
    ) -> int:
        within = (c.file_id > after) if upto is None else (c.file_id > after) & (c.file_id <= upto)
        with self.database.begin() as connection:
            known = {row.file_id: row for row in connection.execute(select(FILES_TABLE).where(within))}
            added = [_row_of(record) for file_id, record in page.items() if file_id not in known]
            if added:
                connection.execute(FILES_TABLE.insert(), added)
            differing = [
                file_id
                for file_id, row in known.items()
                if (not _agrees(row, page[file_id]) if file_id in page else row.in_ledger)
            ]
            for file_id in differing:
                record = again(file_id)
                if record is not None:
                    self._record(connection, record, is_news=is_news)
                else:
                    self._forget(connection, file_id, is_news=is_news)
        return len(added) + len(differing)

    def _record(self, connection: Connection, record: FileRecord, *, is_news: bool) -> None:
        before = self._row(connection, record.file_id)
        values = _ledger_half(record)
        if before is None:
            connection.execute(FILES_TABLE.insert().values(**_row_of(record)))
        else:
            is_waiting = before.bucket_version not in {"", record.version}
            state = FileState.PENDING.value if is_waiting else record.state.value
            connection.execute(update(FILES_TABLE).where(c.file_id == record.file_id).values(**values, state=state))
        changed = before is None or _ledger_state(before) != (record.state.value, record.version, record.generation)
        if is_news and (changed or before.state == FileState.PROCESSING):  # type: ignore[union-attr]
            after = self._row(connection, record.file_id)
            assert after is not None, "it was written above"
            tell(self.listeners, connection, after, FileState(record.state.value))

    def _forget(self, connection: Connection, file_id: str, *, is_news: bool = True) -> None:
        row = self._row(connection, file_id)
        if row is None:
            return
        if row.bucket_version and row.missing_since is None:
            cleared = dict.fromkeys(("ledger_version", "ledger_state", "fingerprint", "updated_at", "error"), "")
            numbers = dict.fromkeys(("generation", "chunks", "pages"), 0)
            connection.execute(
                update(FILES_TABLE)
                .where(c.file_id == file_id)
                .values(**cleared, **numbers, in_ledger=False, writing_since=None, state=FileState.PENDING.value)
            )
        else:
            connection.execute(delete(FILES_TABLE).where(c.file_id == file_id))
        if row.in_ledger and is_news:
            tell(self.listeners, connection, row, FileState.REMOVED)

    def _row(self, connection: Connection, file_id: str) -> Row[Any] | None:
        return connection.execute(select(FILES_TABLE).where(c.file_id == file_id)).one_or_none()


def _names(file_id: str) -> dict[str, str]:
    """Return the columns that follow from the id."""
    key = key_of(file_id)
    try:
        user_id, project_id, _ = owner_of(key)
    except (ValueError, BadInput):
        user_id = project_id = ""
    return {"file_id": file_id, "key": key, "stored_key": key, "user_id": user_id, "project_id": project_id}


def _row_of(record: FileRecord) -> dict[str, Any]:
    """Return the row of a file that the index did not know."""
    names = {**_names(record.file_id), "key": record.key, "stored_key": record.key}
    return {**names, **_ledger_half(record), "state": record.state.value}


def _as_record(row: Row[Any]) -> FileRecord:
    user_id, project_id, filename = owner_of(row.key)
    return FileRecord(
        file_id=row.file_id,
        user_id=user_id,
        project_id=project_id,
        filename=filename,
        key=row.key,
        state=State(row.ledger_state),
        media_type=row.media_type,
    )


def _ledger_half(record: FileRecord) -> dict[str, Any]:
    return {
        "in_ledger": True,
        "ledger_version": record.version,
        "ledger_state": record.state.value,
        "sha256": record.sha256,
        "media_type": record.media_type,
        "fingerprint": record.fingerprint,
        "generation": record.generation,
        "chunks": record.chunks,
        "pages": record.pages,
        "seconds": record.seconds,
        "updated_at": record.updated_at,
        "error": record.error,
        "writing_since": None,
        "stage": "",
        "percent": 0,
    }


def _ledger_state(row: Row[Any]) -> tuple[str, str, int]:
    return row.ledger_state, row.ledger_version, row.generation


def _agrees(row: Row[Any], record: FileRecord) -> bool:
    return all(getattr(row, name) == value for name, value in _ledger_half(record).items())
