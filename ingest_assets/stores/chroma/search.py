"""A vector in, the nearest chunks of one moment out.

Chroma finds ids in its index and reads their rows afterwards, and the ledger is read after that. An embedded store is
held still meanwhile. A server is not, so there an answer counts only if each file in it stood at the same publication
before and after the look at the rows: then all rows of that publication were there the whole time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import Hit, Scope
from ingest_assets.stores.chroma.client import Moved
from ingest_assets.stores.chroma.rows import Entry, entry_of, hit_of, in_force, scope_key
from ingest_assets.stores.rows import Row

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.chroma.access import Turns
    from ingest_assets.stores.chroma.client import Handle

_SPARE = 10
"""Rows asked for beyond k, so that a few rows of a generation not in force cost no second look."""
_LOOKS = 100
"""Looks at a store that changes under the reader. A look takes milliseconds, a publication commits once."""
_REMEMBERED = 10_000
"""Files whose last seen publication is remembered, so that one look is enough the next time; some 2 MB."""


@dataclass(frozen=True, slots=True)
class _Found:
    row: Row
    text: str
    distance: float


class Searcher:
    """Searches that see each file whole."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._seen: dict[str, str] = {}

    def nearest(self, vector: Vector, *, k: int, scope: Scope) -> list[Hit]:
        """Return the k nearest chunks in force, best first."""
        for _ in range(_LOOKS):
            try:
                with self._turns.reading() as store:
                    found, entries = _look(store, vector, k=k, scope=scope)
            except Moved:
                continue
            if self._stood_still(entries) or self._turns.steady:
                return _ranked(found, k=k)
        raise OutsideError(f"{self._turns.location}: the files near this query changed {_LOOKS} times; search again")

    def _stood_still(self, entries: Mapping[str, Entry | None]) -> bool:
        """Tell whether each file stands where it was last seen to stand, and remember where it stands."""
        tokens = {file_id: entry.token if entry else "" for file_id, entry in entries.items()}
        before = self._seen
        if len(before) + len(tokens) > _REMEMBERED:
            before = {file_id: before[file_id] for file_id in tokens if file_id in before}
        self._seen = before | tokens
        return all(before.get(file_id) == token for file_id, token in tokens.items())


def _look(store: Handle, vector: Vector, *, k: int, scope: Scope) -> tuple[list[_Found], dict[str, Entry | None]]:
    """Look once: the rows in force among the nearest, and the ledger entries of every file met on the way."""
    wanted = k + _SPARE
    while True:
        near = _query(store, vector, wanted=wanted, scope=scope)
        entries = _entries(store, sorted({found.row["file_id"] for found in near}))
        visible = [found for found in near if in_force(found.row, entries[found.row["file_id"]])]
        if len(visible) >= k or len(near) < wanted:
            return visible, entries
        wanted *= 4


def _query(store: Handle, vector: Vector, *, wanted: int, scope: Scope) -> list[_Found]:
    answer = store.chunks.query(
        query_embeddings=[vector],
        n_results=wanted,
        where={"scope": scope_key(scope)},
        include=["metadatas", "documents", "distances"],
    )
    rows, texts, distances = answer["metadatas"], answer["documents"], answer["distances"]
    if rows is None or texts is None or distances is None or any(row is None for row in rows[0]):
        raise Moved("a row was deleted between index and row")
    return [
        _Found(row=row, text=text, distance=distance)
        for row, text, distance in zip(rows[0], texts[0], distances[0], strict=True)
    ]


def _entries(store: Handle, file_ids: list[str]) -> dict[str, Entry | None]:
    entries: dict[str, Entry | None] = dict.fromkeys(file_ids)
    if file_ids:
        answer = store.files.get(ids=file_ids, include=["metadatas"])
        for file_id, row in zip(answer["ids"], answer["metadatas"] or (), strict=True):
            entries[file_id] = entry_of(row)
    return entries


def _ranked(found: list[_Found], *, k: int) -> list[Hit]:
    hits = [hit_of(each.row, each.text, distance=each.distance) for each in found]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.file_id, hit.chunk.index))[:k]
