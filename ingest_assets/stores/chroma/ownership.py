"""Record whose files a Chroma place holds, and tell this project's collections and rows from other applications'.

The names `chunks` and `files` are common. Collections made here say so in their metadata. Those that the release before
made say nothing; they are known by their rows or, while they are empty, by the settings of their index. `prepare` marks
them. The bucket stands in the metadata of a collection of its own, `ingest_owner`, so that recording it is one write.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ingest_assets.stores.ownership import MADE_BY, StoreOwner, foreign, owner_to_record

if TYPE_CHECKING:
    from ingest_assets.stores.chroma.access import Turns
    from ingest_assets.stores.chroma.client import Handle

_OWNER = "ingest_owner"
_ROW = re.compile(r"[0-9a-f]{16}/.*/[0-9a-f]{16}@[0-9]+", re.DOTALL)


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
    if chunks is not None and not (_is_marked(chunks) or _has_rows(chunks, "since") or _is_new(chunks)):
        raise foreign(f"Chroma at {location}", f"the collection {chunks.name}", remedy)
    # An empty ledger cannot be told from another application's empty collection, but for the chunks beside it.
    if files is not None and not (
        _is_marked(files) or _has_rows(files, "gone") or (chunks is not None and not files.count())
    ):
        raise foreign(f"Chroma at {location}", f"the collection {files.name}", remedy)


def claim(turns: Turns, owner: StoreOwner | None, *, take_over: bool) -> None:
    """Mark the collections as made here, and record the bucket whose files they hold.

    Raises:
        ConfigError: the place holds another bucket's files.
    """
    with turns.reading() as store:
        marked = all(_is_marked(each) for each in (store.files, store.chunks))
        new = owner_to_record(_recorded(store), owner, location=turns.location, take_over=take_over)
    if marked and new is None:
        return  # a write would have every other process open the store anew
    with turns.writing() as store:
        for each in (store.files, store.chunks):
            if not _is_marked(each):
                each.modify(metadata={**(each.metadata or {}), "made_by": MADE_BY})
        if owner is not None:
            _record(store, owner, location=turns.location, take_over=take_over)


def _record(store: Handle, owner: StoreOwner, *, location: str, take_over: bool) -> None:
    from ingest_assets.stores.chroma.client import collection

    mark = {"made_by": MADE_BY, "owner_id": owner.id, "bucket": owner.bucket}
    kept = collection(store.server, store.place, name=_OWNER, metadata=mark)  # keeps what another process has written
    recorded = _owner_in(kept)
    if owner_to_record(recorded, owner, location=location, take_over=take_over) is not None:
        kept.modify(metadata=mark)


def _recorded(store: Handle) -> StoreOwner | None:
    from ingest_assets.stores.chroma.client import existing

    kept = existing(store.server, store.place, name=_OWNER)
    return None if kept is None else _owner_in(kept)


def _owner_in(kept: Any) -> StoreOwner:
    return StoreOwner(str(kept.metadata["owner_id"]), str(kept.metadata["bucket"]))


def _is_marked(collection: Any) -> bool:
    return (collection.metadata or {}).get("made_by") == MADE_BY


def _has_rows(collection: Any, field: str) -> bool:
    """Tell whether a row has a number that only rows of ours have."""
    return bool(collection.get(where={field: {"$gte": 0}}, limit=1, include=[])["ids"])


def _is_new(chunks: Any) -> bool:
    """Tell whether a collection is empty and has the index that is asked for here."""
    from ingest_assets.stores.chroma.client import CHUNKS_INDEX

    index = chunks.configuration.get("hnsw") or {}
    return not chunks.count() and CHUNKS_INDEX["hnsw"].items() <= index.items()
