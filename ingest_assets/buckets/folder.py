"""Serve a folder of this machine as a bucket: mark it, list it, read, put and remove its files.

`folder_walk.py` decides what is listed, and in which order.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from ingest_assets.buckets.contract import (
    MARK,
    STAGING,
    StagedObject,
    changed,
    hides,
    is_passed_over,
    require_listed,
    taken,
)
from ingest_assets.buckets.folder_walk import GONE, NO_NAME, WalkedFolder, object_of, paths_of, reason_of, walk
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.local_files import locked
from ingest_assets.records import BucketObject, UnreadablePlace

_COPY_BYTES = 1 << 20


class FolderBucket:
    """A folder of this machine as a bucket. Symbolic links are not followed: they could lead out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def is_whole_when_seen(self) -> bool:
        """False: a file is seen while it is being copied."""
        return False

    def prepare(self) -> None:
        """Make the folder and write a random id into its mark; a folder that may not be written stays unmarked."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"INGEST_BUCKET: cannot make the folder {self._root}: {error.strerror}") from error
        if self.identity():
            return
        with suppress(OSError):
            self._mark()

    def _mark(self) -> None:
        """Write the mark in one step. One that another process wrote first stays: a store may know its id already."""
        mark, written = self._root / MARK, self._root / f"{MARK}.{secrets.token_hex(4)}.tmp"
        try:
            written.write_text(secrets.token_hex(8) + "\n", encoding="ascii")
            try:
                os.link(written, mark)
            except OSError:  # it is there, or this kind of volume has no hard links
                if not mark.exists() or not mark.stat().st_size:
                    written.replace(mark)
        finally:
            written.unlink(missing_ok=True)

    def identity(self) -> str:
        """Return the id in the mark."""
        self._require_root()
        try:
            return (self._root / MARK).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def list(self, *, after: str = "") -> Iterator[BucketObject | UnreadablePlace]:
        """Yield every regular file, and each folder or file that cannot be read."""
        self._require_root()
        yield from walk(WalkedFolder(str(self._root)), after)

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one file; None for a file that `list` leaves out."""
        path = None if hides(key) else self._path(key)
        found = None if path is None else _stat(path, key)
        if path is None or found is None:
            self._require_volume()
            return None
        return object_of(nfc(key), path.relative_to(self._root).as_posix(), found)

    @contextmanager
    def local(self, key: str, *, version: str = "") -> Iterator[Path]:
        """Give the file itself, because a folder needs no copy. Compare the version afterwards: the file can change."""
        path, found = self._path(key), self.stat(key)
        if found is None or path is None:
            raise BadInput(f"{key}: it is no longer in the bucket; upload it again")
        if version and version != found.version:
            raise BadInput(changed(key))
        try:
            path.open("rb").close()
        except PermissionError as error:
            raise BadInput(reason_of(key, error)) from error
        except OSError as error:
            raise OutsideError(reason_of(key, error)) from error
        yield path

    def put(self, key: str, source: Path) -> BucketObject:
        """Copy under a hidden name, flush to disk, then rename.

        Raises:
            BadInput: the name is one that the bucket does not list, or that the file system cannot hold.
            OutsideError: the bucket is not there or cannot be written.
        """
        require_listed(key)
        self._require_volume()
        target = self._path(key) or self._root / nfc(key)
        with source.open("rb") as read, self._says(key):
            _copy(read, target)
        return object_of(nfc(key), target.relative_to(self._root).as_posix(), target.stat())

    def stage(self) -> StagedObject:
        """Begin a file in the hidden folder of uploads."""
        self._require_volume()
        name = secrets.token_hex(16)
        path = self._root / STAGING / name
        with self._says("an upload"):
            path.parent.mkdir(exist_ok=True)
            return _StagedFile(name, self, path, path.open("xb"))

    def staged(self, name: str) -> StagedObject:
        """Give a file of the hidden folder."""
        return _StagedFile(name, self, self._root / STAGING / name)

    def sweep_staged(self, *, before: float, keep: Collection[str] = ()) -> int:
        """Remove the files that were last written before the moment."""
        self._require_root()
        removed = 0
        for path in (self._root / STAGING).glob("[!.]*"):
            with suppress(FileNotFoundError):
                if path.name not in keep and path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed

    def publish_staged(self, staged: Path, key: str, *, over: str) -> BucketObject:
        """Rename a file of the hidden folder; uploads do it one after the other, so none takes another's name."""
        require_listed(key)
        self._require_volume()
        with self._says(key), locked(self._root / STAGING / ".lock"):
            found = self.stat(key)
            if staged.exists():
                if (found.version if found else "") != over:
                    raise taken(key)
                target = self._path(key) or self._root / nfc(key)
                target.parent.mkdir(parents=True, exist_ok=True)
                _move(staged, target)
                found = self.stat(key)
        if found is None:
            raise BadInput(f"{key}: it was uploaded and is gone; upload it again")
        return found

    def delete(self, key: str) -> None:
        """Remove the file, and folders that it leaves empty."""
        path = self._path(key)
        if path is None:
            return
        path.unlink(missing_ok=True)
        with suppress(OSError):  # rmdir fails at the first folder that is not empty or is gone
            for folder in path.parents:
                if folder == self._root:
                    break
                folder.rmdir()

    def release(self) -> None:
        """Do nothing: files are read where they lie."""

    @contextmanager
    def _says(self, what: str) -> Iterator[None]:
        """Turn an error of writing into a message that says what a person can do."""
        try:
            yield
        except OSError as error:
            message = f"{what}: it cannot be put into {self._root} ({error.strerror})"
            if error.errno in NO_NAME:
                raise BadInput(f"{message}; rename it") from error
            raise OutsideError(f"{message}; is the disk full, may it be written?") from error

    def _require_root(self) -> None:
        try:
            is_there = self._root.is_dir()
        except OSError as error:
            raise OutsideError(reason_of(str(self._root), error)) from error
        if not is_there:
            raise OutsideError(
                f"the bucket {self._root} is not there: nothing is removed for it. Mount it, or name another in "
                "INGEST_BUCKET; `ingest prepare` makes the first one, `ingest prepare --take-over` a new, empty one"
            )

    def _require_volume(self) -> None:
        """Raise OutsideError if the folder is empty and has no mark: its volume may not be mounted."""
        if not self.identity() and all(is_passed_over(path.name) for path in self._root.iterdir()):
            raise OutsideError(
                f"the bucket {self._root} is empty and has no mark of `ingest prepare`: is its volume mounted? "
                "Nothing is removed for it; if it is meant to be empty, run `ingest prepare --take-over`"
            )

    def _path(self, key: str) -> Path | None:
        """Find the file of a key, in whatever form of Unicode its name and its folders' names are."""
        segments = nfc(key).split("/")
        if any(segment in {"", ".", ".."} for segment in segments) or "\0" in key:
            raise BadInput(f"{key!r}: a key never leads out of the bucket, and no folder of it is empty, `.` or `..`")
        return next(paths_of(self._root, segments), None)


@dataclass(slots=True)
class _StagedFile:
    """A file in the hidden folder of uploads."""

    name: str
    _bucket: FolderBucket = field(repr=False)
    _path: Path
    _file: BinaryIO | None = field(default=None, repr=False)

    def write(self, data: bytes) -> None:
        assert self._file is not None, "it is finished"
        with self._bucket._says("an upload"):
            self._file.write(data)

    def finish(self) -> None:
        assert self._file is not None, "it is finished"
        with self._bucket._says("an upload"), self._file as file:
            file.flush()
            os.fsync(file.fileno())
        self._file = None

    def publish(self, key: str, *, over: str = "") -> BucketObject:
        return self._bucket.publish_staged(self._path, key, over=over)

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)


def _stat(path: Path, key: str) -> os.stat_result | None:
    try:
        found = path.lstat()
    except OSError as error:
        if error.errno in GONE:
            return None
        raise OutsideError(reason_of(key, error)) from error
    return found if S_ISREG(found.st_mode) else None


def _copy(source: BinaryIO, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.parent / f".{os.getpid()}.upload"
    try:
        with unfinished.open("wb") as write:
            shutil.copyfileobj(source, write, _COPY_BYTES)
            write.flush()
            os.fsync(write.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _move(staged: Path, target: Path) -> None:
    """Rename a file; where the target lies on another volume, such as a share of one project, copy it there first."""
    try:
        staged.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with staged.open("rb") as read:
            _copy(read, target)
        staged.unlink()
