"""Record whose files a Chroma place holds, and mark the collections as made here.

The bucket is in the metadata of a collection of its own, `ingest_owner`, so that recording it is one write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest_assets.stores.chroma.collections import collection, existing, is_marked
from ingest_assets.stores.ownership import MADE_BY, StoreOwner, owner_to_record

if TYPE_CHECKING:
    from ingest_assets.stores.chroma.access import ChromaAccess
    from ingest_assets.stores.chroma.client import ChromaCollections

_OWNER = "ingest_owner"


def claim(access: ChromaAccess, owner: StoreOwner | None, *, take_over: bool) -> None:
    """Mark the collections as made here, and record the bucket whose files they hold.

    Raises:
        ConfigError: the place holds another bucket's files.
    """
    with access.reading() as store:
        marked = all(is_marked(each) for each in (store.files, store.chunks))
        new = owner_to_record(_recorded(store), owner, location=access.location, take_over=take_over)
    if marked and new is None:
        return  # a write would make every other process open the store again
    with access.writing() as store:
        for each in (store.files, store.chunks):
            if not is_marked(each):
                each.modify(metadata={**(each.metadata or {}), "made_by": MADE_BY})
        if owner is not None:
            _record(store, owner, location=access.location, take_over=take_over)


def _record(store: ChromaCollections, owner: StoreOwner, *, location: str, take_over: bool) -> None:
    mark = {"made_by": MADE_BY, "owner_id": owner.id, "bucket": owner.bucket}
    kept = collection(store.server, store.place, name=_OWNER, metadata=mark)  # keeps what another process has written
    recorded = _owner_in(kept)
    if owner_to_record(recorded, owner, location=location, take_over=take_over) is not None:
        kept.modify(metadata=mark)


def _recorded(store: ChromaCollections) -> StoreOwner | None:
    kept = existing(store.server, store.place, name=_OWNER)
    return None if kept is None else _owner_in(kept)


def _owner_in(kept: Any) -> StoreOwner:
    return StoreOwner(str(kept.metadata["owner_id"]), str(kept.metadata["bucket"]))
