"""Find the chunks in Chroma that are nearest to a vector, all of them as they were at one moment.

The rows of a small scope are compared one by one, from a file (`small_scopes/rows_of.py`). Other scopes are searched by
Chroma's index.

Chroma finds ids in its index and reads their rows afterwards, and the ledger is read after that. An embedded store is
locked during all of it. A server is not; its answer is used only if each file in it had the same publication in force
before and after the rows were read, because then all rows of that publication were there the whole time.

Chroma filters by one value of a field. Pages, sections and a client's own fields are lists and texts to it, so rows are
asked for until enough of them pass the filter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import Filter, Hit, Scope
from ingest_assets.stores.chroma.client import RowsMoved
from ingest_assets.stores.chroma.ledger import entries_in
from ingest_assets.stores.chroma.rows import ChromaEntry, hit_of, in_force, read, scope_key
from ingest_assets.stores.chroma.small_scopes.rows_of import rows_of_small_scope
from ingest_assets.stores.rows import Row, lets_through

if TYPE_CHECKING:
    from ingest_assets.records import Vector
    from ingest_assets.stores.chroma.access import ChromaAccess
    from ingest_assets.stores.chroma.client import ChromaCollections

_SPARE = 10
"""Rows asked for beyond k, so that a few rows of a generation not in force cost no second query."""
_LOOKS = 100
"""Attempts at a store that changes while it is read. One takes milliseconds, and a publication commits once."""
_REMEMBERED = 10_000
"""Files whose last publication is remembered, so that one attempt is enough the next time; some 2 MB."""


@dataclass(frozen=True, slots=True)
class _Found:
    row: Row
    text: str
    distance: float


class ChromaSearch:
    """Search so that each file in the answer is seen whole."""

    def __init__(self, access: ChromaAccess) -> None:
        self._access = access
        self._seen: dict[str, str] = {}

    def nearest(self, vector: Vector, *, k: int, scope: Scope, filters: Filter) -> list[Hit]:
        """Return the k nearest chunks in force that the filter lets through, best first."""
        rows = rows_of_small_scope(self._access, scope_key(scope))
        if rows is not None:
            with closing(rows):
                if rows.can_compare(vector):
                    return rows.nearest(vector, k=k, filters=filters)
        for _ in range(_LOOKS):
            try:
                with self._access.reading() as store:
                    found, entries = _look(store, vector, k=k, scope=scope, filters=filters)
            except RowsMoved:
                continue
            if self._is_unmoved(entries) or self._access.steady:
                return _ranked(found, k=k)
        raise OutsideError(f"{self._access.location}: the files near this query changed {_LOOKS} times; search again")

    def _is_unmoved(self, entries: Mapping[str, ChromaEntry | None]) -> bool:
        """Tell whether each file has the publication in force that was seen last; remember what is in force now."""
        tokens = {file_id: entry.token if entry else "" for file_id, entry in entries.items()}
        before = self._seen
        if len(before) + len(tokens) > _REMEMBERED:
            before = {file_id: before[file_id] for file_id in tokens if file_id in before}
        self._seen = before | tokens
        return all(before.get(file_id) == token for file_id, token in tokens.items())


def _look(
    store: ChromaCollections, vector: Vector, *, k: int, scope: Scope, filters: Filter
) -> tuple[list[_Found], dict[str, ChromaEntry | None]]:
    """Search once: return the rows in force among the nearest, and the entries of all files that were met."""
    wanted, where = k + _SPARE, _where(scope, filters)
    while True:
        near = _query(store, vector, wanted=wanted, where=where)
        entries = entries_in(store, sorted({found.row["file_id"] for found in near}))
        visible = [
            found
            for found in near
            if in_force(found.row, entries[found.row["file_id"]]) and lets_through(filters, read(found.row, found.text))
        ]
        if len(visible) >= k or len(near) < wanted:
            return visible, entries
        wanted *= 4


def _where(scope: Scope, filters: Filter) -> dict[str, Any]:
    """Return the part of the filter that Chroma knows."""
    conditions: list[dict[str, Any]] = [{"scope": scope_key(scope)}]
    if filters.filenames:
        conditions.append({"filename": {"$in": list(filters.filenames)}})
    if filters.media_types:
        conditions.append({"media_type": {"$in": list(filters.media_types)}})
    return {"$and": conditions} if len(conditions) > 1 else conditions[0]


def _query(store: ChromaCollections, vector: Vector, *, wanted: int, where: dict[str, Any]) -> list[_Found]:
    answer = store.chunks.query(
        query_embeddings=[vector],
        n_results=wanted,
        where=where,
        include=["metadatas", "documents", "distances"],
    )
    rows, texts, distances = answer["metadatas"], answer["documents"], answer["distances"]
    if rows is None or texts is None or distances is None or any(row is None for row in rows[0]):
        raise RowsMoved("a row was deleted between index and row")
    return [
        _Found(row=row, text=text, distance=distance)
        for row, text, distance in zip(rows[0], texts[0], distances[0], strict=True)
    ]


def _ranked(found: list[_Found], *, k: int) -> list[Hit]:
    hits = [hit_of(each.row, each.text, distance=each.distance) for each in found]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.file_id, hit.chunk.index))[:k]
