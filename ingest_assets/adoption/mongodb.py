"""Read the collections `chunks` and `files` that the upload service keeps in MongoDB.

The service's database may be the one that this project's store is to use. Its collections have the names of ours, and
the store refuses collections that others made. So `set_aside` renames them, each in one step of the server, and they
are read under their new names. In a database of another name nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ingest_assets.adoption.fields import FieldNames
from ingest_assets.adoption.found import FoundFile, FoundRow
from ingest_assets.errors import ConfigError
from ingest_assets.stores.atlas.errors import translated, where_of
from ingest_assets.stores.atlas.ownership import OUR_ENTRIES, OUR_ROWS

if TYPE_CHECKING:
    from pymongo.database import Database

ASIDE = "_before_adoption"
"""Stands behind the name of a collection that was set aside."""
_OURS = {"chunks": OUR_ROWS, "files": OUR_ENTRIES}
_PAGE = 200
_WAIT_MS = 13_000
"""As the store waits for a server: longer than an election."""


class MongoSource:
    """The upload service's database."""

    def __init__(self, uri: str, *, database: str, names: FieldNames) -> None:
        """Take a connection string and the database; one that the string names is used instead."""
        self._uri = uri
        self._names = names
        self._database = database_of(uri) or database
        self.where = where_of(uri, self._database)

    def found(self) -> Iterator[FoundRow | FoundFile]:
        """Yield what is known of each file, then the rows, both by their `_id`."""
        with self._opened() as database:
            there = set(database.list_collection_names())
            if not there & {"chunks", f"chunks{ASIDE}"}:
                raise ConfigError(f"MongoDB at {self.where}: there is no collection `chunks`; name the right database")
            for name in ("files", "chunks"):
                for there_as in (name + ASIDE, name):
                    if there_as not in there:
                        continue
                    rows = database[there_as].find({"$nor": [_OURS[name]]}).sort("_id", 1).batch_size(_PAGE)
                    for row in rows:
                        yield self._names.file(row) if name == "files" else self._names.row(row, name="")

    def to_set_aside(self) -> list[str]:
        """Name the collections under our names that hold documents, none of which is ours."""
        with self._opened() as database:
            return [
                name
                for name, ours in _OURS.items()
                if database[name].find_one({}, {"_id": 1}) is not None
                and database[name].find_one(ours, {"_id": 1}) is None
            ]

    def set_aside(self) -> None:
        """Rename the collections that are in the way of the store.

        Raises:
            ConfigError: a collection was set aside earlier, and there is another one now.
        """
        for name in self.to_set_aside():
            with self._opened() as database:
                if name + ASIDE in database.list_collection_names():
                    raise ConfigError(
                        f"MongoDB at {self.where}: {name + ASIDE} was set aside by an earlier adoption, and {name} "
                        "holds documents of the upload service again; stop it, then rename one of the two"
                    )
                database[name].rename(name + ASIDE)

    @contextmanager
    def _opened(self) -> Iterator[Database[dict[str, Any]]]:
        from pymongo import MongoClient

        with translated(self.where):
            client: MongoClient[dict[str, Any]]
            with MongoClient(self._uri, serverSelectionTimeoutMS=_WAIT_MS, appname="ingest_assets") as client:
                yield client[self._database]


def database_of(uri: str) -> str:
    """Return the database that a connection string names; empty if it names none."""
    return uri.partition("://")[2].partition("/")[2].partition("?")[0]


def is_same_place(uri: str, database: str, *, other: str, other_database: str) -> bool:
    """Tell whether two connection strings name one database of the same hosts."""
    return where_of(uri, database_of(uri) or database) == where_of(other, other_database)
