"""Look at the bucket, a bounded piece at a time, and keep the index in agreement with bucket and ledger.

Sensor, `ingest work` and `ingest listen` look in this one way and share one position in the listing. A look first
mends what the index may not know of the ledger, then looks at the keys that somebody named and at files that were still
growing, then goes on with the listing where the last look stopped. Its cost follows what changed and the time that it
is given, not the number of files.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput, OutsideError
from ingest_assets.index.bucket_looks import BucketLooks, Look
from ingest_assets.index.listing_position import Listing, ListingPosition, complete_upto
from ingest_assets.noticing.recognition import Recognition
from ingest_assets.records import BucketObject, UnreadablePlace

if TYPE_CHECKING:
    from ingest_assets.buckets.contract import Bucket
    from ingest_assets.index.file_index import FileIndex
    from ingest_assets.index.pending_files import PendingFiles
    from ingest_assets.messaging.inbox import Inbox, InboxEntry
    from ingest_assets.stores.contract import LedgerReading

_STRETCH = 1000
_SAMPLE = 20
_NAMED = 1000

UNKNOWN_BUCKET = (
    "the bucket has no mark of `ingest prepare`, and it holds neither a file as the ledger knows it nor most of the "
    "names: is its volume mounted, is INGEST_BUCKET right? Nothing is removed for it; if it is the right one, run "
    "`ingest prepare --take-over`"
)
_NOT_RECOGNISED_YET = (
    "the bucket has no mark of `ingest prepare`: nothing is removed until its files show that it is the right one"
)


class IndexIsBehind(OutsideError):
    """The index does not know the ledger as it is: it has to be made again from the store."""


@dataclass(slots=True)
class Noticed:
    """What one look found."""

    listed: int = 0
    """Objects of the listing that were looked at."""
    is_at_end: bool = False
    """The listing came to its end."""
    named: int = 0
    """Keys that somebody named and that were looked at."""
    new: int = 0
    missing: int = 0
    problem: str = ""
    """Why the listing could not go on, or why nothing counts as missing."""
    is_away: bool = False
    """The bucket is not there, so no file of it can be read now."""
    is_unknown: bool = False
    """The bucket may be another one than the index knows, so that nothing counts as missing."""
    unreadable: list[UnreadablePlace] = field(default_factory=list)
    misplaced: list[UnreadablePlace] = field(default_factory=list)

    def add(self, look: Look) -> None:
        """Count what a part of the look found."""
        self.new += look.new
        self.missing += look.missing
        self.unreadable += look.unreadable
        self.misplaced += look.misplaced


class Noticing:
    """Looks at one bucket for one index."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        store: LedgerReading,
        index: FileIndex,
        looks: BucketLooks,
        listing: Listing,
        inbox: Inbox,
        pending: PendingFiles,
        mark_bucket: Callable[[], None],
    ) -> None:
        """Take the parts; `mark_bucket` marks the bucket when it is known to be the right one."""
        self._bucket = bucket
        self._store = store
        self._index = index
        self._looks = looks
        self._listing = listing
        self._inbox = inbox
        self._pending = pending
        self._mark_bucket = mark_bucket
        self._recognition = Recognition(bucket, index)

    def agree_with_ledger(self, *, at_rest: Iterable[str]) -> None:
        """Copy the records that a killed process may have written, and compare some others.

        `at_rest` are the files on their way, by the index, that no run works on.

        Raises:
            IndexIsBehind: a record differs though no process announced that it writes it.
        """
        for file_id in at_rest:
            self._index.copy(file_id, self._store.file(file_id))
        for row in self._index.sample(_SAMPLE, behind=secrets.token_hex(32)):
            record = self._store.file(row.file_id)
            known = (row.version, row.state, row.generation)
            is_other = record is None or (record.version, record.state.value, record.generation) != known
            if is_other and self._index.row(row.file_id) == row:  # it was not written meanwhile
                self._index.set_built_for("")
                raise IndexIsBehind(f"{row.file_id}: the index knows another record than the ledger has")

    def look(self, *, within_s: float, whole: bool = False) -> Noticed:
        """Look for up to `within_s` seconds, or with `whole` until the listing has been read from here to its end.

        The bucket gets its mark here if that is safe: nothing is known of any file, or the bucket is recognised.

        Raises:
            OutsideError: the index database is away. What is wrong with the bucket is in the result.
        """
        until, noticed = time.monotonic() + within_s, Noticed()
        try:
            may_miss = self._is_known_bucket(noticed, until=None if whole else until)
            self._look_at_named(noticed, until=until)
            self.look_again_at_growing(noticed)
            self._go_on_listing(noticed, until=until, whole=whole, may_miss=may_miss)
        except OutsideError as error:
            noticed.problem = str(error)
        position = self._listing.position()
        if position.problem != noticed.problem:
            self._listing.move(replace(position, problem=noticed.problem))
        return noticed

    def look_at(self, keys: Collection[str], *, may_miss: bool = True) -> Noticed:
        """Look at single keys; with `may_miss=False` what is not there is not noted as missing.

        Raises:
            OutsideError: the bucket is away.
        """
        noticed, found, asked_at = Noticed(named=len(keys)), dict[str, BucketObject | None](), time.time()
        for key in keys:
            try:
                found[key] = self._bucket.stat(key)
            except BadInput as error:
                noticed.misplaced.append(UnreadablePlace(key, str(error)))
        noticed.add(self._looks.keys(found, may_miss=may_miss, asked_at=asked_at))
        return noticed

    def look_again_at_growing(self, noticed: Noticed) -> None:
        """Look at the files that may still grow, and add to what was noticed those that rest now."""
        growing, asked_at = self._pending.growing(limit=_NAMED), time.time()
        found = dict[str, BucketObject | None]()
        for key in growing:
            try:
                found[key] = self._bucket.stat(key)
            except OutsideError as error:  # this place; the others and the listing go on
                noticed.problem = str(error)
        if found:
            noticed.add(self._looks.keys(found, may_miss=not noticed.is_unknown, asked_at=asked_at))

    def _is_known_bucket(self, noticed: Noticed, *, until: float | None) -> bool:
        """Tell whether a file that the bucket does not show may count as missing."""
        try:
            if self._bucket.identity():
                return True
        except OutsideError:
            noticed.is_away = True
            raise
        is_known = self._recognition.is_known(until=until)
        if is_known:
            self._mark_bucket()
            return True
        noticed.problem, noticed.is_unknown = UNKNOWN_BUCKET if is_known is False else _NOT_RECOGNISED_YET, True
        return False

    def _look_at_named(self, noticed: Noticed, *, until: float) -> None:
        done: list[InboxEntry] = []
        unreadable: list[InboxEntry] = []
        for entry in self._inbox.take(_NAMED):
            try:
                found = self.look_at([entry.key], may_miss=not noticed.is_unknown)
            except OutsideError as error:  # this place; others may be well. The key stays in the inbox
                noticed.problem = str(error)
                unreadable.append(entry)
            else:
                noticed.named += 1
                noticed.new += found.new
                noticed.missing += found.missing
                done.append(entry)
            if time.monotonic() > until:  # also after failures: each may take as long as a service lets one wait
                break
        self._inbox.done(done)
        if unreadable:
            self._inbox.postpone(unreadable)

    def _go_on_listing(self, noticed: Noticed, *, until: float, whole: bool, may_miss: bool) -> None:
        position = self._listing.position()
        if not position.after:
            position = replace(position, began_at=time.time(), counted=0)
        listing: Iterator[BucketObject | UnreadablePlace] = iter(self._bucket.list(after=position.after))
        began_at = time.time()  # what another process saw since may be missing from these pages
        while not noticed.is_at_end and (whole or not noticed.listed or time.monotonic() < until):
            page = list(islice(listing, _STRETCH))
            noticed.is_at_end = len(page) < _STRETCH
            last = "" if noticed.is_at_end else complete_upto(page)
            upto = None if noticed.is_at_end else last
            look = self._looks.stretch(page, after=position.after, upto=upto, may_miss=may_miss, asked_at=began_at)
            self._listing.replace_places(
                after=position.after, upto=upto, unreadable=look.unreadable, misplaced=look.misplaced
            )
            noticed.add(look)
            noticed.listed += len(page)
            position = self._moved(position, counted=len(page), after=last)
            self._listing.move(position)
            if last and last != page[-1].position:
                listing = iter(self._bucket.list(after=last))  # the place again, with what is known below it

    def _moved(self, position: ListingPosition, *, counted: int, after: str) -> ListingPosition:
        counted += position.counted
        if after:
            return replace(position, after=after, counted=counted)
        return replace(position, after="", counted=counted, objects=counted, ended_at=time.time())
