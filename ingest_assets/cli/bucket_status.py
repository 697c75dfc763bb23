"""Count what waits in the bucket and name what cannot be read in it, for `ingest status`; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingest_assets.buckets.contract import Bucket
from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import FileRecord, Origin
from ingest_assets.stages.compare import UNKNOWN_BUCKET, compare


@dataclass(frozen=True, slots=True)
class BucketStatus:
    """What waits in the bucket, and what is wrong with it."""

    arriving: int
    """New and changed files."""
    misplaced: tuple[str, ...]
    """What is wrong with keys that name no user, project and file."""
    unreadable: tuple[str, ...]
    """What is wrong with the bucket, or with places in it, that cannot be read."""


def look_at_bucket(bucket: Bucket, records: Iterable[FileRecord]) -> BucketStatus:
    """Compare the bucket with the ledger's records."""
    ledger = {record.file_id: record.version for record in records if record.origin is Origin.BUCKET}
    try:
        is_marked = bool(bucket.identity())
        changes = compare(bucket.list(), ledger=ledger, seen={}, now=0.0, settle_s=0, is_marked=is_marked)
    except OutsideError as error:
        return BucketStatus(0, (), (str(error),))
    doubt = () if changes.is_known_bucket else (UNKNOWN_BUCKET,)
    return BucketStatus(len(changes.arrivals), changes.misplaced, (*doubt, *changes.unreadable))
