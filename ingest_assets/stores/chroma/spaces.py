"""Read and set which pair of collections is in use.

The name is in the metadata of a collection of its own, so that changing it is one write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest_assets.stores.chroma.collections import collection

if TYPE_CHECKING:
    from ingest_assets.stores.chroma.client import ChromaCollections

_POINTER = "space_in_use"


def space_in_use(store: ChromaCollections) -> str:
    """Return the name of the space in use; the first has none."""
    from chromadb.errors import NotFoundError

    place = store.place
    try:
        model = store.server.get_collection(_POINTER, tenant=place.tenant, database=place.database)
    except NotFoundError:
        return ""
    return str((model.metadata or {}).get("space", ""))


def use_space(store: ChromaCollections, space: str) -> None:
    """Put another space in use."""
    collection(store.server, store.place, name=_POINTER).modify(metadata={"space": space})


def drop_space(store: ChromaCollections) -> None:
    """Remove the collections of a space."""
    place = store.place
    for name in ("chunks", "files"):
        store.server.delete_collection(place.named(name), tenant=place.tenant, database=place.database)
