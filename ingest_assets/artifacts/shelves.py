"""Keep small files under names with slashes, on a folder or below a prefix of an object store.

Artifacts need little of the place where they lie: files that are replaced as a whole, read as a whole, listed and
removed. A folder does it by a temporary name and a rename, an object store by itself, so artifacts have one way of
writing on both: slices first, the manifest last.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest_assets.artifacts.slices import write_whole
from ingest_assets.buckets.object_store import ObjectStore


@dataclass(frozen=True, slots=True)
class ShelfFile:
    """A file on a shelf."""

    name: str
    """Its name on this shelf, with slashes."""
    modified_at: float
    """Seconds since the epoch."""


class Shelf(Protocol):
    """A place for files. Every call raises OutsideError if the place fails."""

    @property
    def place(self) -> str:
        """The path or URL, for messages."""
        ...

    def at(self, name: str) -> Shelf:
        """Return the part of this shelf whose names begin with this one and a slash."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None if there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file so that readers see all of it or nothing."""
        ...

    def note(self, name: str, text: str) -> None:
        """Write a short text that may be lost with the power of the machine."""
        ...

    def names(self) -> list[str]:
        """Return the names without a slash, sorted."""
        ...

    def files(self) -> list[ShelfFile]:
        """Return all files, in the order of their names."""
        ...

    def parts(self) -> list[str]:
        """Return the first segments of the names that have several, without hidden ones, sorted."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def clear(self) -> None:
        """Remove all files."""
        ...


class FolderShelf:
    """Files in a folder, which is made with the first of them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        """The folder's path."""
        return str(self._root)

    def at(self, name: str) -> FolderShelf:
        """Return the shelf of a folder in this one."""
        return FolderShelf(self._root / name)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write under a temporary name, flush to disk, rename."""
        write_whole(self._root / name, data)

    def note(self, name: str, text: str) -> None:
        """Write in place: it costs no flush to the disk, and is read after the death of a process only."""
        (self._root / name).write_text(text)

    def names(self) -> list[str]:
        """Return the names of the files in the folder itself."""
        return sorted(path.name for path in self._root.glob("[!.]*") if not path.is_dir())

    def files(self) -> list[ShelfFile]:
        """Return all files but those that are being written."""
        found = (path for path in self._root.rglob("*") if not path.name.startswith(".") and path.is_file())
        names = ((path.relative_to(self._root).as_posix(), path.stat().st_mtime) for path in found)
        return [ShelfFile(name, modified_at) for name, modified_at in sorted(names)]

    def parts(self) -> list[str]:
        """Return the names of the folders in this one."""
        return sorted(path.name for path in self._root.glob("[!.]*") if path.is_dir())

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self._root / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._root, ignore_errors=True)


class ObjectShelf:
    """Objects below a prefix of S3 or Google Cloud Storage."""

    def __init__(self, objects: ObjectStore, beginning: str = "") -> None:
        """Take the store, and the beginning of all names: empty, or with a slash at its end."""
        self._objects, self._beginning = objects, beginning

    @property
    def place(self) -> str:
        """The URL of the prefix."""
        return f"{self._objects.place}/{self._beginning}".rstrip("/")

    def at(self, name: str) -> ObjectShelf:
        """Return the shelf of a longer prefix."""
        return ObjectShelf(self._objects, f"{self._beginning}{name}/")

    def read(self, name: str) -> bytes | None:
        """Return an object's bytes."""
        return self._objects.read(self._beginning + name)

    def write(self, name: str, data: bytes) -> None:
        """Write an object; it is whole when it is seen."""
        self._objects.write(self._beginning + name, data)

    def note(self, name: str, text: str) -> None:
        """Write an object: another host may have to read it."""
        self.write(name, text.encode())

    def names(self) -> list[str]:
        """Return the names without a slash; what lies deeper, such as many pictures, is not listed for it."""
        return [name for name, is_deeper in self._segments() if not is_deeper]

    def files(self) -> list[ShelfFile]:
        """Return all objects, a request for each thousand."""
        found = self._objects.list(beginning=self._beginning)
        return [ShelfFile(each.name.removeprefix(self._beginning), each.modified_at) for each in found]

    def parts(self) -> list[str]:
        """Return the first segments of names that have several."""
        return [name for name, is_deeper in self._segments() if is_deeper and not name.startswith(".")]

    def _segments(self) -> Iterator[tuple[str, bool]]:
        """Yield the first segments of the names, and whether names go on behind them.

        Behind the first name with a slash the listing begins anew, with the last name that its segment can have.
        """
        after: str | None = ""
        while after is not None:
            found, after = self._objects.list(beginning=self._beginning, after=after), None
            for each in found:
                segment, slash, _ = each.name.removeprefix(self._beginning).partition("/")
                yield segment, bool(slash)
                if slash:
                    after = f"{self._beginning}{segment}/\U0010ffff"
                    break

    def remove(self, name: str) -> None:
        """Remove an object."""
        self._objects.delete([self._beginning + name])

    def clear(self) -> None:
        """Remove all objects."""
        self._objects.delete([self._beginning + file.name for file in self.files()])
