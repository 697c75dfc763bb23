"""Keep what the ledger says of each file where it is found at once, and say when a file's state changes.

Reading the ledger out of the vector store takes half a millisecond a file in embedded Chroma, so 50 s at 100,000 files;
a sensor has 60 s. The store stays the truth. Each process that writes it announces the file here first and copies the
record here afterwards (`indexed_store.py`). What was announced and never copied, because the process was killed, is
read again from the store at the next look. `rebuild` copies the whole ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, case, delete, select, update

from ingest_assets.batches import batches
from ingest_assets.errors import BadInput
from ingest_assets.file_ids import is_in_bucket, key_of, owner_of
from ingest_assets.index.attempts import forget_attempts
from ingest_assets.index.database import ABOUT, Database
from ingest_assets.index.file_answers import BUILT_FOR, FileAnswers
from ingest_assets.index.file_details import forget_details, restore_details
from ingest_assets.index.file_table import FILES_TABLE, Listener, c, now_s, tell
from ingest_assets.index.state_change import PassingState
from ingest_assets.ledger_records import FileRecord, Origin

_PAGE = 1000
_FRESH_S = 600.0
"""A process outside of a run writes within this time of its announcement, or was killed."""


class FileIndex(FileAnswers):
    """The index of one project's files: reads it, and keeps it up to date."""

    def __init__(self, database: Database, *, listeners: Sequence[Listener] = ()) -> None:
        """Take the database, and what is told of each change in the change's own transaction."""
        super().__init__(database)
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
        values = {"state": PassingState.PROCESSING.value, "stage": stage, "percent": percent, "stage_at": now_s()}
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
                PassingState.PROCESSING,
            )

    def copy(self, file_id: str, record: FileRecord | None) -> None:
        """Make a file's row agree with the ledger. A fresh announcement stays: its process may be about to write."""
        with self.database.begin() as connection:
            before = self._locked_row(connection, file_id)
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

    def set_built_for(self, ledger: str) -> None:
        """Note which ledger the index agrees with; empty: with none, so that it is made again."""
        with self.database.begin() as connection:
            connection.execute(
                self.database.upsert(ABOUT)
                .values(name=BUILT_FOR, value=ledger)
                .on_conflict_do_update(index_elements=[ABOUT.c.name], set_={"value": ledger})
            )

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
        with self.database.begin(writes=False) as connection:
            known = {row.file_id: row for row in connection.execute(select(FILES_TABLE).where(within))}
        added = [_row_of(record) for file_id, record in page.items() if file_id not in known]
        differing = [
            row
            for file_id, row in known.items()
            if (not _agrees(row, page[file_id]) if file_id in page else row.in_ledger)
        ]
        # Before the transaction that writes: while it lasts, no other process can write a SQLite file.
        found = [(row, again(row.file_id)) for row in differing]
        with self.database.begin() as connection:
            if added:
                connection.execute(self.database.upsert(FILES_TABLE).on_conflict_do_nothing(), added)
                restore_details(self.database, connection, page.values())
            for row, record in found:
                self._copy(connection, row, record, is_news=is_news)
        return len(added) + len(differing)

    def _copy(self, connection: Connection, known: Row[Any], record: FileRecord | None, *, is_news: bool) -> None:
        """Make a row agree with a record that was read after it, unless another process wrote either meanwhile."""
        now = self._locked_row(connection, known.file_id)
        if now is None or _written(now) != _written(known):
            return
        if record is not None:
            self._record(connection, record, is_news=is_news)
        else:
            self._forget(connection, known.file_id, is_news=is_news)

    def _record(self, connection: Connection, record: FileRecord, *, is_news: bool) -> None:
        before = self._locked_row(connection, record.file_id)
        is_waiting = c.bucket_version.not_in(["", record.version])
        state = case((is_waiting, PassingState.PENDING.value), else_=record.state.value)
        # Another process may add the row just now.
        connection.execute(
            self.database.upsert(FILES_TABLE)
            .values(**_row_of(record))
            .on_conflict_do_update(index_elements=[c.file_id], set_={**_ledger_half(record), "state": state})
        )
        restore_details(self.database, connection, [record])
        changed = before is None or _ledger_state(before) != (record.state.value, record.version, record.generation)
        if is_news and (before is None or changed or before.state == PassingState.PROCESSING):
            after = connection.execute(select(FILES_TABLE).where(c.file_id == record.file_id)).one()
            tell(self.listeners, connection, after, record.state)

    def _forget(self, connection: Connection, file_id: str, *, is_news: bool = True) -> None:
        row = self._locked_row(connection, file_id)
        if row is None:
            return
        if row.bucket_version and row.missing_since is None:
            cleared = dict.fromkeys(("ledger_version", "ledger_state", "fingerprint", "updated_at", "error"), "")
            numbers = dict.fromkeys(("generation", "chunks", "pages"), 0)
            connection.execute(
                update(FILES_TABLE)
                .where(c.file_id == file_id)
                .values(**cleared, **numbers, in_ledger=False, writing_since=None, state=PassingState.PENDING.value)
            )
        else:
            connection.execute(delete(FILES_TABLE).where(c.file_id == file_id))
            forget_attempts(connection, file_id)
            forget_details(connection, file_id)
        if row.in_ledger and is_news:
            tell(self.listeners, connection, row, PassingState.REMOVED)

    def _locked_row(self, connection: Connection, file_id: str) -> Row[Any] | None:
        """Return a file's row, which no other process changes until this transaction ends."""
        return connection.execute(select(FILES_TABLE).where(c.file_id == file_id).with_for_update()).one_or_none()


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


def _written(row: Row[Any]) -> tuple[object, ...]:
    """Return what changes whenever a process writes the file's record, or is about to."""
    return row.in_ledger, row.writing_since, row.updated_at, *_ledger_state(row)


def _agrees(row: Row[Any], record: FileRecord) -> bool:
    return all(getattr(row, name) == value for name, value in _ledger_half(record).items())
