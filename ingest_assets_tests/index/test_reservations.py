"""Test what requests set aside: it counts until it is given back, lapses, and is forgotten with its user."""

from __future__ import annotations

from ingest_assets.access.quotas import Use
from ingest_assets.file_ids import file_id_of
from ingest_assets.index.bucket_looks import BucketLooks
from ingest_assets.index.database import Database
from ingest_assets.index.reservations import LAPSE_S, Reservations
from ingest_assets.ledger_records import Scope
from ingest_assets_tests.index.files import NOW, item


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


def sign(reservations: Reservations, file_id: str, use: Use, *, lapse_s: float = 900) -> None:
    with reservations.deciding() as connection:
        use = reservations.take_signed(connection, file_id, use)
        reservations.add_signed(connection, file_id, Scope("ann", "p"), use, lapse_s=lapse_s)


def test_a_signed_upload_counts_until_its_file_is_seen(database: Database) -> None:
    reservations, looks = Reservations(database, clock=lambda: NOW), BucketLooks(database, settle_s=0)
    sign(reservations, file_id_of("ann/p/a.txt"), Use(files=1, size_bytes=10))
    sign(reservations, file_id_of("ann/p/b.txt"), Use(files=1, size_bytes=10))
    assert held(reservations, "ann") == 2
    looks.keys({"ann/p/a.txt": item("a.txt"), "ann/p/c.txt": item("c.txt")})
    assert held(reservations, "ann") == 1
    looks.keys({"ann/p/b.txt": item("b.txt")})
    assert held(reservations, "ann") == 0


def test_two_signatures_for_one_file_count_once_as_the_larger(database: Database) -> None:
    reservations = Reservations(database, clock=lambda: NOW)
    for size_bytes in (10, 30, 20):
        sign(reservations, file_id_of("ann/p/a.txt"), Use(files=1, size_bytes=size_bytes))
    with reservations.deciding() as connection:
        assert reservations.of(connection, "ann") == Use(files=1, size_bytes=30)


def test_a_signature_that_nobody_uses_lapses(database: Database) -> None:
    reservations = Reservations(database, clock=lambda: NOW)
    sign(reservations, file_id_of("ann/p/a.txt"), Use(files=1), lapse_s=900)
    later = Reservations(database, clock=lambda: NOW + 901)
    assert (held(reservations, "ann"), held(later, "ann")) == (1, 0)
