"""Define what buckets and artifacts need of an object store: S3, Google Cloud Storage, or what speaks like them.

Names are those below the prefix that the URL gives. An object is replaced as a whole: a reader sees the old one or the
new one. A version changes whenever the bytes of an object change, and a download can ask for one version.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

BLOCK_BYTES = 1 << 20
"""What is in memory at once of an object that is read."""
LARGE_BYTES = 16 << 20
"""Larger files are uploaded in parts of this size."""
LABEL = "ingest-upload"
"""The name, in an object's metadata, of the label that it was written with."""
MAX_NAME_BYTES = 1024
"""Length of an object's name, prefix included, on S3 and on Google Cloud Storage."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store says about one object."""

    name: str
    size_bytes: int
    version: str
    modified_at: float
    """Seconds since the epoch, in whole seconds: a listing and a question for one object give the same."""


class ObjectChanged(Exception):
    """The version that was asked for is no longer there."""


class ObjectWriter(Protocol):
    """An object that is written piece by piece. It can be seen when the last piece is written."""

    def write(self, data: bytes) -> None:
        """Add bytes; about 5 MB of them are in memory at once."""
        ...

    def finish(self) -> None:
        """Make the object of all bytes."""
        ...

    def abandon(self) -> None:
        """Remove what was written of an object that is not finished."""
        ...


class ObjectStore(Protocol):
    """The objects below one prefix of one bucket.

    Every call raises OutsideError if the service does not answer, refuses the credentials, or has no such bucket.
    """

    @property
    def place(self) -> str:
        """The URL of the prefix, without a slash at its end; it holds no secret."""
        ...

    @property
    def prefix(self) -> str:
        """The beginning of all full names: empty, or with a slash at its end."""
        ...

    def list(self, *, beginning: str = "", after: str = "") -> Iterator[StoredObject]:
        """Yield the objects whose name has this beginning and comes behind `after`, in the order of UTF-8 bytes."""
        ...

    def head(self, name: str) -> StoredObject | None:
        """Describe one object; None if there is none, or no such bucket."""
        ...

    def download(self, found: StoredObject, into: BinaryIO) -> None:
        """Write the bytes of one version to a file, block by block, and check them against the store's checksum.

        Raises:
            ObjectChanged: this version is no longer there.
            OutsideError: the bytes are not those that the store has, or do not arrive.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small object; None if there is none."""
        ...

    def upload(self, name: str, source: Path) -> StoredObject:
        """Copy a file into the store, a large one in parts; nothing of it is seen before the last part is there."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write a small object unless there is one of this name; tell whether it was written."""
        ...

    def writer(self, name: str, *, label: str) -> ObjectWriter:
        """Begin an object that is written piece by piece; the label stays with it, and with copies of it."""
        ...

    def copy(self, name: str, to: str, *, label: str, over: str) -> StoredObject:
        """Copy an object inside the store, over a version of the target; empty: over none.

        Raises:
            ObjectChanged: the target has another version, or the object is gone.
        """
        ...

    def label(self, name: str) -> str:
        """Return the label that an object was written with; empty if it has none or is gone."""
        ...

    def abandon(self, *, beginning: str, before: float) -> int:
        """Give up writings of this beginning that were begun before a moment, in seconds since 1970; count them."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; those that are not there are no error."""
        ...


class ClientOfProcess:
    """A client that is made when it is first used, and again in a forked process: two cannot share a connection."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: tuple[int, Any] = (0, None)

    def __call__(self) -> Any:
        """Return this process's client."""
        if self._made[0] != os.getpid():
            self._made = (os.getpid(), self._make())
        return self._made[1]

    def forget(self) -> None:
        """Let the next use make a new client, which reads the credentials anew."""
        self._made = (0, None)
