"""An upload bucket's URL in, its objects out: list, stat, read, put, delete.

One protocol for every kind of bucket; a local folder is the first. Objects are named by keys below the bucket's prefix
(`user_id/project_id/filename`). A version changes whenever an object is written, also with the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ingest_assets.errors import BadInput, ConfigError
from ingest_assets.records import BucketObject

# Names that copying programs and editors give to a file that is not whole yet, or not meant for others.
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", ".swp", "~")
_HIDDEN = (".", "~$")  # "~$" begins the lock file that Office lays beside an open document
# What Windows and macOS write into every folder; none of them was uploaded by a person.
_OF_THE_SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin"}
_COPY_BYTES = 1 << 20


class Bucket(Protocol):
    """Where files arrive."""

    def list(self) -> Iterator[BucketObject]:
        """Yield every object, in no particular order; unfinished uploads and hidden files are not objects."""
        ...

    def stat(self, key: str) -> BucketObject | None:
        """Return what the bucket says of one object, None where there is none."""
        ...

    def local(self, key: str) -> AbstractContextManager[Path]:
        """Give the object's bytes as a file on this machine for as long as the context lasts.

        Raises:
            BadInput: the object is gone.
        """
        ...

    def put(self, key: str, source: Path) -> BucketObject:
        """Copy a file into the bucket; nobody ever sees half of it.

        Raises:
            BadInput: the bucket takes no object of this name.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...


def open_bucket(url: str) -> Bucket:
    """Open the bucket at a URL: a path or `file://` for now.

    Raises:
        ConfigError: the scheme is not known, or the folder cannot be made.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"", "file"}:
        raise ConfigError(f"INGEST_BUCKET: {parts.scheme}:// buckets are not supported yet; give a folder or file://")
    return FolderBucket(Path(unquote(parts.path) if parts.scheme else url))


class FolderBucket:
    """A folder of this machine as a bucket. Symbolic links are not followed: they could lead out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"INGEST_BUCKET: cannot make the folder {self._root}: {error.strerror}") from error

    def list(self) -> Iterator[BucketObject]:
        """Yield every regular file."""
        yield from self._walk(self._root, ())

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one file; what `list` leaves out is not there."""
        path = self._path(key)
        if _hides(key) or path.is_symlink() or not path.is_file():
            return None
        return _object(key, path.stat())

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give the file itself: a folder needs no copy."""
        path = self._path(key)
        if self.stat(key) is None:
            raise BadInput(f"{key}: it is no longer in the bucket; upload it again")
        yield path

    def put(self, key: str, source: Path) -> BucketObject:
        """Copy under a hidden name, flush to disk, then rename.

        Raises:
            BadInput: the bucket passes over files of this name.
        """
        if _hides(key):
            raise BadInput(
                f"{key}: files of this name are passed over (hidden files, locks, names that end in "
                f"{', '.join(_UNFINISHED)}, Thumbs.db, desktop.ini); rename it"
            )
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.parent / f".{os.getpid()}.upload"
        try:
            with source.open("rb") as read, unfinished.open("wb") as write:
                while block := read.read(_COPY_BYTES):
                    write.write(block)
                write.flush()
                os.fsync(write.fileno())
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return _object(key, target.stat())

    def delete(self, key: str) -> None:
        """Remove the file, and folders that it leaves empty."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the first folder that holds something, or is gone, ends it
            for folder in path.parents:
                if folder == self._root:
                    break
                folder.rmdir()

    def _walk(self, folder: Path, above: tuple[str, ...]) -> Iterator[BucketObject]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_passed_over(entry.name):
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._walk(folder / entry.name, (*above, entry.name))
                    elif entry.is_file(follow_symlinks=False):
                        yield _object("/".join((*above, entry.name)), entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # removed while the folder was being listed

    def _path(self, key: str) -> Path:
        path = self._root / key
        if ".." in path.parts or not path.is_relative_to(self._root):
            raise BadInput(f"{key!r}: a key never leads out of the bucket")
        return path


def is_passed_over(name: str) -> bool:
    """Tell whether files and folders of this name are never documents: hidden, a lock, unfinished, the system's own."""
    lowered = name.lower()
    return name.startswith(_HIDDEN) or lowered.endswith(_UNFINISHED) or lowered in _OF_THE_SYSTEM


def _hides(key: str) -> bool:
    return any(is_passed_over(segment) for segment in key.split("/"))


def _object(key: str, stat: os.stat_result) -> BucketObject:
    # The time of change (ctime) is the kernel's: unlike mtime no program sets it back, so `cp -p` over a file is a new
    # version, and a file that is being written is never at rest.
    version = f"{stat.st_size:x}-{stat.st_mtime_ns:x}-{stat.st_ctime_ns:x}-{stat.st_ino:x}"
    return BucketObject(key=key, size_bytes=stat.st_size, version=version, modified_at=stat.st_ctime)
