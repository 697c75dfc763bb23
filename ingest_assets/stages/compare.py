"""Compare the bucket's listing with the ledger and say which files are new, changed or gone.

The ledger of this project decides, never Dagster's record of materialisations: a key that was deleted and added again
still looks materialised there. A file that cannot be seen does not count as gone: files below a place that cannot be
read are kept. If the bucket has no mark, no file as the ledger knows it and not most of the names (an empty mount
point), no file at all counts as gone. An empty ledger makes no bucket known while files are partitions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ingest_assets.errors import BadInput
from ingest_assets.file_ids import file_id_of, key_of
from ingest_assets.records import BucketObject, UnreadablePlace


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
    """file_ids of records and partitions whose object was missing in two comparisons."""
    missing: frozenset[str]
    """file_ids whose object is missing now; pass them to the next comparison."""
    unsettled: dict[str, str]
    """Key → version of files seen now that may still be growing; pass it to the next comparison."""
    unchanged: int
    misplaced: tuple[str, ...]
    """What is wrong with keys that name no user, project and file."""
    unreadable: tuple[str, ...] = ()
    """What is wrong with places of the bucket that cannot be read; files known below them are kept."""
    is_known_bucket: bool = True
    """Whether the bucket has its mark, a known version of a file or most of the known names (as a restored backup has);
    if not, nothing counts as gone."""


UNKNOWN_BUCKET = (
    "the bucket has no mark of `ingest prepare`, and it holds neither a file as the ledger knows it nor most of the "
    "names: is its volume mounted, is INGEST_BUCKET right? Nothing is removed for it; if it is the right one, run "
    "`ingest prepare --take-over`"
)


def compare(
    listing: Iterable[BucketObject | UnreadablePlace],
    *,
    ledger: Mapping[str, str],
    partitions: Iterable[str] = (),
    seen: Mapping[str, str],
    missed: Collection[str] = (),
    now: float,
    settle_s: float,
    is_marked: bool = True,
) -> Changes:
    """Tell new, changed, deleted and unfinished files apart; `ledger` maps file_id to the version last attempted.

    A file counts as whole when it has rested for `settle_s` seconds and looks as it did in the comparison before
    (`seen`), or when no rest is asked for. There are two signs because a copy can stall and a clock can be wrong. A
    file counts as gone when it was missing in the comparison before too (`missed`), so that a renamed one comes before
    its old name goes. `is_marked`: the bucket has the mark that `prepare` leaves in it.
    """
    known, processed = _by_composed_id(ledger), ledger.keys() | set(partitions)
    arrivals: list[tuple[float, Arrival]] = []
    unsettled: dict[str, str] = {}
    misplaced: list[str] = []
    unreadable: list[UnreadablePlace] = []
    present: set[str] = set()
    unchanged = 0
    for item in listing:
        if isinstance(item, UnreadablePlace):
            unreadable.append(item)
            continue
        file_id = _placed(item, misplaced)
        if file_id is None:
            continue
        present.add(file_id)
        if known.get(file_id) == item.version:
            unchanged += 1
        elif _is_whole(item, seen=seen, now=now, settle_s=settle_s):
            arrivals.append((item.modified_at, Arrival(file_id=file_id, key=item.key, version=item.version)))
        else:
            unsettled[item.key] = item.version
    absent = _absent(processed, present)
    is_known_bucket = is_marked or not processed or unchanged > 0 or 2 * len(absent) < len(processed)
    missing = frozenset(absent - _below(absent, unreadable)) if is_known_bucket else frozenset[str]()
    arrivals.sort(key=lambda arrival: (arrival[0], arrival[1].file_id))
    return Changes(
        arrivals=tuple(arrival for _, arrival in arrivals),
        gone=tuple(sorted(missing.intersection(missed))),
        missing=missing,
        unsettled=unsettled,
        unchanged=unchanged,
        misplaced=tuple(misplaced),
        # A user's folder may be empty; it is reported only if the ledger has files below it.
        unreadable=tuple(place.reason for place in unreadable if not place.is_empty or _below(absent, [place])),
        is_known_bucket=is_known_bucket,
    )


def _by_composed_id(ledger: Mapping[str, str]) -> dict[str, str]:
    """Key the ledger by ids in composed letters: an earlier release kept names in the file system's form.

    If both ids of a file are there, the version of the composed one is used.
    """
    return {composed(file_id): version for file_id, version in ledger.items()} | {
        file_id: version for file_id, version in ledger.items() if composed(file_id) == file_id
    }


def _absent(known: Collection[str], present: Collection[str]) -> set[str]:
    """Return the ids without an object in the bucket; an old id is absent too if its composed id is known."""
    return {
        file_id
        for file_id in known
        if file_id not in present
        and (composed(file_id) not in present or (composed(file_id) != file_id and composed(file_id) in known))
    }


def _below(file_ids: Collection[str], places: Iterable[UnreadablePlace]) -> set[str]:
    """Return the files that are one of the places or lie below one."""
    prefixes = tuple(f"{place.key}/" for place in places)
    return {file_id for file_id in file_ids if prefixes and f"{key_of(composed(file_id))}/".startswith(prefixes)}


def composed(file_id: str) -> str:
    """Return the id in composed letters; an id that no file can have stays as it is."""
    if file_id.isascii():
        return file_id
    try:
        return file_id_of(key_of(file_id))
    except BadInput:
        return file_id


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
