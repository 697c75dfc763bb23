"""Make objects of a bucket and records of a ledger for the tests of the index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from ingest_assets.file_ids import file_id_of
from ingest_assets.index.bucket_looks import BucketLooks, Look
from ingest_assets.index.database import Database
from ingest_assets.index.deletes import Deletes
from ingest_assets.index.file_index import FileIndex
from ingest_assets.index.pending_files import PendingFiles
from ingest_assets.index.state_change import StateChange
from ingest_assets.ledger_records import FileRecord, State
from ingest_assets.records import BucketObject, UnreadablePlace

NOW = 1_800_000_000.0


def item(name: str, *, owner: str = "ann/p", version: str = "v1", age_s: float = 60.0, size: int = 1) -> BucketObject:
    return BucketObject(key=f"{owner}/{name}", size_bytes=size, version=version, modified_at=NOW - age_s)


def record(name: str, *, owner: str = "ann/p", version: str = "v1", **values: Any) -> FileRecord:
    key = f"{owner}/{name}"
    user, project, filename = key.split("/", 2)
    given: dict[str, Any] = {
        "state": State.SUCCEEDED,
        "generation": 1,
        "chunks": 2,
        "fingerprint": "f",
        "updated_at": "2027-01-15T07:00:00+00:00",
    }
    return FileRecord(
        file_id=file_id_of(key), user_id=user, project_id=project, filename=filename, key=key, version=version,
        **{**given, **values},
    )  # fmt: skip


@dataclass
class Index:
    """An index, and what it told."""

    database: Database
    settle_s: float = 0.0
    told: list[StateChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = FileIndex(self.database, listeners=[self.hear])
        self.looks = BucketLooks(self.database, settle_s=self.settle_s, listeners=[self.hear])
        self.pending = PendingFiles(self.database, retry_after_s=600)
        self.deletes = Deletes(self.database, grace_s=60, max_share=0.2)

    def hear(self, _: Connection, change: StateChange) -> None:
        self.told.append(change)

    def look(self, *found: BucketObject | UnreadablePlace, at: float = 0.0, may_miss: bool = True) -> Look:
        """Look at the whole bucket, so many seconds after the beginning."""
        listing = sorted(found, key=lambda each: each.position.encode())
        return self.looks.stretch(listing, after="", upto=None, may_miss=may_miss, now=NOW + at)

    def know(self, *records: FileRecord) -> None:
        """Let the ledger have these records."""
        for each in records:
            self.files.record(each)

    def waiting(self, *, at: float = 0.0) -> list[str]:
        return [each.key.split("/", 2)[-1] for each in self.pending.next(limit=1000, now=NOW + at)]

    def gone(self, *, at: float = 0.0) -> list[str]:
        return [file_id.rsplit(":", 1)[-1] for file_id in self.deletes.gone(limit=1000, now=NOW + at)[0]]

    def states(self) -> list[tuple[str, str]]:
        return [(each.filename, each.state.value) for each in self.told]
