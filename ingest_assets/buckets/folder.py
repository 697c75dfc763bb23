"""Serve a folder of this machine as a bucket.

A listing walks the folders in the order of the keys, reads the names of one folder at a time and asks the file system
about each file that it yields, and about no other: half of the time of a listing is that question. A folder sorts as
its name with a slash behind it, because that is how its files' keys go on.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG
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
from ingest_assets.errors import BadInput, ConfigError, OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.local_files import locked
from ingest_assets.records import BucketObject, UnreadablePlace

_COPY_BYTES = 1 << 20
_GONE = {errno.ENOENT, errno.ENOTDIR}
# The name is too long, has letters that the disk cannot hold, or is a folder's or has a file above it.
_NO_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EISDIR, errno.EEXIST, errno.ENOTDIR}


class FolderBucket:
    """A folder of this machine as a bucket. Symbolic links are not followed: they could lead out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def is_whole_when_seen(self) -> bool:
        """A file is seen while it is being copied."""
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
        """Write the mark, whole, unless another process was faster: a store that took its id knows no other."""
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
        yield from _walk(_Folder(str(self._root)), after)

    def stat(self, key: str) -> BucketObject | None:
        """Return size, version and time of one file; what `list` leaves out is not there."""
        path = None if hides(key) else self._path(key)
        found = None if path is None else _stat(path, key)
        if path is None or found is None:
            self._require_volume()
            return None
        return _object(nfc(key), path.relative_to(self._root).as_posix(), found)

    @contextmanager
    def local(self, key: str, *, version: str = "") -> Iterator[Path]:
        """Give the file itself: a folder needs no copy. It can change while it is read; ask for its version then."""
        path, found = self._path(key), self.stat(key)
        if found is None or path is None:
            raise BadInput(f"{key}: it is no longer in the bucket; upload it again")
        if version and version != found.version:
            raise BadInput(changed(key))
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
            BadInput: the name is one that the bucket does not list, or that the file system cannot hold.
            OutsideError: the bucket is not there or cannot be written.
        """
        require_listed(key)
        self._require_volume()
        target = self._path(key) or self._root / nfc(key)
        with source.open("rb") as read, self._says(key):
            _copy(read, target)
        return _object(nfc(key), target.relative_to(self._root).as_posix(), target.stat())

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
        """Turn what the file system says of a writing into what a person can do."""
        try:
            yield
        except OSError as error:
            said = f"{what}: it cannot be put into {self._root} ({error.strerror})"
            if error.errno in _NO_NAME:
                raise BadInput(f"{said}; rename it") from error
            raise OutsideError(f"{said}; is the disk full, may it be written?") from error

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

    def _path(self, key: str) -> Path | None:
        """Find the file of a key, in whatever form of Unicode its name and its folders' names are."""
        segments = nfc(key).split("/")
        if any(segment in {"", ".", ".."} for segment in segments) or "\0" in key:
            raise BadInput(f"{key!r}: a key never leads out of the bucket, and no folder of it is empty, `.` or `..`")
        return next(_paths(self._root, segments), None)


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


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of the walk."""

    path: str
    stored: str = ""
    """Beginning of the stored keys in it: empty, or with a slash at its end."""
    key: str = ""
    """The same in composed letters."""
    twins: tuple[Path, ...] = ()
    """Folders whose name differs only in Unicode's form, and whose files come before this one's of the same name."""


def _walk(folder: _Folder, after: str) -> Iterator[BucketObject | UnreadablePlace]:
    """Yield what is below a folder in the order of the stored keys."""
    place = folder.key[:-1]
    try:
        names = _names_in_order(folder.path)
    except OSError as error:
        if not place:
            raise OutsideError(_reason(folder.path, error)) from error
        if error.errno not in _GONE and folder.stored > after:
            yield UnreadablePlace(place, _reason(place, error), stored_key=folder.stored)
        return
    if not names and folder.key.count("/") == 1 and folder.stored > after:
        reason = f"{place}: the folder is empty; is its share mounted? Its files are kept; if they are meant to be "
        yield UnreadablePlace(place, reason + "gone, remove the folder too", is_empty=True, stored_key=folder.stored)
    others = _decomposed(names)
    for name in names:
        stored = folder.stored + name
        if not name.isascii() and _is_no_text(name):
            shown = os.fsencode(stored).decode(errors="replace")
            if shown > after:
                reason = f"{shown}: the name is not valid UTF-8; rename it"
                yield UnreadablePlace(nfc(shown).rstrip("/"), reason, stored_key=shown)
            continue
        if name.endswith("/"):
            if stored > after or after.startswith(stored):  # otherwise all its keys come before `after`
                twins = tuple(_twins(folder, name[:-1], others))
                yield from _walk(_Folder(f"{folder.path}/{name[:-1]}", stored, folder.key + nfc(name), twins), after)
        elif stored > after:
            yield from _file(folder, name, others)


def _is_no_text(name: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def _names_in_order(folder: str) -> list[str]:
    """Return the names in a folder, sorted, with a slash behind those of folders."""
    with os.scandir(folder) as found:
        return sorted(
            f"{entry.name}/" if _is_folder(entry) else entry.name for entry in found if not is_passed_over(entry.name)
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # it cannot be examined; `_file` says so
        return False


def _decomposed(names: Sequence[str]) -> dict[str, list[str]]:
    """Map composed names to the other forms of them that are there; mostly there are none."""
    found: dict[str, list[str]] = {}
    for name in names:
        if not name.isascii() and (composed := nfc(name)) != name:
            found.setdefault(composed.rstrip("/"), []).append(name.rstrip("/"))
    return found


def _twins(folder: _Folder, name: str, others: dict[str, list[str]]) -> Iterator[Path]:
    """Yield the paths, of the same name in another form, that `_paths` would find before this one."""
    composed = nfc(name)
    for twin in folder.twins:
        yield from (twin / other for other in _names(twin, composed))
    if name != composed:
        before = sorted(other for other in others[composed] if other < name)
        yield from (Path(folder.path, other) for other in [composed, *before])


def _file(folder: _Folder, name: str, others: dict[str, list[str]]) -> Iterator[BucketObject | UnreadablePlace]:
    """Yield a file, or why it cannot be read; nothing for a link, a pipe, or a file that is gone meanwhile."""
    key, stored = folder.key + nfc(name), folder.stored + name
    try:
        found = os.lstat(f"{folder.path}/{name}")
    except OSError as error:
        if error.errno not in _GONE:
            yield UnreadablePlace(key, _reason(key, error), stored_key=stored)
        return
    if not S_ISREG(found.st_mode):
        return
    if (folder.twins or others) and any(_is_file(path) for path in _twins(folder, name, others)):
        reason = f"{key}: two files have this name, in two forms of Unicode; rename or remove one"
        yield UnreadablePlace(key, reason, stored_key=stored)
    else:
        yield _object(key, stored, found)


def _paths(folder: Path, segments: list[str]) -> Iterator[Path]:
    """Yield the files below a folder that a key's segments name, the composed form first."""
    first, *rest = segments
    for name in _names(folder, first):
        if rest:
            yield from _paths(folder / name, rest)
        elif _is_file(folder / name):
            yield folder / name


def _names(folder: Path, name: str) -> Iterator[str]:
    """Yield the composed name, then the names in the folder that are other forms of it."""
    yield name
    if not name.isascii():
        with suppress(OSError):
            others = (path.name for path in folder.iterdir())
            yield from sorted(other for other in others if other != name and nfc(other) == name)


def _is_file(path: Path) -> bool:
    """Tell whether there is anything but a folder at a path; True if it cannot be examined."""
    try:
        return not S_ISDIR(path.lstat().st_mode)
    except OSError as error:
        return error.errno not in _GONE and error.errno not in _NO_NAME


def _stat(path: Path, key: str) -> os.stat_result | None:
    try:
        found = path.lstat()
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise OutsideError(_reason(key, error)) from error
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


def _reason(place: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{place}: it may not be read: give the service's user the right to"
    return f"{place}: it cannot be read ({error.strerror}): see to the disk or the share it lies on"


def _object(key: str, stored: str, stat: os.stat_result) -> BucketObject:
    # The time of change (ctime) is the kernel's: unlike mtime no program sets it back, so `cp -p` over a file is a new
    # version, and a file that is being written is never at rest.
    version = f"{stat.st_size:x}-{stat.st_mtime_ns:x}-{stat.st_ctime_ns:x}-{stat.st_ino:x}"
    return BucketObject(
        key=key,
        size_bytes=stat.st_size,
        version=version,
        modified_at=stat.st_ctime,
        stored_key="" if stored == key else stored,
    )
