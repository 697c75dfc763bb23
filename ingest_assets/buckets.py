"""List, read and write the files of the upload bucket.

One protocol serves every kind of bucket; a local folder is the first. Objects are named by keys below the bucket's
prefix (`user_id/project_id/filename`), in Unicode's composed form (NFC), also if the file system holds another form: a
Mac stores `Geschäft` with other characters than those that people type. A version changes whenever an object is
written, also with the same bytes.

A bucket that is not there must never look like an empty one, because what is missing from the bucket is removed from
the store. So only `prepare` makes the folder, and it leaves a mark in it that an empty mount point does not have.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from stat import S_ISREG
from typing import Protocol
from urllib.parse import unquote, urlsplit

from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.records import BucketObject, UnreadablePlace

# Names that copying programs and editors give to a file that is not whole yet, or not meant for others.
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", ".swp", "~")
_HIDDEN = (".", "~$")  # "~$" begins the lock file that Office lays beside an open document
# What Windows, macOS and file servers write into every folder; none of them was uploaded by a person.
_OF_THE_SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir"}
_COPY_BYTES = 1 << 20
_MARK = ".ingest-bucket"
_GONE = {errno.ENOENT, errno.ENOTDIR}


class Bucket(Protocol):
    """Where files arrive."""

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

    def list(self) -> Iterator[BucketObject | UnreadablePlace]:
        """Yield every object and every place that cannot be read, in no particular order.

        Files that `is_passed_over` names are not objects.

        Raises:
            OutsideError: the bucket is not there, or may not be read at all.
        """
        ...

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one object; None if there is none.

        Raises:
            OutsideError: the bucket is not there, or the place cannot be read.
        """
        ...

    def local(self, key: str) -> AbstractContextManager[Path]:
        """Give the object's bytes as a file on this machine for as long as the context lasts.

        Raises:
            BadInput: the object is gone, or may not be read.
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

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...


def open_bucket(url: str) -> Bucket:
    """Open the bucket at a URL: a path or `file://` for now.

    Raises:
        ConfigError: the scheme is not known.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"", "file"}:
        raise ConfigError(f"INGEST_BUCKET: {parts.scheme}:// buckets are not supported yet; give a folder or file://")
    return FolderBucket(Path(unquote(parts.path) if parts.scheme else url))


def is_passed_over(name: str) -> bool:
    """Tell whether a name is never a document's: it is hidden, a lock, unfinished, or belongs to the system."""
    lowered = name.lower()
    return name.startswith(_HIDDEN) or lowered.endswith(_UNFINISHED) or lowered in _OF_THE_SYSTEM


class FolderBucket:
    """A folder of this machine as a bucket. Symbolic links are not followed: they could lead out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

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
        """Write the mark, whole, unless another process was faster: a store that took its id knows no other."""
        mark, written = self._root / _MARK, self._root / f"{_MARK}.{secrets.token_hex(4)}.tmp"
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
            return (self._root / _MARK).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def list(self) -> Iterator[BucketObject | UnreadablePlace]:
        """Yield every regular file, and each folder or file that cannot be read."""
        self._require_root()
        yield from self._walk([self._root], ())

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one file; what `list` leaves out is not there."""
        path = self._path(key)
        found = None if _hides(key) or path is None else _stat(path, key)
        if found is None:
            self._require_volume()
        return found

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """Give the file itself: a folder needs no copy."""
        path = self._path(key)
        if self.stat(key) is None or path is None:
            raise BadInput(f"{key}: it is no longer in the bucket; upload it again")
        try:
            path.open("rb").close()
        except PermissionError as error:
            raise BadInput(_reason(key, error)) from error
        except OSError as error:
            raise OutsideError(_reason(key, error)) from error
        yield path

    def put(self, key: str, source: Path) -> BucketObject:
        """Copy under a hidden name, flush to disk, then rename.

        Raises:
            BadInput: the name is one that the bucket does not list.
        """
        if _hides(key):
            raise BadInput(
                f"{key}: files of this name are passed over (hidden files, locks, names that end in "
                f"{', '.join(_UNFINISHED)}, Thumbs.db, desktop.ini); rename it"
            )
        self._require_volume()
        target = self._path(key) or self._root / nfc(key)
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
        return _object(nfc(key), target.stat())

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

    def _require_root(self) -> None:
        try:
            is_there = self._root.is_dir()
        except OSError as error:
            raise OutsideError(_reason(str(self._root), error)) from error
        if not is_there:
            raise OutsideError(
                f"the bucket {self._root} is not there: nothing is removed for it. Mount it, or name another in "
                "INGEST_BUCKET; `ingest prepare` makes the first one, `ingest prepare --take-over` a new, empty one"
            )

    def _require_volume(self) -> None:
        """Raise if the folder is empty and has no mark: its volume may not be mounted; no file is gone or put there."""
        if not self.identity() and all(is_passed_over(path.name) for path in self._root.iterdir()):
            raise OutsideError(
                f"the bucket {self._root} is empty and has no mark of `ingest prepare`: is its volume mounted? "
                "Nothing is removed for it; if it is meant to be empty, run `ingest prepare --take-over`"
            )

    def _walk(self, folders: Iterable[Path], above: tuple[str, ...]) -> Iterator[BucketObject | UnreadablePlace]:
        """Yield what is in a folder; `folders` are several if their names differ only in Unicode's form."""
        key = "/".join(above)
        entries: list[os.DirEntry[str]] = []
        is_read = True
        for folder in folders:
            try:
                with os.scandir(folder) as found:
                    entries += (entry for entry in found if not is_passed_over(entry.name))
            except OSError as error:
                if not above:
                    raise OutsideError(_reason(str(self._root), error)) from error
                is_read = False
                if error.errno not in _GONE:
                    yield UnreadablePlace(key, _reason(key, error))
        if len(above) == 1 and is_read and not entries:
            reason = f"{key}: the folder is empty; is its share mounted? Its files are kept; if they are meant to be "
            yield UnreadablePlace(key, reason + "gone, remove the folder too", is_empty=True)
        # In one folder the composed form comes first; `_path` chooses in the same order.
        entries.sort(key=lambda entry: (nfc(entry.name), entry.name != nfc(entry.name), entry.name))
        for name, same in groupby(entries, key=lambda entry: nfc(entry.name)):
            yield from self._entries(list(same), (*above, name))

    def _entries(
        self, entries: Sequence[os.DirEntry[str]], place: tuple[str, ...]
    ) -> Iterator[BucketObject | UnreadablePlace]:
        """Yield the file, and the contents of the folders, that share a name."""
        key, below, taken = "/".join(place), [], False
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False) and taken:
                    reason = f"{key}: two files have this name, in two forms of Unicode; rename or remove one"
                    yield UnreadablePlace(key, reason)
                elif entry.is_file(follow_symlinks=False):
                    yield _object(key, entry.stat(follow_symlinks=False))
                    taken = True
            except OSError as error:
                if error.errno not in _GONE:  # these mean: removed while the folder was listed
                    yield UnreadablePlace(key, _reason(key, error))
        if below:
            yield from self._walk(below, place)

    def _path(self, key: str) -> Path | None:
        """Find the file of a key, in whatever form of Unicode its name and its folders' names are."""
        path = self._root / key
        if ".." in path.parts or not path.is_relative_to(self._root):
            raise BadInput(f"{key!r}: a key never leads out of the bucket")
        return next(_paths(self._root, nfc(key).split("/")), None)


def _paths(folder: Path, segments: list[str]) -> Iterator[Path]:
    """Yield the paths below a folder that a key's segments name, the composed form first."""
    first, *rest = segments
    for name in _names(folder, first):
        if rest:
            yield from _paths(folder / name, rest)
        elif _exists(folder / name):
            yield folder / name


def _names(folder: Path, name: str) -> Iterator[str]:
    """Yield the composed name, then the names in the folder that are other forms of it."""
    yield name
    if not name.isascii():
        with suppress(OSError):
            others = (path.name for path in folder.iterdir())
            yield from sorted(other for other in others if other != name and nfc(other) == name)


def _exists(path: Path) -> bool:
    """Tell whether there is anything at a path; True if it cannot be examined, because a file may be there."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno not in _GONE
    return True


def _stat(path: Path, key: str) -> BucketObject | None:
    try:
        found = path.lstat()
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise OutsideError(_reason(key, error)) from error
    return _object(nfc(key), found) if S_ISREG(found.st_mode) else None


def _reason(place: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{place}: it may not be read: give the service's user the right to"
    return f"{place}: it cannot be read ({error.strerror}): see to the disk or the share it lies on"


def _hides(key: str) -> bool:
    return any(is_passed_over(segment) for segment in key.split("/"))


def _object(key: str, stat: os.stat_result) -> BucketObject:
    # The time of change (ctime) is the kernel's: unlike mtime no program sets it back, so `cp -p` over a file is a new
    # version, and a file that is being written is never at rest.
    version = f"{stat.st_size:x}-{stat.st_mtime_ns:x}-{stat.st_ctime_ns:x}-{stat.st_ino:x}"
    return BucketObject(key=key, size_bytes=stat.st_size, version=version, modified_at=stat.st_ctime)
