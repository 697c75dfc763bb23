"""Tell whether a bucket that has no mark is the one that the index knows, a bounded piece at a time.

A bucket gets its mark from `ingest prepare`. One that was restored from a backup, or that may not be written, has none.
It is the known one if it holds a file as the ledger knows it, or most of the names. The file that showed it is asked
for first the next time, so that a bucket without a mark costs one request a look and not a listing.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

from ingest_assets.errors import BadInput
from ingest_assets.file_ids import file_id_of
from ingest_assets.index.listing_position import complete_upto
from ingest_assets.records import BucketObject

if TYPE_CHECKING:
    from ingest_assets.buckets.contract import Bucket
    from ingest_assets.index.file_answers import FileAnswers

_PAGE = 1000
_ASKED_AGAIN_S = 60.0
"""A bucket that was listed whole and is another one is listed again after so long, in case its files are put back."""


class Recognition:
    """Recognises one bucket by what it holds; an object of this class goes on where its last call stopped."""

    def __init__(self, bucket: Bucket, index: FileAnswers) -> None:
        """Take the bucket and the index of the files that it should hold."""
        self._bucket = bucket
        self._index = index
        self._witness = ""
        """Key of the object that showed that the bucket is the known one."""
        self._refused_at: float | None = None
        self._after, self._there = "", 0

    def is_known(self, *, until: float | None) -> bool | None:
        """Tell whether the bucket is the one of the index; None if that cannot be told yet.

        `until` is the moment of the monotonic clock to stop at, after one page at least; None: it is told in any case.

        Raises:
            OutsideError: the bucket or the index database is away.
        """
        if self._index.is_empty() or (self._witness and self._shows(self._witness)):
            return True
        if until is not None and self._refused_at is not None:
            if time.monotonic() - self._refused_at < _ASKED_AGAIN_S:
                return False
            self._refused_at = None
        while True:
            page = list(islice(self._bucket.list(after=self._after), _PAGE))
            if self._has_witness([item for item in page if isinstance(item, BucketObject)]):
                self._begin()
                return True
            if len(page) < _PAGE:
                return self._decided()
            self._after = complete_upto(page)
            if until is not None and time.monotonic() >= until:
                return None

    def _begin(self) -> None:
        self._after, self._there = "", 0

    def _decided(self) -> bool:
        is_known = 2 * self._there > self._index.count_in_ledger()
        self._refused_at = None if is_known else time.monotonic()
        self._begin()
        return is_known

    def _shows(self, key: str) -> bool:
        found = self._bucket.stat(key)
        return found is not None and self._has_witness([found])

    def _has_witness(self, objects: list[BucketObject]) -> bool:
        """Remember an object that the ledger knows as it is, and count the names that it knows."""
        versions = self._index.ledger_versions([name for item in objects if (name := _file_id_of(item))])
        self._there += len(versions)
        for item in objects:
            if versions.get(_file_id_of(item)) == item.version:
                self._witness = item.key
                return True
        return False


def _file_id_of(item: BucketObject) -> str:
    """Return the id of an object's file; empty if its key names none."""
    try:
        return file_id_of(item.key)
    except BadInput:
        return ""
