"""Define what every kind of bucket promises: list, stat, read, write and delete the objects that people upload.

Objects are named by keys below the bucket's prefix (`user_id/project_id/filename`), in Unicode's composed form (NFC),
also if the bucket holds another form: a Mac stores `Geschäft` with other characters than those that people type. The
name as the bucket holds it is the stored key. A listing is in the order of the stored keys' UTF-8 bytes, as S3 and
Google Cloud Storage list, so that it can stop after any key and go on from there in another process.

A bucket that is not there must never look like an empty one, because what is missing from the bucket is removed from
the store. So only `prepare` makes a bucket, and it leaves a mark in it that an empty mount point does not have; and a
listing that cannot be finished raises.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ingest_assets.errors import BadInput
from ingest_assets.records import BucketObject, UnreadablePlace

MARK = ".ingest-bucket"
"""Name of the mark: a file, or an object below the bucket's prefix, that holds a random id."""
STAGING = ".ingest-staging"
"""Folder of what is being uploaded. Its name is hidden, so no listing shows what lies in it."""

# Names that copying programs and editors give to a file that is not whole yet, or not meant for others.
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", ".swp", "~")
_HIDDEN = (".", "~$")  # "~$" begins the lock file that Office lays beside an open document
# What Windows, macOS and file servers write into every folder; none of them was uploaded by a person.
_OF_THE_SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir"}


class NameTaken(BadInput):
    """The bucket has another version of an object than the one that was to be replaced."""


class StagedObject(Protocol):
    """An object that is being uploaded: its bytes lie in the bucket, and no reader sees them before it has a key."""

    @property
    def name(self) -> str:
        """What `Bucket.staged` finds it by, in this process or another."""
        ...

    def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OutsideError: the bucket does not take them.
        """
        ...

    def finish(self) -> None:
        """Have the bucket keep all bytes that were written; nothing can be added then.

        Raises:
            OutsideError: the bucket does not take them.
        """
        ...

    def publish(self, key: str, *, over: str = "") -> BucketObject:
        """Give a finished object its key, at one moment; a second call, by any process, changes nothing.

        `over` is the version that it replaces; empty: there must be none.

        Raises:
            BadInput: the bucket takes no object of this key, or the object was published and is gone.
            NameTaken: another version is there than the one to replace.
            OutsideError: the bucket does not do it; what is there stays.
        """
        ...

    def discard(self) -> None:
        """Remove the bytes; an object that was published, or is gone, is no error."""
        ...


class Bucket(Protocol):
    """Where files arrive."""

    @property
    def is_whole_when_seen(self) -> bool:
        """Whether an object that is listed is finished, as on an object store; a file in a folder may still grow."""
        ...

    def prepare(self) -> None:
        """Make the bucket if it is not there, and mark it; a second call changes nothing.

        Raises:
            ConfigError: it cannot be made.
        """
        ...

    def identity(self) -> str:
        """Return the id in the bucket's mark; empty where there is no mark.

        Raises:
            OutsideError: the bucket is not there.
        """
        ...

    def list(self, *, after: str = "") -> Iterator[BucketObject | UnreadablePlace]:
        """Yield every object, and every place that cannot be read, whose stored key comes behind `after`.

        They come in the order of their stored keys' UTF-8 bytes. Files that `is_passed_over` names are not objects.

        Raises:
            OutsideError: the bucket is not there, may not be read at all, or stops answering half way.
        """
        ...

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one object; None if there is none.

        Raises:
            OutsideError: the bucket is not there, or the place cannot be read.
        """
        ...

    def local(self, key: str, *, version: str = "") -> AbstractContextManager[Path]:
        """Give the object's bytes as a file on this machine for as long as the context lasts.

        Raises:
            BadInput: the object is gone, may not be read, is too large to be kept on this machine, or is of another
                version than the one that was asked for.
            OutsideError: the bucket is not there, or its disk fails.
        """
        ...

    def put(self, key: str, source: Path) -> BucketObject:
        """Copy a file into the bucket; readers see all of it or nothing.

        Raises:
            BadInput: the bucket takes no object of this name.
            OutsideError: the bucket is not there, or is an empty folder without a mark.
        """
        ...

    def stage(self) -> StagedObject:
        """Begin an upload whose key may not be known yet.

        Raises:
            OutsideError: the bucket is not there, or is empty without a mark.
        """
        ...

    def staged(self, name: str) -> StagedObject:
        """Give an upload that was finished, perhaps by another process."""
        ...

    def sweep_staged(self, *, before: float, keep: Collection[str] = ()) -> int:
        """Remove uploads that began before a moment, in seconds since 1970, and are not to be kept; count them."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...

    def release(self) -> None:
        """Remove what this process keeps of objects that it has read; call it when a run ends."""
        ...


def is_passed_over(name: str) -> bool:
    """Tell whether a name is never a document's: it is hidden, a lock, unfinished, or belongs to the system."""
    lowered = name.lower()
    return name.startswith(_HIDDEN) or lowered.endswith(_UNFINISHED) or lowered in _OF_THE_SYSTEM


def hides(key: str) -> bool:
    """Tell whether a listing leaves out a key because of the name of its file or of a folder above it."""
    return any(is_passed_over(segment) for segment in key.split("/") if segment not in {".", ".."})


def require_listed(key: str) -> None:
    """Refuse a key that a listing would leave out, or that is no path below the bucket.

    Raises:
        BadInput: such an object could be put, and would never be found.
    """
    if any(segment in {"", ".", ".."} for segment in key.split("/")) or "\0" in key:
        raise BadInput(f"{key!r}: a key never leads out of the bucket, and no folder of it is empty, `.` or `..`")
    if hides(key):
        raise BadInput(
            f"{key}: files of this name are passed over (hidden files, locks, names that end in "
            f"{', '.join(_UNFINISHED)}, Thumbs.db, desktop.ini); rename it"
        )


def taken(key: str) -> NameTaken:
    """Say that a name holds another version than the one that an upload was to replace."""
    return NameTaken(f"{key}: there is a file of this name already; ask for it to be replaced, or give another name")


def changed(key: str) -> str:
    """Say that an object is of another version than the one that is being read."""
    return f"{key}: the file changed while it was being read; materialise raw_files again"
