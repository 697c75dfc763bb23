"""Remember which texts were seen before, by hash and group; on disk, so that a million texts take no memory."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from types import TracebackType


class SeenTexts:
    """A set of texts in a file of its own."""

    def __init__(self, path: Path) -> None:
        self._rows = sqlite3.connect(path, isolation_level=None)
        # The file is not needed after a crash.
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute("CREATE TABLE seen (hash BLOB PRIMARY KEY) WITHOUT ROWID")

    def seen(self, group: str, text_sha256: str) -> bool:
        """Tell whether a text was seen before in its group, and remember it."""
        key = hashlib.sha256(f"{group}\0{text_sha256}".encode()).digest()[:16]
        return self._rows.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 0

    def __enter__(self) -> SeenTexts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rows.close()
