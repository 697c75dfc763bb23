"""Open and make Chroma collections, and tell this project's collections and rows from other applications'.

The names `chunks` and `files` are common. Collections made here say so in their metadata. Those of an earlier release
say nothing. They are recognised by their rows or, while they are empty, by the settings of their index, and `prepare`
marks them (`ownership.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest_assets.stores.ownership import MADE_BY, foreign

# Recall@10 on 6,000 vectors: 0.995 with Chroma's own 100/100, 1.000 with these, for a tenth more time to build and
# half a millisecond more to search.
CHUNKS_INDEX = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 400}}

_MADE_HERE: Mapping[str, str] = {"made_by": MADE_BY}
_ROW = re.compile(r"[0-9a-f]{16}/.*/[0-9a-f]{16}@[0-9]+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ChromaPlace:
    """Where a server keeps the collections, and the headers that it asks for."""

    tenant: str = "default_tenant"
    database: str = "default_database"
    headers: Mapping[str, str] = field(default_factory=dict)
    space: str = ""
    """Which pair of collections; the first has no name."""

    def named(self, name: str) -> str:
        """Return the name of this space's collection."""
        return f"{name}_{self.space}" if self.space else name


def collection(
    server: Any, place: ChromaPlace, *, name: str, configuration: Any = None, metadata: Mapping[str, str] = _MADE_HERE
) -> Any:
    """Open a collection; make it, with this metadata, if it is not there."""
    from chromadb.api.models.Collection import Collection

    model = server.get_or_create_collection(
        name, metadata=dict(metadata), configuration=configuration, tenant=place.tenant, database=place.database
    )
    return Collection(client=server, model=model, embedding_function=None)


def existing(server: Any, place: ChromaPlace, *, name: str) -> Any:
    """Open a collection that is there; None where there is none."""
    from chromadb.api.models.Collection import Collection
    from chromadb.errors import NotFoundError

    try:
        model = server.get_collection(name, tenant=place.tenant, database=place.database)
    except NotFoundError:
        return None
    return Collection(client=server, model=model, embedding_function=None)


def is_our_row(name: str) -> bool:
    """Tell whether a row of `chunks` is named as `rows.py` names them."""
    return _ROW.fullmatch(name) is not None


def refuse_foreign(chunks: Any, files: Any, *, location: str) -> None:
    """Raise ConfigError where a collection that is there was made by another application.

    Args:
        chunks: the collection, or None where it is not there yet.
        files: the same for the ledger.
        location: the place, for the message.
    """
    remedy = (
        "Name another folder or server in INGEST_CHROMA, or another database of the server in INGEST_CHROMA_DATABASE"
    )
    if chunks is not None and not (is_marked(chunks) or _has_rows(chunks, "since") or _is_new(chunks)):
        raise foreign(f"Chroma at {location}", f"the collection {chunks.name}", remedy)
    # An empty ledger looks like another application's empty collection, so the chunks beside it decide.
    if files is not None and not (
        is_marked(files) or _has_rows(files, "gone") or (chunks is not None and not files.count())
    ):
        raise foreign(f"Chroma at {location}", f"the collection {files.name}", remedy)


def is_marked(collection: Any) -> bool:
    """Tell whether a collection says that it was made here."""
    return (collection.metadata or {}).get("made_by") == MADE_BY


def _has_rows(collection: Any, field: str) -> bool:
    """Tell whether a row has a number that only this project's rows have."""
    return bool(collection.get(where={field: {"$gte": 0}}, limit=1, include=[])["ids"])


def _is_new(chunks: Any) -> bool:
    """Tell whether a collection is empty and has the index that is asked for here."""
    index = chunks.configuration.get("hnsw") or {}
    return not chunks.count() and CHUNKS_INDEX["hnsw"].items() <= index.items()
