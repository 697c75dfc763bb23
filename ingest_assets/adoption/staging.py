"""Gather the rows of an earlier system by document, in a file beside the instance.

A source gives rows in its own order. A document has to be written whole, with its chunks in their order, and the memory
must not grow with the source. So the rows go into a temporary SQLite file first, 3 kB a row, and are read from it
document by document. A row is kept as the line that `ingest put-chunks` would read, so that both refuse the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest_assets.adoption.found import FoundFile, FoundRow
from ingest_assets.local_files import locked
from ingest_assets.stages.client_chunks import ClientChunk, Refused, client_chunks

if TYPE_CHECKING:
    from ingest_assets.records import Vector

_TABLES = """
CREATE TABLE row (
    number INTEGER PRIMARY KEY, user TEXT, project TEXT, name TEXT, place INTEGER, line BLOB, vector BLOB
);
CREATE TABLE file (user TEXT, project TEXT, name TEXT, summary TEXT, PRIMARY KEY (user, project, name));
"""
_ID_CHARS = 240
"""Of a chunk's id; 256 are possible, and equal ids of a document get a number behind them."""


@dataclass(frozen=True, slots=True)
class StagedDocument:
    """A document that was found."""

    user_id: str
    project_id: str
    name: str
    rows: int
    summary: str = ""

    @property
    def key(self) -> str:
        """Name it as `ingest chunks` takes it."""
        return f"{self.user_id}/{self.project_id}//{self.name}"


@dataclass(frozen=True, slots=True)
class StagedChunk:
    """A chunk of a document, and its vector of norm 1 if there was one."""

    chunk: ClientChunk
    vector: Vector | None


class Staging:
    """Rows of an earlier system, by document."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, found: Iterable[FoundRow | FoundFile], *, user_id: str = "", project_id: str = "") -> None:
        """Take rows; user and project stand in where a row names none."""
        for each in found:
            owner = (each.user_id or user_id, each.project_id or project_id, each.name)
            if isinstance(each, FoundFile):
                self._connection.execute("INSERT OR IGNORE INTO file VALUES (?, ?, ?, ?)", (*owner, each.summary))
            else:
                vector = None if each.vector is None else each.vector.tobytes()
                self._connection.execute(
                    "INSERT INTO row (user, project, name, place, line, vector) VALUES (?, ?, ?, ?, ?, ?)",
                    (*owner, each.index, _line(each), vector),
                )
        self._connection.execute("CREATE INDEX IF NOT EXISTS document ON row (user, project, name, place, number)")

    def documents(self) -> list[StagedDocument]:
        """List what was found, by owner and name; files without a row are among them."""
        found = self._connection.execute(
            "SELECT user, project, name, sum(rows), max(summary) FROM ("
            " SELECT user, project, name, count(*) AS rows, '' AS summary FROM row GROUP BY user, project, name"
            " UNION ALL SELECT user, project, name, 0, summary FROM file)"
            " GROUP BY user, project, name ORDER BY user, project, name"
        )
        return [StagedDocument(*row) for row in found]

    def chunks(self, document: StagedDocument) -> Iterator[StagedChunk | Refused]:
        """Yield a document's chunks in their order; a row that no store can keep comes as a refusal."""
        import numpy as np

        rows = self._connection.execute(
            "SELECT line, vector FROM row WHERE user = ? AND project = ? AND name = ?"
            " ORDER BY place IS NULL, place, number",
            (document.user_id, document.project_id, document.name),
        )
        times: Counter[str] = Counter()
        for number, (line, vector) in enumerate(rows):
            (read,) = client_chunks(io.BytesIO(_completed(line, number=number, times=times)))
            if isinstance(read, Refused):
                yield read
            else:
                yield StagedChunk(read, None if vector is None else np.frombuffer(vector, dtype=np.float32))

    def digest(self, document: StagedDocument) -> str:
        """Hash what a document's rows say, without their vectors."""
        digest = hashlib.sha256()
        for each in self.chunks(document):
            digest.update(repr(each.chunk if isinstance(each, StagedChunk) else each).encode("utf-8", "replace"))
        return digest.hexdigest()


@contextmanager
def staging(folder: Path) -> Iterator[Staging]:
    """Give an empty staging in a folder of its own, and remove it at the end; one process at a time has it."""
    with locked(folder.with_suffix(".lock")):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "rows.db"
        path.unlink(missing_ok=True)  # of an adoption that was killed
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES}")
            connection.execute("BEGIN")
            yield Staging(connection)
        path.unlink(missing_ok=True)


def _line(row: FoundRow) -> bytes:
    fields: dict[str, object] = {
        "doc_id": row.name or "-",
        "chunk_id": row.chunk_id,
        "text": row.text,
        "pages": row.pages,
        "section": row.section,
        "metadata": row.metadata,
    }
    if row.index is not None:
        fields["index"] = row.index
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _completed(line: bytes, *, number: int, times: Counter[str]) -> bytes:
    """Give a row the place and the id that it lacks. Of rows with one id, the later ones get a number behind it."""
    fields = json.loads(line.decode("utf-8", "surrogatepass"))
    fields.setdefault("index", number)
    chunk_id = fields["chunk_id"][:_ID_CHARS] or f"row {number}"
    times[chunk_id] += 1
    fields["chunk_id"] = chunk_id if times[chunk_id] == 1 else f"{chunk_id} ({times[chunk_id]})"
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
