"""Test what requests set aside: it counts until it is given back, lapses, and is forgotten with its user."""

from __future__ import annotations

from ingest_assets.access.quotas import Use
from ingest_assets.index.database import Database
from ingest_assets.index.reservations import LAPSE_S, Reservations
from ingest_assets.ledger_records import Scope
from ingest_assets_tests.index.files import NOW


def held(reservations: Reservations, user_id: str, project_id: str = "") -> int:
    with reservations.deciding() as connection:
        return reservations.of(connection, user_id, project_id).files


def set_aside(reservations: Reservations, name: str, scope: Scope, *, files: int) -> None:
    with reservations.deciding() as connection:
        reservations.add(connection, name, scope, Use(files=files), queued=files)


def test_what_is_set_aside_counts_until_it_is_given_back(database: Database) -> None:
    reservations = Reservations(database, clock=lambda: NOW)
    set_aside(reservations, "one", Scope("ann", "p"), files=2)
    set_aside(reservations, "two", Scope("ann", "q"), files=3)
    assert (held(reservations, "ann"), held(reservations, "ann", "q"), held(reservations, "bea")) == (5, 3, 0)
    reservations.give_back("one")
    assert held(reservations, "ann") == 3


def test_what_a_killed_process_set_aside_lapses_and_is_swept(database: Database) -> None:
    reservations = Reservations(database, clock=lambda: NOW)
    set_aside(reservations, "one", Scope("ann", "p"), files=2)
    Reservations(database, clock=lambda: NOW + LAPSE_S + 1).sweep()
    assert held(reservations, "ann") == 0


def test_a_user_or_one_of_its_projects_is_forgotten(database: Database) -> None:
    reservations = Reservations(database, clock=lambda: NOW)
    for name, scope in (("one", Scope("ann", "p")), ("two", Scope("ann", "q")), ("three", Scope("bea", "p"))):
        set_aside(reservations, name, scope, files=1)
    reservations.erase(user_id="ann", project_id="p")
    assert (held(reservations, "ann"), held(reservations, "bea")) == (1, 1)
    reservations.erase(user_id="ann")
    assert (held(reservations, "ann"), held(reservations, "bea")) == (0, 1)
