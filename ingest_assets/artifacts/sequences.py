"""Represent a sequence of records before, while and after it is made: `Pending`, `Draft` and `Stored` (on disk)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ingest_assets.artifacts.manifests import Manifest, Tally
from ingest_assets.artifacts.slices import read_slices, write_whole
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

    def __init__(self, folder: Path, *, record_type: type[T], resume_token: str) -> None:
        self._folder = folder
        self._record_type = record_type
        token = folder / "resume_token"
        if not resume_token or not token.is_file() or token.read_text() != resume_token:
            shutil.rmtree(folder, ignore_errors=True)
            write_whole(token, resume_token.encode())
        (folder / IN_PROGRESS).unlink(missing_ok=True)
        self.facts: dict[str, int] = {}
        """Counts for the manifest that come from no record, such as the number of pages that a file claims."""

    def kept(self) -> Iterator[T]:
        """Yield the records that an earlier attempt finished."""
        yield from read_slices(self._folder, self._record_type)

    def mark(self, number: int) -> None:
        """Write down which record is being made; after a kill, `Artifacts.record_in_progress` reads it."""
        (self._folder / IN_PROGRESS).write_text(str(number))

    def attach(self, name: str, data: bytes) -> None:
        """Store bytes under a name, next to the records."""
        write_whole(self._folder / "attachments" / name, data)


@dataclass(frozen=True)
class Stored(_Of[T]):
    """A finished sequence on disk."""

    manifest: Manifest
    folder: Path
    record_type: type[T]

    @property
    def asset(self) -> str:
        """Name of the asset whose sequence this is."""
        return self.folder.parents[1].name

    def __iter__(self) -> Iterator[T]:
        """Yield the records in order, one slice in memory at a time.

        Raises:
            OutsideError: some are missing or damaged; the sequence is then no longer in force, and is made again by the
                next run.
        """
        try:
            yield from self.untouched()
        except OutsideError:
            (self.folder.parent / "current.json").unlink(missing_ok=True)
            raise

    def untouched(self) -> Iterator[T]:
        """Yield the records in order, for callers that change nothing: a damaged sequence stays in force.

        Raises:
            OutsideError: some are missing or damaged.
        """
        from zstandard import ZstdError

        count = 0
        try:
            for record in read_slices(self.folder, self.record_type):
                yield record
                count += 1
        except (ZstdError, msgspec.MsgspecError) as error:
            raise self._damaged(f"record {count + 1} cannot be read ({error})") from error
        if count != self.manifest.records:
            raise self._damaged(f"{count} records of {self.manifest.records} are there")

    def _damaged(self, what: str) -> OutsideError:
        return OutsideError(f"{self.folder}: {what}; materialise {self.asset} again")

    def attachment(self, name: str) -> bytes:
        """Return the bytes that were stored under a name."""
        return (self.folder / "attachments" / name).read_bytes()
