"""Tell how far a file is while one of its assets is made, by the records that are made of those that will be.

How many will be is known for pages, pictures and chunks to embed. Each telling is a commit in the index, so there is
one every two seconds at most; receivers of messages hear of one every five (`messaging/progress.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ingest_assets.index.file_index import FileIndex

T = TypeVar("T")

_BEGINS_AT = {"raw_files": 0, "parsed_documents": 5, "image_captions": 50, "chunks": 60, "embeddings": 65}
_ENDS_AT = dict(zip(_BEGINS_AT, [*list(_BEGINS_AT.values())[1:], 100], strict=True))
"""Percent of a file's work. It is rough: pictures take long where there are any."""
_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far one asset of one file is."""

    index: FileIndex
    file_id: str
    asset: str
    every_s: float = _EVERY_S

    def begin(self) -> None:
        """Tell that the asset is being made."""
        self.index.progress(self.file_id, stage=self.asset, percent=_BEGINS_AT.get(self.asset, 0))

    def through(self, records: Iterable[T], *, of: int) -> Iterator[T]:
        """Yield the records, and tell how many of them are there; `of` is how many will be, 0 where that is unknown."""
        begin, end = _BEGINS_AT[self.asset], _ENDS_AT[self.asset]
        told_at = time.monotonic()
        for number, record in enumerate(records, start=1):
            yield record
            if of and time.monotonic() - told_at >= self.every_s:
                percent = begin + (end - begin) * min(number, of) // of
                self.index.progress(self.file_id, stage=self.asset, percent=percent)
                told_at = time.monotonic()
