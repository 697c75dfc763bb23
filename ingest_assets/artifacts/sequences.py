"""Represent a sequence of records before, while and after it is made: `Pending`, `Draft` and `Stored`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ingest_assets.artifacts.manifests import Manifest, Tally
from ingest_assets.artifacts.shelves import Shelf
from ingest_assets.artifacts.slices import read_slices
from ingest_assets.errors import OutsideError

T = TypeVar("T")

if TYPE_CHECKING:
    from typing import Generic as _Of
else:

    class _Of:
        """Dagster uses annotations as types and does not accept generics: at run time `Pending[Part]` is `Pending`."""

        def __class_getitem__(cls, _: object) -> type:
            return cls


IN_PROGRESS = "in_hand"
"""Name of the file in which a draft keeps the number of the record that is being made."""
CURRENT = "current.json"
"""Name of the manifest of the sequence in force, beside the shelves of the sequences."""
_RESUMES = "resume_token"


@dataclass(frozen=True)
class Pending(_Of[T]):
    """A sequence that is made only if it is not there yet."""

    fingerprint: str
    """Hash of all that the sequence depends on."""
    produce: Callable[[Draft[T]], Iterator[T]]
    """Yields the records that follow those which the draft kept."""
    tally: Callable[[T], Tally] = field(default=lambda _: Tally())
    resume_token: str = ""
    """Finished records of an attempt with the same token are kept; empty if `produce` cannot continue after them."""
    window: int = 16
    """How many records are in memory at once, and in one slice."""
    cap_mb: int = 0
    """The memory cap that it is made under; 0: none is known."""
    leaves_out: bool = False
    """Whether records are left out because they do not fit under the cap."""


class Draft(_Of[T]):
    """A sequence that is being made: the records that an earlier attempt left, and a place for attachments."""

    def __init__(self, shelf: Shelf, *, record_type: type[T], resume_token: str) -> None:
        self._shelf = shelf
        self._record_type = record_type
        token = shelf.read(_RESUMES)
        if not resume_token or token != resume_token.encode():
            shelf.clear()
            shelf.write(_RESUMES, resume_token.encode())
        shelf.remove(IN_PROGRESS)
        self.facts: dict[str, int] = {}
        """Counts for the manifest that come from no record, such as the number of pages that a file claims."""

    def kept(self) -> Iterator[T]:
        """Yield the records that an earlier attempt finished."""
        yield from read_slices(self._shelf, self._record_type)

    def mark(self, number: int) -> None:
        """Write down which record is being made; after a kill, `Artifacts.record_in_progress` reads it."""
        self._shelf.note(IN_PROGRESS, str(number))

    def attach(self, name: str, data: bytes) -> None:
        """Store bytes under a name, next to the records."""
        self._shelf.write(f"attachments/{name}", data)


@dataclass(frozen=True)
class Stored(_Of[T]):
    """A finished sequence."""

    manifest: Manifest
    asset: str
    """Name of the asset whose sequence this is."""
    beside: Shelf
    """Where the manifest lies, and the sequence under the beginning of its fingerprint."""
    record_type: type[T]

    @property
    def _shelf(self) -> Shelf:
        return self.beside.at(self.manifest.fingerprint[:16])

    def __iter__(self) -> Iterator[T]:
        """Yield the records in order, one slice in memory at a time.

        Raises:
            OutsideError: some are missing or damaged; the sequence is then no longer in force, and is made again by the
                next run.
        """
        try:
            yield from self.untouched()
        except OutsideError:
            self.beside.remove(CURRENT)
            raise

    def untouched(self) -> Iterator[T]:
        """Yield the records in order, for callers that change nothing: a damaged sequence stays in force.

        Raises:
            OutsideError: some are missing or damaged.
        """
        from zstandard import ZstdError

        count = 0
        try:
            for record in read_slices(self._shelf, self.record_type):
                yield record
                count += 1
        except (ZstdError, msgspec.MsgspecError) as error:
            raise self._damaged(f"record {count + 1} cannot be read ({error})") from error
        if count != self.manifest.records:
            raise self._damaged(f"{count} records of {self.manifest.records} are there")

    def _damaged(self, what: str) -> OutsideError:
        return OutsideError(f"{self._shelf.place}: {what}; materialise {self.asset} again")

    def attachment(self, name: str) -> bytes:
        """Return the bytes that were stored under a name.

        Raises:
            OutsideError: they are not there.
        """
        data = self._shelf.read(f"attachments/{name}")
        if data is None:
            raise self._damaged(f"attachment {name} is not there")
        return data
