"""Sum up a sequence of records: its counts, digest, preview, warnings and cost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

_PREVIEW_CHARS = 1_000
_MORE = "…\n"
"""Ends a preview that does not show every record: records are shown whole or not at all."""
UNREAD_UNDER_CAP = "unread_under_cap_mb"
"""Count in a manifest: the memory cap, in MB, under which something did not fit and was left out of the sequence."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The summary of a finished sequence, from which it is decided whether to make it again."""

    fingerprint: str
    digest: str
    """sha256 of the records, independent of the window: equal digests mean equal content."""
    records: int
    counts: dict[str, int]
    """Totals of the tally, such as elements or pictures."""
    preview: str = ""
    warnings: tuple[str, ...] = ()
    resumed: int = 0
    """How many records came from an earlier, unfinished attempt."""
    seconds: float = 0.0
    peak_memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What one record adds to the manifest."""

    counts: dict[str, int] = field(default_factory=dict)
    preview: str = ""
    warnings: tuple[str, ...] = ()


class Summary:
    """Sums up records into a manifest."""

    def __init__(self, tally: Callable[..., Tally]) -> None:
        self._tally = tally
        self._digest = hashlib.sha256()
        self._counts: Counter[str] = Counter()
        self._preview = ""
        self._warnings: list[str] = []
        self.records = 0

    def add(self, record: object) -> bytes:
        """Count a record; return it encoded, as one line."""
        line = msgspec.json.encode(record)
        tally = self._tally(record)
        self._digest.update(line + b"\n")
        self._counts.update(tally.counts)
        if tally.preview and not self._preview.endswith(_MORE):
            fits = len(self._preview) + len(tally.preview) <= _PREVIEW_CHARS
            self._preview += tally.preview if fits else _MORE
        self._warnings += tally.warnings
        self.records += 1
        return line

    def manifest(self, *, fingerprint: str, resumed: int, facts: dict[str, int]) -> Manifest:
        """Return the manifest of all records added so far."""
        return Manifest(
            fingerprint=fingerprint,
            digest=self._digest.hexdigest(),
            records=self.records,
            counts=dict(sorted({**self._counts, **facts}.items())),
            preview=self._preview,
            warnings=tuple(self._warnings),
            resumed=resumed,
        )
