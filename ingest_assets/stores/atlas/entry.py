"""Decide from a file's entry in `files` which of its rows are in force, and read the record that it holds.

- `incarnation` is random and made with the entry, so rows from before a deletion never belong to a later entry;
- rows of the generations `floor` to `generation` are in force, except those of `dead` generations, whose publication
  was killed or overtaken, and those in `going`, which the last publication replaced and has not removed yet.

Names of rows contain both (`rows.py`), so names alone are enough to decide, here and on the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from ingest_assets.ledger_records import FileRecord
from ingest_assets.stores.atlas.rows import parts_of

if TYPE_CHECKING:
    from ingest_assets.stores.atlas.client import Row

FIELDS = ("incarnation", "claimed", "generation", "floor", "dead", "going", "untidy", "gone")
"""Fields of a document of which an entry is made."""


@dataclass(frozen=True, slots=True)
class MongoEntry:
    """A file's ledger entry without its record."""

    file_id: str
    incarnation: str
    claimed: int
    """The generation of the last publication that began."""
    generation: int = 0
    """The generation in force; 0 if there is none."""
    floor: int = 0
    dead: frozenset[int] = frozenset()
    going: frozenset[str] = frozenset()
    untidy: bool = False
    """Rows that the last publication replaced may still be there."""
    gone: bool = False
    """Its deletion has begun, or its first publication has not ended; there is no record and no row in force."""

    def holds(self, name: str) -> bool:
        """Tell whether the row of this name is in force."""
        incarnation, _, generation = parts_of(name)
        return (
            incarnation == self.incarnation
            and self.floor <= generation <= self.generation
            and generation not in self.dead
            and name not in self.going
        )

    def rows(self) -> dict[str, Any]:
        """Return the filter of the rows in force: the same as `holds`, for the server."""
        names: dict[str, Any] = {"$gt": f"{self.incarnation}/", "$lt": f"{self.incarnation}0"}  # 0 follows / in ASCII
        if self.going:
            names["$nin"] = sorted(self.going)
        generations = {"$gte": self.floor, "$lte": self.generation, "$nin": sorted(self.dead)}
        return {"file_id": {"$eq": self.file_id}, "_id": names, "generation": generations}

    @property
    def stamp(self) -> tuple[str, int]:
        """Return a value that changes whenever other rows come into force."""
        return self.incarnation, self.generation

    def followed_by(self, generation: int, *, lowest: int, going: Sequence[str]) -> MongoEntry:
        """Return the entry with another generation in force, whose oldest row is of generation `lowest`."""
        overtaken = range(self.generation + 1, generation)
        return replace(
            self,
            claimed=generation,
            generation=generation,
            floor=lowest,
            dead=frozenset(each for each in (*self.dead, *overtaken) if each >= lowest),
            going=frozenset(going if lowest < generation else ()),  # if every older row is replaced, the floor says so
            untidy=bool(going),
            gone=False,
        )


def entry_of(row: Row) -> MongoEntry:
    """Read an entry back."""
    return MongoEntry(
        file_id=row["_id"],
        incarnation=row["incarnation"],
        claimed=row["claimed"],
        generation=0 if row["gone"] else row["generation"],
        floor=row["floor"],
        dead=frozenset(row["dead"]),
        going=frozenset(row["going"]),
        untidy=row["untidy"],
        gone=row["gone"],
    )


def record_of(row: Row) -> FileRecord | None:
    """Read the record of an entry; None if it has none."""
    from bson.int64 import Int64

    if row["gone"]:
        return None
    fields = {name: int(row[name]) if type(row[name]) is Int64 else row[name] for name in row}
    return msgspec.convert(fields | {"file_id": row["_id"]}, type=FileRecord)


def record_fields(record: FileRecord) -> dict[str, Any]:
    """Return a record as the fields of its entry."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    del fields["file_id"]  # it is the _id
    return fields
