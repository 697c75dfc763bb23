"""Find the nearest chunks by Atlas Vector Search, with no half document and none missing while it is replaced.

`$vectorSearch` cannot be part of a snapshot read: the index returns names, the server fetches the rows, and the ledger
is read after that. Two checks make sure that an answer is whole.

*Nothing moved.* Each publication announces itself in the scope's count after its rows are in the index, and no later
than they come into force (`publish.py`). If the count is the same before the index is asked and after the ledger is
read, each publication was either announced before, so that the index had all rows of it; or it is not yet in force, and
nothing of the generation in force has been removed. Otherwise the search is repeated.

*Nothing is missing.* An answer shorter than k must be all rows in force of one moment, by name. If it is not, the index
is behind or not there, which Atlas does not say. Then the search is repeated, and in the end it fails.

Rows that the index still returns although they are not in force, or no longer there, take places among the nearest.
Then more rows are asked for, and of the files they belong to only the generations in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest_assets.batches import batches
from ingest_assets.errors import OutsideError
from ingest_assets.ledger_records import Hit, Scope
from ingest_assets.stores.atlas import ledger
from ingest_assets.stores.atlas.entry import MongoEntry
from ingest_assets.stores.atlas.read import settled
from ingest_assets.stores.atlas.rows import within
from ingest_assets.stores.atlas.searching.exact_search import searchable
from ingest_assets.stores.atlas.searching.search_index import SearchIndex, pauses
from ingest_assets.stores.rows import hit_of

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import MongoCollections, Row

SEARCH_S = 20.0
"""How long a search waits for an index that is behind. Rows come into force only when the index has them."""
_SPARE = 10
"""Rows asked for beyond k, so that a few rows not in force cost no second query."""
_MOST_SPARE = 10_000
_MORE = 4
_ROWS = 200


class IndexSearch:
    """Searches of one space through its index."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index

    def nearest(self, mongo: MongoCollections, vector: Vector, *, k: int, scope: Scope) -> list[Hit]:
        """Return the k nearest chunks in force, best first."""
        spare, missing, latest = _SPARE, False, _latest(mongo)
        for _ in pauses(SEARCH_S):
            before = ledger.publications(latest, scope)
            rows = self._look(latest, vector, k=k, spare=spare, scope=scope)
            missing = len(rows) < k
            whole = (
                _all_in_force(mongo, vector, scope, rows) if missing else ledger.publications(latest, scope) == before
            )
            if whole:
                return _ranked(rows, k=k)
            spare = min(_MOST_SPARE, spare * _MORE)
        if missing:
            raise self._index.behind(mongo, f"{scope.user_id}/{scope.project_id}")
        raise OutsideError(f"MongoDB at {mongo.where}: files were published all the time; search again")

    def _look(self, mongo: MongoCollections, vector: Vector, *, k: int, spare: int, scope: Scope) -> list[Row]:
        """Search once: return the rows in force among the nearest."""
        here = [{name: value} for name, value in within(scope).items()]
        wanted, where, exact = k + spare, here, spare > _SPARE
        crowding: set[str] = set()
        while True:
            near = list(self._index.nearest(mongo, vector, limit=wanted, where=where, exact=exact))
            entries = _entries(mongo, sorted({row["file_id"] for row in near}))
            visible = [row for row in near if _holds(entries, row)]
            if len(visible) >= k or len(near) < wanted:
                return visible
            crowding |= {row["file_id"] for row in near if not _holds(entries, row)}
            where, exact = [*here, _narrowed(sorted(crowding), _entries(mongo, sorted(crowding)))], True
            wanted *= _MORE


def _latest(mongo: MongoCollections) -> MongoCollections:
    """Return collections that read what is committed before a majority has it, as the index does.

    An older entry would count rows as in force that the index no longer finds.
    """
    from pymongo.read_concern import ReadConcern

    local = ReadConcern("local")
    files, scopes = (each.with_options(read_concern=local) for each in (mongo.files, mongo.scopes))
    return replace(mongo, files=files, scopes=scopes)


def _entries(mongo: MongoCollections, file_ids: Sequence[str]) -> dict[str, MongoEntry]:
    found = ledger.entries(mongo, {"_id": {"$in": file_ids}}) if file_ids else ()
    return {entry.file_id: entry for entry in found}


def _holds(entries: Mapping[str, MongoEntry], row: Row) -> bool:
    entry = entries.get(row["file_id"])
    return entry is not None and entry.holds(row["_id"])


def _narrowed(file_ids: Sequence[str], entries: Mapping[str, MongoEntry]) -> dict[str, Any]:
    """Return a filter that keeps only the generations in force of these files."""
    in_force = []
    for entry in (entries[file_id] for file_id in file_ids if file_id in entries):
        generations = {"$gte": entry.floor, "$lte": entry.generation}
        in_force.append({"$and": [{"file_id": {"$eq": entry.file_id}}, {"generation": generations}]})
    return {"$or": [{"file_id": {"$nin": list(file_ids)}}, *in_force]}


def _all_in_force(mongo: MongoCollections, vector: Vector, scope: Scope, rows: Sequence[Row]) -> bool:
    """Tell whether these are all of the scope's rows in force; stops reading at the first other row."""
    names = {row["_id"] for row in rows}

    def look(entries: dict[str, MongoEntry], session: ClientSession | None) -> bool:
        fields = {"file_id": 1, "embedding": 1}
        there = mongo.chunks.find(within(scope), fields, session=session, batch_size=_ROWS) if entries else ()
        seen: set[str] = set()
        for batch in batches(there, _ROWS):
            seen |= {row["_id"] for row, _ in searchable(batch, entries, vector.size)}
            if not seen <= names:
                return False
        return seen == names

    return settled(mongo, within(scope), look)


def _ranked(rows: Sequence[Row], *, k: int) -> list[Hit]:
    hits = [hit_of(row, score=row["score"]) for row in rows]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.file_id, hit.chunk.index))[:k]
