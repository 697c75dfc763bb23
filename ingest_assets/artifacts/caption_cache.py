"""Remember the captions of pictures by their hash, so that equal pictures are captioned once for all files and users.

    ROOT/.captions.sqlite    readings: a caption per picture, models and way of looking; holders: the files that show it

Only a file that holds a picture's bytes can ask by their hash, so nothing leaks from one user to another. A caption is
removed with the last file that shows its picture: when a file is purged, no longer shows it, or was captioned by other
models, it no longer counts. So the cache is never larger than the files' own captions. A lost or damaged cache costs
only work: an empty one takes its place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

import msgspec

from ingest_assets.errors import OutsideError
from ingest_assets.records import Caption, Picture

_NAME = ".captions.sqlite"
_WAIT_S = 30.0  # for another process's transaction; each takes milliseconds

_TABLES = """
CREATE TABLE IF NOT EXISTS readings (picture TEXT, kind TEXT, row BLOB, PRIMARY KEY (picture, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holders (
    file TEXT, picture TEXT, kind TEXT, PRIMARY KEY (file, picture, kind)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holders_of ON holders (picture, kind);
"""


class CaptionCache:
    """The cache, opened for one file. Use a `with` block; it costs nothing until the first picture."""

    def __init__(self, root: Path, file_id: str, *, model: str = "") -> None:
        """Open the cache in an artifacts' folder for a file; `model` names everything that decides the captions."""
        self._path, self._file, self._model = root / _NAME, file_id, model
        self._shown: set[tuple[str, str]] = set()
        self._opened: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def noting(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """Yield the pictures unchanged, and remember that the file shows them."""
        for picture in pictures:
            self._shown.add((picture.sha256, self._kind(picture)))
            yield picture

    def find(self, picture: Picture) -> Caption | None:
        """Return the caption that these models gave a picture of the same bytes before; None if there is none.

        Raises:
            OutsideError: the disk is full or cannot be written.
        """
        key = (picture.sha256, self._kind(picture))
        with self._writing() as rows:
            found = rows.execute("SELECT row FROM readings WHERE picture = ? AND kind = ?", key).fetchone()
            if found is None:
                return None
            rows.execute("INSERT OR IGNORE INTO holders VALUES (?, ?, ?)", (self._file, *key))
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(found[0], type=Caption)
        return None

    def keep(self, picture: Picture, caption: Caption) -> None:
        """Keep the caption of a picture.

        Raises:
            OutsideError: the disk is full or cannot be written.
        """
        key = (picture.sha256, self._kind(picture))
        with self._writing() as rows:
            rows.execute("INSERT OR REPLACE INTO readings VALUES (?, ?, ?)", (*key, msgspec.json.encode(caption)))
            rows.execute("INSERT OR IGNORE INTO holders VALUES (?, ?, ?)", (self._file, *key))

    def settle(self) -> None:
        """Remove captions of pictures that the file no longer shows; call it after all its pictures passed `noting`.

        Raises:
            OutsideError: the disk is full or cannot be written.
        """
        if not self._path.exists():
            return
        with self._writing() as rows:
            held = rows.execute("SELECT picture, kind FROM holders WHERE file = ?", (self._file,)).fetchall()
            gone = [key for key in held if key not in self._shown]
            rows.executemany("DELETE FROM holders WHERE file = ? AND picture = ? AND kind = ?", _with(self._file, gone))
            rows.executemany(
                "DELETE FROM readings WHERE picture = ?1 AND kind = ?2 AND NOT EXISTS "
                "(SELECT 1 FROM holders WHERE picture = ?1 AND kind = ?2)",
                gone,
            )

    def _kind(self, picture: Picture) -> str:
        return f"{self._model} {int(picture.is_page)}{int(picture.has_text_layer)}"

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Run the block in one transaction."""
        try:
            rows = self._opened = self._opened or self._open()
            with rows:
                rows.execute("BEGIN IMMEDIATE")
                yield rows
        except sqlite3.DatabaseError as error:
            self._close()
            if not isinstance(error, sqlite3.OperationalError):
                self._path.unlink(missing_ok=True)
            raise OutsideError(f"{self._path}: {error}; is the disk full? The file may be removed") from error

    def _open(self) -> sqlite3.Connection:
        """Open the database, or replace it by an empty one if it is damaged."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._prepared()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._path.unlink()
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        rows = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        try:
            rows.executescript(_TABLES)
        except sqlite3.DatabaseError:
            rows.close()
            raise
        return rows

    def _close(self) -> None:
        if self._opened is not None:
            with closing(self._opened):
                self._opened = None


def _with(file_id: str, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(file_id, *key) for key in keys]
