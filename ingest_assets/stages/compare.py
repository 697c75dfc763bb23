"""A bucket's listing and the ledger in, what has to be done out.

Decided from our own ledger, never from Dagster's record of materialisations: a key that was deleted and added again
still looks materialised there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ingest_assets.errors import BadInput
from ingest_assets.file_ids import file_id_of
from ingest_assets.records import BucketObject


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version of a file that has to be processed."""

    file_id: str
    key: str
    version: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between the bucket and the ledger."""

    arrivals: tuple[Arrival, ...]
    """New and changed files that are whole, oldest first."""
    gone: tuple[str, ...]
    """file_ids of records and partitions whose object was not there at two looks."""
    missing: frozenset[str]
    """file_ids whose object is not there now; pass them to the next look."""
    unsettled: dict[str, str]
    """Key → version of files seen now that may still be growing; pass it to the next look."""
    unchanged: int
    misplaced: tuple[str, ...]
    """What is wrong with keys that name no user, project and file."""


def compare(
    listing: Iterable[BucketObject],
    *,
    ledger: Mapping[str, str],
    partitions: Iterable[str] = (),
    seen: Mapping[str, str],
    missed: Collection[str] = (),
    now: float,
    settle_s: float,
) -> Changes:
    """Tell new, changed, deleted and unfinished files apart; `ledger` maps file_id to the version last attempted.

    A file counts as whole when it has rested for `settle_s` seconds and looks as it did at the look before (`seen`), or
    when no rest is asked for. Two signs, because a copy can stall and a clock can be wrong. A file counts as gone when
    it was missing at the look before too (`missed`), so that a renamed one comes before its old name goes.
    """
    arrivals: list[tuple[float, Arrival]] = []
    unsettled: dict[str, str] = {}
    misplaced: list[str] = []
    present: set[str] = set()
    unchanged = 0
    for item in listing:
        file_id = _placed(item, misplaced)
        if file_id is None:
            continue
        present.add(file_id)
        if ledger.get(file_id) == item.version:
            unchanged += 1
        elif _is_whole(item, seen=seen, now=now, settle_s=settle_s):
            arrivals.append((item.modified_at, Arrival(file_id=file_id, key=item.key, version=item.version)))
        else:
            unsettled[item.key] = item.version
    missing = frozenset((ledger.keys() | set(partitions)) - present)
    arrivals.sort(key=lambda arrival: (arrival[0], arrival[1].file_id))
    return Changes(
        arrivals=tuple(arrival for _, arrival in arrivals),
        gone=tuple(sorted(missing.intersection(missed))),
        missing=missing,
        unsettled=unsettled,
        unchanged=unchanged,
        misplaced=tuple(misplaced),
    )


def _placed(item: BucketObject, misplaced: list[str]) -> str | None:
    try:
        return file_id_of(item.key)
    except BadInput as error:
        misplaced.append(str(error))
        return None


def _is_whole(item: BucketObject, *, seen: Mapping[str, str], now: float, settle_s: float) -> bool:
    if settle_s == 0:
        return True
    return seen.get(item.key) == item.version and now - item.modified_at >= settle_s
