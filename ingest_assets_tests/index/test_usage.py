"""Test that what users and projects hold and use is counted, each for itself and day by day."""

from __future__ import annotations

from ingest_assets.access.quotas import Use
from ingest_assets.index.database import Database
from ingest_assets.index.usage import Usage, tokens_of
from ingest_assets.ledger_records import Scope
from ingest_assets_tests.index.files import NOW, Index, item, record

_DAY_S = 86_400.0


def test_a_user_holds_the_files_of_all_its_projects_that_are_in_the_bucket(database: Database) -> None:
    index = Index(database)
    index.look(item("a.md", size=10), item("b.md", owner="ann/q", size=5), item("c.md", owner="bea/p", size=7))
    usage = Usage(database, clock=lambda: NOW)
    assert usage.of("ann") == Use(files=2, size_bytes=15)
    assert usage.of("ann", "q") == Use(files=1, size_bytes=5)
    assert usage.of("eve") == Use()


def test_what_is_used_adds_up_within_a_day_and_begins_anew_with_the_next(database: Database) -> None:
    now = NOW
    usage = Usage(database, clock=lambda: now)
    usage.add(Scope("ann", "p"), chunks=3, ocr_pages=1, tokens=100)
    usage.add(Scope("ann", "p"), chunks=2)
    usage.add(Scope("ann", "q"), chunks=10)
    assert usage.of("ann", "p") == Use(chunks=5, ocr_pages=1, tokens=100)
    assert usage.of("ann").chunks == 15
    assert usage.of("bea") == Use()
    now = NOW + _DAY_S
    assert usage.of("ann") == Use()
    assert 0 < usage.seconds_left() <= _DAY_S


def test_old_days_and_erased_users_are_forgotten(database: Database) -> None:
    usage = Usage(database, clock=lambda: NOW)
    later = Usage(database, clock=lambda: NOW + 10 * _DAY_S)
    usage.add(Scope("ann", "p"), chunks=3)
    later.add(Scope("ann", "p"), chunks=4)
    assert later.sweep(days=5) == 1
    assert usage.of("ann") == Use()
    later.erase(user_id="ann", project_id="q")
    assert later.of("ann").chunks == 4
    later.erase(user_id="ann")
    assert later.of("ann") == Use()


def test_only_embedded_chunks_cost_tokens() -> None:
    assert tokens_of(record("a.md", chunks=4, embedded=1, reused=3, characters=1600)) == 100
    assert tokens_of(record("a.md", chunks=0, characters=1600)) == 0
