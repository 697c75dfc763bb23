"""Say how much a user or a project may hold and use, and what of it is left.

Files and their bytes count while they lie in the bucket. Chunks, pages read by OCR and tokens count on the day (UTC) on
which they were made, because they stand for work: what is removed and made again has cost twice.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ingest_assets.errors import BadInput

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that one owner may hold or use; 0: no limit."""

    files: int = 0
    """In the bucket."""
    mb: int = 0
    """Megabytes in the bucket."""
    chunks: int = 0
    """Per day."""
    ocr_pages: int = 0
    """Per day."""
    tokens: int = 0
    """To embed, per day; four characters count as a token."""

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing is limited."""
        return self == Quota()


@dataclass(frozen=True, slots=True)
class Use:
    """What one owner holds, and has used on this day."""

    files: int = 0
    size_bytes: int = 0
    chunks: int = 0
    ocr_pages: int = 0
    tokens: int = 0

    def __add__(self, other: Use) -> Use:
        """Return both together."""
        return Use(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Excess:
    """What would be too much."""

    what: str
    """In words, with the limit."""
    ends_with_day: bool
    """Whether waiting for the next day (UTC) helps; otherwise something has to be removed."""


def read_quota(text: str, *, name: str) -> Quota:
    """Read limits such as `files=1000,mb=500,chunks=20000,ocr_pages=300,tokens=2000000`; any may be missing.

    Raises:
        BadInput: a limit is unknown, named twice, or no whole number above 0.
    """
    known, found = [field.name for field in fields(Quota)], dict[str, int]()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        limit, _, value = (part.strip() for part in entry.partition("="))
        if limit not in known or limit in found or not value.isascii() or not value.isdigit() or int(value) == 0:
            raise BadInput(f"{name}: {entry!r} is no limit; write NUMBER above 0 behind one of {'=, '.join(known)}=")
        found[limit] = int(value)
    return Quota(**found)


def excess(quota: Quota, used: Use, *, adding: Use) -> Excess | None:
    """Return what would be too much if this were added; None if nothing.

    A limit that is used up is exceeded also if nothing of its kind is added: the pages that OCR will read are not known
    beforehand.
    """
    if quota.files and used.files + adding.files > quota.files:
        return Excess(f"{quota.files} files", ends_with_day=False)
    if quota.mb and used.size_bytes + adding.size_bytes > quota.mb * _MB:
        return Excess(f"{quota.mb} MB", ends_with_day=False)
    for what, limit, now, more in (
        ("chunks", quota.chunks, used.chunks, adding.chunks),
        ("pages by OCR", quota.ocr_pages, used.ocr_pages, adding.ocr_pages),
        ("tokens", quota.tokens, used.tokens, adding.tokens),
    ):
        if limit and (now >= limit or now + more > limit):
            return Excess(f"{limit} {what} a day", ends_with_day=True)
    return None
