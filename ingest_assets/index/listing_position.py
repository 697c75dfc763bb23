"""Remember where the listing of the bucket stopped, when it last came to its end, and what in it cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Boolean, Column, Float, Table, Text, delete, select

from ingest_assets.index.database import BYTEWISE, METADATA, Database
from ingest_assets.records import BucketObject, UnreadablePlace

_LISTING = Table(
    "ingest_listing",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("after", BYTEWISE, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
)
_PLACES = Table(
    "ingest_places",
    METADATA,
    Column("place", BYTEWISE, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("is_misplaced", Boolean, nullable=False),
    Column("is_empty", Boolean, nullable=False),
)
MAX_PLACES = 1000
"""Places that are kept of one stretch of a listing: a person mends the first ones, and sees the others then."""


@dataclass(frozen=True, slots=True)
class ListingPosition:
    """How far the listing has come."""

    after: str = ""
    """The last key that was merged; empty at the beginning."""
    began_at: float = 0.0
    ended_at: float = 0.0
    """When a listing last came to its end; 0 if none did."""
    counted: int = 0
    """Objects listed since the beginning."""
    objects: int = 0
    """Objects that the last whole listing counted."""
    problem: str = ""
    """Why the listing could not go on, or why nothing counts as missing; empty if all is well."""


class Listing:
    """The position of the one listing that sensor, command line and listener continue."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def position(self) -> ListingPosition:
        """Return where the listing stands."""
        with self._database.begin(writes=False) as connection:
            row = connection.execute(select(*_LISTING.c).where(_LISTING.c.name == "bucket")).one_or_none()
        return ListingPosition(*row[1:]) if row is not None else ListingPosition()

    def move(self, to: ListingPosition) -> None:
        """Write a new position."""
        values = {name: getattr(to, name) for name in ListingPosition.__slots__}
        with self._database.begin() as connection:
            connection.execute(
                self._database.upsert(_LISTING)
                .values(name="bucket", **values)
                .on_conflict_do_update(index_elements=[_LISTING.c.name], set_=values)
            )

    def places(self, *, is_misplaced: bool) -> list[UnreadablePlace]:
        """Return the keys that name no user, project and file, or the places that cannot be read."""
        with self._database.begin(writes=False) as connection:
            query = select(_PLACES).where(_PLACES.c.is_misplaced == is_misplaced).order_by(_PLACES.c.place)
            return [UnreadablePlace(row.place, row.reason, row.is_empty) for row in connection.execute(query)]

    def erase(self, prefix: str) -> None:
        """Forget the places whose name begins with a prefix."""
        with self._database.begin() as connection:
            connection.execute(delete(_PLACES).where(_PLACES.c.place.startswith(prefix, autoescape=True)))

    def replace_places(
        self,
        *,
        after: str,
        upto: str | None,
        unreadable: Sequence[UnreadablePlace],
        misplaced: Sequence[UnreadablePlace],
    ) -> None:
        """Keep what a stretch of the listing found in place of what it found there before."""
        within = (_PLACES.c.place > after) if upto is None else (_PLACES.c.place > after) & (_PLACES.c.place <= upto)
        found = [(place, False) for place in unreadable] + [(place, True) for place in misplaced]
        with self._database.begin() as connection:
            connection.execute(delete(_PLACES).where(within))
            for place, is_misplaced in found[:MAX_PLACES]:
                values = {"reason": place.reason, "is_misplaced": is_misplaced, "is_empty": place.is_empty}
                connection.execute(
                    self._database.upsert(_PLACES)
                    .values(place=place.position, **values)
                    .on_conflict_do_update(index_elements=[_PLACES.c.place], set_=values)
                )


def complete_upto(page: Sequence[BucketObject | UnreadablePlace]) -> str:
    """Return the key up to which a page of the listing is complete: that of its last object.

    A place that cannot be read at the end of a page is listed again with what follows it: what is known below it is not
    missing, and only a page that has the place tells so.
    """
    for item in reversed(page):
        if isinstance(item, BucketObject):
            return item.position
    return page[-1].position.rstrip("/")
