"""Find the nearest chunks of a scope by comparing all of its vectors here: no index, no approximation.

The scope's vectors arrive in batches and the best k so far are kept, so memory does not grow with the number of rows;
the texts of the k are fetched at the end. All of it is of one moment (`read.settled`).

A client's own fields are one text to the server, so that part of a filter is applied here.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest_assets.batches import batches
from ingest_assets.ledger_records import Filter, Hit, Scope
from ingest_assets.stores.atlas.entry import MongoEntry
from ingest_assets.stores.atlas.read import settled
from ingest_assets.stores.atlas.rows import unpacked, within
from ingest_assets.stores.rows import hit_of, metadata_of

if TYPE_CHECKING:
    from pymongo.client_session import ClientSession

    from ingest_assets.records import Vector
    from ingest_assets.stores.atlas.client import MongoCollections, Row

_ROWS = 1000
"""Vectors held at once: 1.5 MB at 384 dimensions, twice while they are multiplied."""
_DIGITS = 9
"""Equal vectors must get equal scores at every place in a batch; sums of float64 differ in the sixteenth digit."""
_FIELDS = {"file_id": 1, "index": 1, "embedding": 1}
_FILTERED = {"filenames": "filename", "media_types": "media_type", "sections": "section", "pages": "pages"}
"""The fields of a row that the parts of a filter are about; of a list, one item is enough."""


class _Near(NamedTuple):
    """A row by its rank: best score first, then by file and place."""

    distance: float
    file_id: str
    place: int
    name: str


def nearest(mongo: MongoCollections, vector: Vector, *, k: int, scope: Scope, filters: Filter) -> list[Hit]:
    """Return the k nearest chunks in force that the filter lets through, best first."""
    asked = {
        field: {"$in": list(getattr(filters, name))} for name, field in _FILTERED.items() if getattr(filters, name)
    }
    fields = _FIELDS | ({"metadata": 1} if filters.metadata else {})

    def look(entries: dict[str, MongoEntry], session: ClientSession | None) -> list[Hit]:
        best: list[_Near] = []
        where = {**within(scope), **asked}
        found = mongo.chunks.find(where, fields, session=session, batch_size=_ROWS) if entries else ()
        passing = (row for row in found if filters.has_values(metadata_of(row))) if filters.metadata else found
        for rows in batches(passing, _ROWS):
            best = heapq.nsmallest(k, [*best, *_ranked(searchable(rows, entries, vector.size), vector)])
        return _hits(mongo, best, session)

    return settled(mongo, within(scope), look)


def searchable(rows: Sequence[Row], entries: Mapping[str, MongoEntry], dimension: int) -> list[tuple[Row, Vector]]:
    """Return the rows in force that have a vector which can be compared, with that vector."""
    import numpy as np

    pairs = []
    for row in rows:
        entry = entries.get(row["file_id"])
        if entry is not None and entry.holds(row["_id"]):
            vector = unpacked(row.get("embedding"))
            if vector is not None and vector.size == dimension and np.isfinite(vector).all() and vector.any():
                pairs.append((row, vector))
    return pairs


def _ranked(pairs: Sequence[tuple[Row, Vector]], query: Vector) -> list[_Near]:
    import numpy as np

    if not pairs:
        return []
    matrix = np.stack([vector for _, vector in pairs]).astype(np.float64)
    wanted = query.astype(np.float64)
    norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(wanted)
    cosines = np.clip((matrix @ wanted) / norms, -1.0, 1.0).round(_DIGITS).tolist()
    return [
        _Near(-cosine, row["file_id"], row["index"], row["_id"])
        for (row, _), cosine in zip(pairs, cosines, strict=True)
    ]


def _hits(mongo: MongoCollections, best: Sequence[_Near], session: ClientSession | None) -> list[Hit]:
    rows: dict[str, Any] = {}
    for names in batches([near.name for near in best], _ROWS):
        found = mongo.chunks.find({"_id": {"$in": names}}, {"embedding": 0}, session=session)
        rows |= {row["_id"]: row for row in found}
    here = [(near, rows[near.name]) for near in best if near.name in rows]
    return [hit_of(row, score=-near.distance) for near, row in here]
