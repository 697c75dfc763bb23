"""Give each test an empty database of both kinds, as the tests of the index have it, and an outbox in it."""

from __future__ import annotations

import pytest

from ingest_assets.index.database import Database
from ingest_assets.messaging.outbox import Outbox
from ingest_assets_tests.index.conftest import database, index_postgres
from ingest_assets_tests.messaging.outbox_parts import SetClock, outbox_of

__all__ = ["database", "index_postgres"]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def outbox(database: Database, clock: SetClock) -> Outbox:
    return outbox_of(database, clock)
