"""Walk the folders of a bucket in the order of its keys, and find the file of a key.

A walk reads the names of one folder at a time and asks the file system about each file that it yields, and about no
other: half of the time of a listing is that question. A folder sorts as its name with a slash behind it, because that
is how its files' keys go on. One key may stand for names that differ in Unicode's form: the composed one wins.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from ingest_assets.buckets.contract import is_passed_over
from ingest_assets.errors import OutsideError
from ingest_assets.file_ids import nfc
from ingest_assets.records import BucketObject, UnreadablePlace

GONE = {errno.ENOENT, errno.ENOTDIR}
# The name is too long, has letters that the disk cannot hold, or is a folder's or has a file above it.
NO_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EISDIR, errno.EEXIST, errno.ENOTDIR}


@dataclass(frozen=True, slots=True)
class WalkedFolder:
    """A folder of the walk."""

    path: str
    stored: str = ""
    """Beginning of the stored keys in it: empty, or with a slash at its end."""
    key: str = ""
    """The same in composed letters."""
    twins: tuple[Path, ...] = ()
    """Folders whose name differs only in Unicode's form, and whose files come before this one's of the same name."""


def walk(folder: WalkedFolder, after: str) -> Iterator[BucketObject | UnreadablePlace]:
    """Yield what is below a folder in the order of the stored keys."""
    place = folder.key[:-1]
    try:
        names = _names_in_order(folder.path)
    except OSError as error:
        if not place:
            raise OutsideError(reason_of(folder.path, error)) from error
        if error.errno not in GONE and folder.stored > after:
            yield UnreadablePlace(place, reason_of(place, error), stored_key=folder.stored)
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
                yield from walk(
                    WalkedFolder(f"{folder.path}/{name[:-1]}", stored, folder.key + nfc(name), twins), after
                )
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


def _twins(folder: WalkedFolder, name: str, others: dict[str, list[str]]) -> Iterator[Path]:
    """Yield the paths, of the same name in another form, that `paths_of` would find before this one."""
    composed = nfc(name)
    for twin in folder.twins:
        yield from (twin / other for other in _names(twin, composed))
    if name != composed:
        before = sorted(other for other in others[composed] if other < name)
        yield from (Path(folder.path, other) for other in [composed, *before])


def _file(folder: WalkedFolder, name: str, others: dict[str, list[str]]) -> Iterator[BucketObject | UnreadablePlace]:
    """Yield a file, or why it cannot be read; nothing for a link, a pipe, or a file that is gone meanwhile."""
    key, stored = folder.key + nfc(name), folder.stored + name
    try:
        found = os.lstat(f"{folder.path}/{name}")
    except OSError as error:
        if error.errno not in GONE:
            yield UnreadablePlace(key, reason_of(key, error), stored_key=stored)
        return
    if not S_ISREG(found.st_mode):
        return
    if (folder.twins or others) and any(_is_file(path) for path in _twins(folder, name, others)):
        reason = f"{key}: two files have this name, in two forms of Unicode; rename or remove one"
        yield UnreadablePlace(key, reason, stored_key=stored)
    else:
        yield object_of(key, stored, found)


def paths_of(folder: Path, segments: Sequence[str]) -> Iterator[Path]:
    """Yield the files below a folder that a key's segments name, the composed form first."""
    first, *rest = segments
    for name in _names(folder, first):
        if rest:
            yield from paths_of(folder / name, rest)
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
        return error.errno not in GONE and error.errno not in NO_NAME


def reason_of(place: str, error: OSError) -> str:
    """Say why a place cannot be read, and what to do."""
    if isinstance(error, PermissionError):
        return f"{place}: it may not be read: give the service's user the right to"
    return f"{place}: it cannot be read ({error.strerror}): see to the disk or the share it lies on"


def object_of(key: str, stored: str, stat: os.stat_result) -> BucketObject:
    """Describe a file by what the file system says of it; `stored` is its key as the disk has it."""
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
