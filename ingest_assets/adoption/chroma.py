"""Read the collections of another application's Chroma: of the chat system, or of the queue for small hosts.

A folder is copied first, and the copy is read. Chroma brings a folder of an earlier release up to date when it opens
it, and a folder that another process has open must not be opened a second time. So the folder itself stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest_assets.adoption.fields import FieldNames
from ingest_assets.adoption.found import FoundRow
from ingest_assets.errors import ConfigError
from ingest_assets.stores.chroma.client import folder_settings, server_settings, translated
from ingest_assets.stores.chroma.collections import ChromaPlace
from ingest_assets.stores.ownership import MADE_BY

if TYPE_CHECKING:
    from chromadb.config import Settings

_PAGE = 500
"""Rows read at once with their vectors: 2 MB at 384 dimensions with their text."""


class ChromaSource:
    """The collections of a folder or server that this project did not make."""

    def __init__(
        self, location: str, *, names: FieldNames, work: Path, place: ChromaPlace, only: Collection[str] = ()
    ) -> None:
        """Take a folder or URL, a folder for the copy, and the collections to read; by default all."""
        self._location = location
        self._names = names
        self._work = work
        self._place = place
        self._only = frozenset(only)

    def found(self) -> Iterator[FoundRow]:
        """Yield the rows of each collection, by its name, in the order in which they were added."""
        with translated(self._location), self._settings() as settings, _server(settings) as server:
            collections = self._collections(server)
            for collection in collections:
                yield from self._rows(collection)

    def _collections(self, server: Any) -> list[Any]:
        from chromadb.api.models.Collection import Collection

        models = server.list_collections(tenant=self._place.tenant, database=self._place.database)
        there = [Collection(client=server, model=model, embedding_function=None) for model in models]
        chosen = [
            each
            for each in there
            if (each.name in self._only or not self._only) and (each.metadata or {}).get("made_by") != MADE_BY
        ]
        if missing := self._only - {each.name for each in chosen}:
            raise ConfigError(
                f"{self._location}: there is no collection {', '.join(sorted(missing))} of another application; "
                f"there are {', '.join(sorted(each.name for each in there)) or 'none'}"
            )
        return sorted(chosen, key=lambda each: each.name)

    def _rows(self, collection: Any) -> Iterator[FoundRow]:
        offset = 0
        while True:
            page = collection.get(limit=_PAGE, offset=offset, include=["documents", "metadatas", "embeddings"])
            for row_id, text, fields, vector in zip(
                page["ids"], page["documents"], page["metadatas"], page["embeddings"], strict=True
            ):
                row = {**(fields or {}), "embedding": vector} | ({} if text is None else {"text": text})
                yield self._names.row(row, name=collection.name, chunk_id=row_id)
            offset += len(page["ids"])
            if len(page["ids"]) < _PAGE:
                return

    @contextmanager
    def _settings(self) -> Iterator[Settings]:
        if "://" in self._location:
            yield server_settings(self._location, self._place)
            return
        folder, copy = Path(self._location), self._work / "chroma"
        if not (folder / "chroma.sqlite3").is_file():
            raise ConfigError(
                f"{folder}: there is no Chroma in this folder (no chroma.sqlite3); name the one that has it"
            )
        shutil.rmtree(copy, ignore_errors=True)  # of an adoption that was killed
        shutil.copytree(folder, copy)
        try:
            yield folder_settings(str(copy))
        finally:
            shutil.rmtree(copy, ignore_errors=True)


@contextmanager
def _server(settings: Settings) -> Iterator[Any]:
    from chromadb.api import ServerAPI
    from chromadb.config import System

    system = System(settings)
    server: Any = system.instance(ServerAPI)
    system.start()
    try:
        yield server
    finally:
        system.stop()
        session = getattr(server, "_session", None)
        if session is not None:
            session.close()
